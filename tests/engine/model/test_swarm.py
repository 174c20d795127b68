"""Join tokens and addresses, as people paste them."""

from __future__ import annotations

import hashlib

import pytest

from davit.errors import InvalidParameter
from davit.model.swarm import parse_address, parse_token

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SECRET = "s" * 25


def base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text.rjust(50, "0")


def test_digest() -> None:
    wanted = hashlib.sha256(b"roots").hexdigest()
    token = parse_token(f"SWMTKN-1-{base36(int(wanted, 16))}-{_SECRET}")
    assert token.digest == wanted


def test_digest_with_leading_zeros() -> None:
    assert parse_token(f"SWMTKN-1-{base36(255)}-{_SECRET}").digest == "ff".rjust(64, "0")


def test_second_version() -> None:
    assert parse_token(f"SWMTKN-2-0-{base36(1)}-{_SECRET}").digest.endswith("01")


def test_validated_cryptography() -> None:
    with pytest.raises(InvalidParameter, match="FIPS"):
        parse_token(f"SWMTKN-2-1-{base36(1)}-{_SECRET}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SWMTKN-1-abc-def",
        f"SWMTKN-1-{'z' * 50}-{_SECRET}",
        f"SWMTKN-1-{'A' * 50}-{_SECRET}",
        f"SWMTKN-1-{base36(1)}-{_SECRET}\n",
        f"SWMTKN-3-{base36(1)}-{_SECRET}",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_token(text)
    assert _SECRET not in caught.value.message


def test_secret_is_not_shown() -> None:
    token = parse_token(f"SWMTKN-1-{base36(1)}-{_SECRET}")
    assert _SECRET not in f"{token!r} {token}"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1:2377"),
        ("192.0.2.1:4000", "192.0.2.1:4000"),
        ("manager.example", "manager.example:2377"),
        ("[2001:db8::1]", "[2001:db8::1]:2377"),
        ("[2001:db8::1]:4000", "[2001:db8::1]:4000"),
        ("2001:db8::1", "[2001:db8::1]:2377"),
    ],
)
def test_address(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", ":2377", "host:", "host:port", "host:0", "host:70000", "[]:1"]
)
def test_no_address(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid remote address"):
        parse_address(text)
