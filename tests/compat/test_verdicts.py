"""What makes a comparison fail, and that its words say which side did what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.docker_py import EXCEPTIONS, EXCEPTIONS_SWARM, RECORDED, of_swarm
from tests.compat.suite import Verdict, read
from tests.compat.verdicts import compare, read_exceptions, read_names, report

PASSED, FAILED = Verdict("passed"), Verdict("failed", "assert 1 == 2")


def test_all_that_passes_on_dockerd_passes() -> None:
    comparison = compare(["a", "b"], {"a": PASSED, "b": PASSED, "c": FAILED}, [])
    assert comparison.good
    assert comparison.agreed == ["a", "b"]


@pytest.mark.parametrize("verdict", [FAILED, Verdict("skipped", "no reason")])
def test_one_that_does_not_pass_is_told_with_both_sides(verdict: Verdict) -> None:
    davit = {"a": PASSED, "b": verdict}
    comparison = compare(["a", "b"], davit, [])
    assert not comparison.good
    told = report(comparison, {}, davit, {})
    assert "FAILS ON DAVIT: b\n  dockerd: passed" in told
    assert f"davit: {verdict.outcome}\n    {verdict.text}" in told


def test_one_that_did_not_run_is_broken() -> None:
    assert compare(["a"], {}, []).broken == ["a"]


def test_an_exception_may_fail_but_not_pass() -> None:
    assert compare(["a"], {"a": FAILED}, ["a"]).good
    healed = compare(["a"], {"a": PASSED}, ["a"])
    assert not healed.good
    assert "take it out of the exceptions: a\n  (later)" in report(healed, {}, {}, {"a": "later"})


def test_an_exception_must_pass_on_dockerd() -> None:
    comparison = compare(["a"], {"a": PASSED, "b": FAILED}, ["b"])
    assert not comparison.good
    assert "the exceptions name it: b" in report(comparison, {}, {}, {"b": "later"})


def test_exceptions_have_reasons() -> None:
    text = "# because\n# of this\na\nb\n\n# of that\nc\n"
    assert read_exceptions(text) == {"a": "because of this", "b": "because of this", "c": "of that"}
    with pytest.raises(ValueError, match="a has no reason"):
        read_exceptions("a\n")
    with pytest.raises(ValueError, match="a stands there twice"):
        read_exceptions("# reason\na\na\n")


def test_the_exceptions_and_the_record_belong_together() -> None:
    recorded = read_names(RECORDED.read_text(encoding="utf-8"))
    assert len(recorded) > 300
    assert set(read_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))) <= set(recorded)


def test_a_failure_in_the_tear_down_is_a_failure(tmp_path: Path) -> None:
    results = tmp_path / "results.xml"
    results.write_text(
        '<testsuites><testsuite><testcase classname="tests.integration.x_test.X" name="test_a">'
        '<failure message="m">broke</failure></testcase>'
        '<testcase classname="tests.integration.x_test.X" name="test_a"/>'
        '<testcase classname="tests.integration.x_test.X" name="test_b" time="2.5"/>'
        "</testsuite></testsuites>"
    )
    assert read(results) == {
        "x_test.X.test_a": Verdict("failed", "broke"),
        "x_test.X.test_b": Verdict("passed", seconds=2.5),
    }


def test_what_needs_a_swarm_is_run_with_one() -> None:
    """All of it but what wants a swarm of a single node."""
    needing = read_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))
    names = of_swarm()
    assert len(names) > 100
    left = {name for name in needing if name not in names}
    assert {name for name in left if not name.startswith("api_plugin_test.")} == set(
        read_exceptions(EXCEPTIONS_SWARM.read_text(encoding="utf-8"))
    )
