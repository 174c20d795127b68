import pytest

from davit.errors import InvalidParameter
from davit.model import platform
from davit.model.platform import Platform


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("linux/arm/v7", Platform(architecture="arm", variant="v7")),
        ("linux/x86_64", Platform(architecture="amd64")),
        ("aarch64", Platform(architecture="arm64")),
        ("windows/amd64", Platform(os="windows", architecture="amd64")),
    ],
)
def test_parse(text: str, parsed: Platform) -> None:
    assert platform.parse(text) == parsed


@pytest.mark.parametrize("text", ["", "linux"])
def test_what_is_not_named_is_the_hosts(text: str) -> None:
    assert platform.parse(text) == Platform(architecture=platform.host().architecture)


@pytest.mark.parametrize("text", ["/", "linux/", "a/b/c/d"])
def test_bad_platforms(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid platform"):
        platform.parse(text)


def test_a_variant_matters_when_both_name_it() -> None:
    v7 = Platform(architecture="arm", variant="v7")
    assert v7.runs(Platform(architecture="arm"))
    assert Platform(architecture="arm").runs(v7)
    assert not v7.runs(Platform(architecture="arm", variant="v6"))
    assert not v7.runs(Platform(architecture="arm64"))


@pytest.mark.parametrize(
    ("asked", "image", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/386", True),
        ("linux/386", "linux/amd64", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm/v7", True),
        ("linux/arm/v7", "linux/arm/v6", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm64", "linux/amd64", False),
    ],
)
def test_what_may_run_where_another_was_asked_for(asked: str, image: str, fits: bool) -> None:
    assert platform.parse(asked).accepts(platform.parse(image)) == fits
    assert str(platform.parse(image)) == image
