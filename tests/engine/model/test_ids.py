import pytest

from davit.errors import InvalidParameter
from davit.model import ids


def test_ids_are_64_hex_digits_and_differ() -> None:
    first, second = ids.new_id(), ids.new_id()
    assert first != second
    assert len(first) == 64
    assert ids.is_hex(first)


def test_short() -> None:
    assert ids.short("sha256:" + "ab" * 32) == "abababababab"
    assert ids.short("cd" * 32) == "cdcdcdcdcdcd"


def test_random_names_are_valid_names() -> None:
    assert all(ids.is_name(ids.random_name()) for _ in range(50))


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("web", True),
        ("web.1-a_b", True),
        ("w", False),
        ("-web", False),
        ("we b", False),
        ("", False),
    ],
)
def test_is_name(name: str, good: bool) -> None:
    assert ids.is_name(name) is good


def test_the_beginning_of_an_id() -> None:
    known = ["ab12", "ab34", "cd56"]
    assert ids.by_prefix("ab1", known) == "ab12"
    assert ids.by_prefix("ef", known) is None
    assert ids.by_prefix("", ["ab12"]) is None
    with pytest.raises(InvalidParameter, match="multiple IDs found with provided prefix: ab"):
        ids.by_prefix("ab", known)
