"""Estimates on few persons withheld, and with them whatever of the same result would tell them. Pure.

A row is withheld where the base of one of its estimates is too small: all that is computed in it. Then

- columns with window functions are withheld in every row: they speak of other rows, or of all. Where rows were cut off
  (LIMIT, a filter around), a withheld one may be among these, so such columns always are;
- under grouping sets, rows that may hold the same persons are withheld: the totals over a withheld row.

So whoever is in a withheld row is in no number that is left. Withheld rows stand last, whatever they were ordered by.
What two results tell together is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from querying.evidence import FLAGS, Base

TOO_FEW: Final = FLAGS[0]
WITHHELD: Final = Base(0, 0.0, 0.0, 0.0, TOO_FEW, withheld=True)
Cells = tuple[str | None, ...]
Bases = tuple[Base | None, ...]


@dataclass(frozen=True, slots=True)
class SuppressionPlan:
    """By output column: whether it is computed, and whether out of other rows. `groups` are columns that show an item
    of GROUP BY, where grouping sets make rows that hold each other. `is_cut`: not all rows are there.
    """

    computed: tuple[bool, ...]
    across: tuple[bool, ...]
    has_sets: bool = False
    groups: tuple[int, ...] = ()
    is_cut: bool = False


def suppress(
    plan: SuppressionPlan, cells: Sequence[Cells], bases: Sequence[Bases]
) -> tuple[tuple[Cells, ...], tuple[Bases, ...]]:
    """The rows with None for what is withheld, and `WITHHELD` as its base."""
    weak = [is_weak(row) for row in bases]
    if not any(weak) and not (plan.is_cut and any(plan.across)):
        return tuple(cells), tuple(bases)
    low = [row for row, is_low in zip(cells, weak, strict=True) if is_low]
    hidden = [
        is_low or (plan.has_sets and any(may_hold(plan, row, other) for other in low))
        for row, is_low in zip(cells, weak, strict=True)
    ]
    made = [
        withhold(plan.computed if gone else plan.across, row, known)
        for row, known, gone in zip(cells, bases, hidden, strict=True)
    ]
    order = sorted(range(len(made)), key=lambda place: hidden[place])  # stable
    return tuple(made[place][0] for place in order), tuple(made[place][1] for place in order)


def is_weak(bases: Bases) -> bool:
    return any(base is not None and base.flag == TOO_FEW for base in bases)


def may_hold(plan: SuppressionPlan, row: Cells, other: Cells) -> bool:
    """Whether the two may have persons in common; NULL may stand for everybody."""
    return all(row[place] is None or other[place] is None or row[place] == other[place] for place in plan.groups)


def withhold(columns: Sequence[bool], row: Cells, bases: Bases) -> tuple[Cells, Bases]:
    shown = tuple(None if gone else cell for gone, cell in zip(columns, row, strict=True))
    known = tuple(WITHHELD if gone and base is not None else base for gone, base in zip(columns, bases, strict=True))
    return shown, known
