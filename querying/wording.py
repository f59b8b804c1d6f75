"""What is said of numbers, alike at every door: how they were weighted, what their flags mean. Pure."""

from __future__ import annotations

from typing import Final

from querying.sql.plan import QueryPlan

WEIGHTING_SENTENCES: Final = {
    "off": "Unweighted, as asked.",
    "none": "Unweighted: no weights here.",
    "design_not_confirmed": "Unweighted: design not confirmed.",
    "mixed": "Mixed: its inputs are not all weighted alike.",
    "by_query": "Weighted by the query itself, not by the server: neither scaled nor checked.",
    "sample": "Unweighted: rows or values of the sample, nothing is projected.",
    "weighted": "Weighted to the population.",
}
WITHHELD: Final = (
    "Rows marked ** are withheld (NULL): too few persons stand behind one of their numbers, or they would tell such a "
    "number. Group more coarsely."
)
FLAG_MEANINGS: Final = {
    "**": "too few persons (or too unequal weights) to report",
    "*": "very few persons, read with great care",
    "low": "few persons, read with care",
}


def describe_weighting(plan: QueryPlan) -> str:
    if plan.weighting == "weighted" and plan.weight_column:
        return f"Weighted by {plan.weight_column}."
    return WEIGHTING_SENTENCES[plan.weighting]


def describe_flags(flags: set[str]) -> list[str]:
    return [f"{mark}: {meaning}." for mark, meaning in FLAG_MEANINGS.items() if mark in flags]
