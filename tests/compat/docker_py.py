"""Run docker-py's integration suite against dockerd and davitd, and compare.

Every test that passes on dockerd must pass on davit, except those in ``exceptions.txt``; one of
those that passes on davit must be taken out of it. What passes on dockerd 20.10 is recorded in
``dockerd-20.10.txt``, so that one run of davitd is enough to know; ``--both`` runs both, and
``--record`` runs dockerd and writes the list anew. Arguments that are not known here go to pytest:

    python -m tests.compat.docker_py --only davit -k test_exec

The tests that need a swarm are among the exceptions, because davit is a worker there. ``--swarm``
runs them against a Moby manager whose tasks a davit worker carries (``front.py``), but for those of
``exceptions-swarm.txt``; names of tests run these only.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.compat import suite
from tests.compat.sides import ENGINES, SWARM, Run, Side
from tests.compat.suite import Verdict
from tests.compat.verdicts import Comparison, compare, read_exceptions, read_names, report

HERE = Path(__file__).parent
EXCEPTIONS = HERE / "exceptions.txt"
EXCEPTIONS_SWARM = HERE / "exceptions-swarm.txt"
NEEDS_SWARM = "Needs a swarm manager."
RECORDED = HERE / "dockerd-20.10.txt"
OUTPUT = suite.CACHE / "results"
MEGABYTES = 80
FEW = 5
TRIES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.compat.docker_py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=("dockerd", "davit"), help="run one and show its failures")
    which.add_argument("--both", action="store_true", help="run dockerd too, beside davitd")
    which.add_argument("--swarm", action="store_true", help="run what needs a swarm, with a worker")
    which.add_argument("--record", action="store_true", help="write what passes on dockerd")
    given, rest = parser.parse_known_args(arguments)
    if given.swarm:
        suite.fetch()
        return judge_swarm(rest or of_swarm())
    if rest and not given.only:
        parser.error(
            f"with {' '.join(rest)} only a part runs, which cannot be compared: add --only"
        )
    suite.fetch()
    if given.only:
        return show(run([given.only], rest)[given.only])
    if given.record:
        return record(run(["dockerd"])["dockerd"])
    runs = run(ENGINES if given.both else ["davit"])
    dockerd, davit = runs.get("dockerd"), runs["davit"]
    return judge(dockerd, davit, repeat(compared(dockerd, davit).broken))


def run(engines: Sequence[str], arguments: Sequence[str] = ()) -> dict[str, Run]:
    """Run the suite against these engines at the same time."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    print(f"running docker-py's suite against {' and '.join(engines)}, logs: {OUTPUT}", flush=True)
    sides = [Side(engine, OUTPUT, arguments) for engine in engines]
    return {side.engine: side.wait() for side in sides}


def show(run: Run) -> int:
    """Tell what failed in a run, and how."""
    for name, verdict in run.tests.items():
        if verdict.outcome == "failed":
            print(f"\nFAILS: {name}\n{verdict.text}")
    counts = Counter(verdict.outcome for verdict in run.tests.values())
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())))
    print(f"{run.memory:.0f} MB in use by the engine afterwards")
    return 1 if counts["failed"] else 0


def record(run: Run) -> int:
    """Write the names of the tests that pass on dockerd."""
    passed = sorted(name for name, verdict in run.tests.items() if verdict.passed)
    head = "# What passes on dockerd 20.10; `python -m tests.compat.docker_py --record` wrote it.\n"
    RECORDED.write_text(head + "".join(f"{name}\n" for name in passed), encoding="utf-8")
    print(f"{len(passed)} tests pass on dockerd")
    return 0


def repeat(names: Sequence[str]) -> dict[str, Verdict]:
    """Run a few tests again, until each has passed, or three times. Return what they came to.

    Some read a container's log before it can have said anything. On dockerd they win this race more
    often, not always: it answers later when it has started a container.
    """
    verdicts: dict[str, Verdict] = {}
    left = names if len(names) <= FEW else ()
    for _ in range(TRIES):
        if not left:
            break
        print(f"again: {' '.join(left)}", flush=True)
        words = " or ".join(name.rpartition(".")[2] for name in left)
        again = run(["davit"], ["-k", words])["davit"].tests
        verdicts.update((name, again[name]) for name in left if name in again)
        left = [name for name in left if name not in again or not again[name].passed]
    return verdicts


def compared(dockerd: Run | None, davit: Run) -> Comparison:
    """dockerd: None for what was recorded."""
    recorded = read_names(RECORDED.read_text(encoding="utf-8"))
    passed = [name for name, verdict in dockerd.tests.items() if verdict.passed] if dockerd else []
    return compare(passed or recorded, davit.tests, _reasons())


def judge(dockerd: Run | None, first: Run, second: Mapping[str, Verdict]) -> int:
    """Compare both; second: what davit made of tests that were repeated."""
    davit = replace(first, tests={**first.tests, **second})
    comparison = compared(dockerd, davit)
    print(report(comparison, dockerd.tests if dockerd else {}, davit.tests, _reasons()))
    print(f"{davit.memory:.0f} MB in use by davitd afterwards, {MEGABYTES} are the limit")
    clean = "Traceback" not in davit.log
    if not clean:
        print(f"davitd's log has a traceback in it: {OUTPUT / 'davit.engine.log'}")
    return 0 if comparison.good and clean and davit.memory <= MEGABYTES else 1


def of_swarm() -> list[str]:
    """Return the names of the tests to run against a manager with a worker."""
    excepted = read_exceptions(EXCEPTIONS_SWARM.read_text(encoding="utf-8"))
    needing = [name for name, reason in _reasons().items() if reason.startswith(NEEDS_SWARM)]
    unknown = set(excepted).difference(needing)
    if unknown:
        raise ValueError(f"{EXCEPTIONS_SWARM.name}: no test of a swarm: {', '.join(unknown)}")
    return [name for name in needing if name not in excepted]


def judge_swarm(names: Sequence[str]) -> int:
    """Run tests against a manager with a worker; all have to pass, and the worker does the work."""
    run_ = run([SWARM], names)[SWARM]
    comparison = compare(names, run_.tests, ())
    print(report(comparison, {}, run_.tests, {}))
    print(f"tasks started, of the last events: {run_.tasks}")
    clean = "Traceback" not in run_.log
    if not clean:
        print(f"davitd's log has a traceback in it: {OUTPUT / 'swarm.engine.log'}")
    carried = run_.tasks["davit"] > 0 and run_.tasks["Moby"] == 0
    return 0 if comparison.good and clean and carried else 1


def _reasons() -> dict[str, str]:
    return read_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
