import pytest

from davit.errors import InvalidParameter
from davit.model.reference import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1.36", "busybox:1.36"),
        ("library/busybox", "busybox:latest"),
        ("docker.io/busybox", "busybox:latest"),
        ("index.docker.io/library/busybox:1", "busybox:1"),
        ("team/app", "team/app:latest"),
        ("docker.io/team/app:x", "team/app:x"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1.0_rc-1", "localhost:5000/app:v1.0_rc-1"),
        ("registry.example.com/a/b/c", "registry.example.com/a/b/c:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        (f"busybox@{DIGEST}", f"busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"busybox@{DIGEST}"),
        ("a__b--c.d", "a__b--c.d:latest"),
    ],
)
def test_names_as_docker_shows_them(text: str, shown: str) -> None:
    assert str(Reference.parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        ("Busybox", "must be lowercase"),
        ("team/App:1", "must be lowercase"),
        ("a:b:c", "invalid reference format"),
        ("busybox:", "bad tag"),
        ("busybox:-x", "bad tag"),
        ("busybox:" + "x" * 129, "bad tag"),
        ("busybox@sha256:abc", "64 hex digits"),
        ("a//b", "invalid reference format"),
        ("a/../b", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("b" * 64, "64-byte hexadecimal"),
        ("x/" + "y" * 254, "255 characters"),
        ("busybox\n", "invalid reference format"),
    ],
)
def test_bad_names(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Reference.parse(text)


def test_a_tag_given_apart_wins() -> None:
    assert Reference.parse_tag("busybox", "2") == "busybox:2"
    assert Reference.parse_tag("busybox:1", "2") == "busybox:2"
    assert Reference.parse_tag("busybox:1") == "busybox:1"


def test_no_tag_from_a_digest() -> None:
    with pytest.raises(InvalidParameter, match="digest reference"):
        Reference.parse_tag(f"busybox@{DIGEST}", "1")
