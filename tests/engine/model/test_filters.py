import pytest

from davit.errors import InvalidParameter
from davit.model.filters import Filters


@pytest.mark.parametrize("text", ['{"label": ["a=1", "b"]}', '{"label": {"a=1": true, "b": true}}'])
def test_both_wire_forms(text: str) -> None:
    filters = Filters.parse(text, {"label"})
    assert sorted(filters.get("label")) == ["a=1", "b"]


def test_a_false_entry_of_the_old_form_is_off() -> None:
    assert "label" not in Filters.parse('{"label": {"a": false}}', {"label"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "an object"),
        ('{"colour": ["red"]}', "invalid filter 'colour'; known here: label, name"),
        ('{"name": "x"}', "a list of strings"),
        ('{"name": [1]}', "a list of strings"),
    ],
)
def test_bad_filters_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Filters.parse(text, {"name", "label"})


def test_labels_must_all_hold() -> None:
    filters = Filters({"label": ["a=1", "b"]})
    assert filters.accepts_labels({"a": "1", "b": "anything"})
    assert not filters.accepts_labels({"a": "1"})
    assert not filters.accepts_labels({"a": "2", "b": ""})


def test_values_of_one_name_are_alternatives() -> None:
    filters = Filters({"status": ["exited", "dead"]})
    assert filters.accepts("status", "dead")
    assert not filters.accepts("status", "running")
    assert filters.accepts("name", "whatever")
    assert filters.accepts_any("status", ["running", "exited"])


@pytest.mark.parametrize(("value", "flag"), [("true", True), ("1", True), ("0", False)])
def test_flag(value: str, flag: bool) -> None:
    assert Filters({"dangling": [value]}).flag("dangling") is flag


def test_flag_unset_or_bad() -> None:
    assert Filters().flag("dangling") is None
    with pytest.raises(InvalidParameter, match="dangling=maybe"):
        Filters({"dangling": ["maybe"]}).flag("dangling")
