"""How much personal data is found among columns of real schemas' names, and how much is taken for it; ms a column.

The columns are those of datasets/tests/personal_columns.py, their values seeded. What it prints is a table for docs.
Names were written down by whoever wrote the rules, so that strange schemas are found less well than these.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from datasets.profiling.personal import STARTS, find_personal, starts_as
from datasets.tests.personal_columns import Case, make_cases


@dataclass(frozen=True, slots=True)
class Judged:
    case: Case
    kind: str  # "" where the column stays visible
    milliseconds: float


def judge(case: Case) -> Judged:
    started = time.perf_counter()
    found = find_personal(case.column, case.values)
    elapsed = 1000 * (time.perf_counter() - started)
    return Judged(case, found.kind if found and starts_as(found) != "visible" else "", elapsed)


def report(kind: str, judged: Sequence[Judged]) -> str:
    """A kind's row: its columns, those found to be personal, those found to be of that kind, others taken for it."""
    own = [one for one in judged if one.case.kind == kind]
    personal = sum(bool(one.kind) for one in own)
    right = sum(one.kind == kind for one in own)
    wrong = sum(one.kind == kind and not one.case.kind for one in judged)
    return f"|{kind}|{STARTS[kind]}|{len(own)}|{personal}|{right}|{wrong}|"


def main() -> None:
    judged = [judge(case) for case in make_cases()]
    personal = [one for one in judged if one.case.kind]
    found = [one for one in judged if one.kind]
    both = sum(bool(one.kind) for one in personal)
    times = [one.milliseconds for one in judged]
    print("|kind|starts|columns|found|as that kind|ordinary ones taken for it|")
    print("|---|---|---|---|---|---|")
    for kind in sorted(STARTS):
        print(report(kind, judged))
    print(f"\n{len(personal)} personal and {len(judged) - len(personal)} ordinary columns.")
    print(f"Precision {both / len(found):.3f}, recall {both / len(personal):.3f}.")
    print(f"A column takes {statistics.median(times):.0f} ms (median), {max(times):.0f} ms at most.")


if __name__ == "__main__":
    main()
