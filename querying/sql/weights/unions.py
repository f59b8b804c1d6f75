"""What the rows of UNION ALL rest on: each arm says it of its own, after its number. Pure.

SELECT 'a', count(*), [1, evidence of a] UNION ALL SELECT 'b', count(*), [2, evidence of b]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from postgast import pg_query_pb2 as pg

from querying.evidence import EvidencePlan
from querying.sql.govern import target_node
from querying.sql.scopes import Scope
from querying.sql.weights.evidence import OUTPUT
from querying.sql.weights.passing import Given
from querying.sql.weights.pieces import sql


def arms_of(scope: Scope) -> list[Scope]:
    """The SELECTs whose rows are all of the scope's, one after the other: its own, or those of UNION ALL.

    None where rows of arms are told from each other, or an arm is VALUES.
    """
    if not scope.arms:
        return [] if scope.select.values_lists else [scope]
    if scope.select.op != pg.SETOP_UNION or not scope.select.all:
        return []
    found = [arms_of(arm) for arm in scope.arms]
    return [one for arms in found for one in arms] if all(found) else []


def unite(arms: Sequence[Scope], given: Mapping[Scope, Given]) -> EvidencePlan | None:
    """Number what the arms say; an arm that says nothing says NULL. None where none does."""
    plans = [given[arm].plan if arm in given else None for arm in arms]
    known = [plan for plan in plans if plan is not None]
    if not known:
        return None
    for number, (arm, plan) in enumerate(zip(arms, plans, strict=True)):
        targets = arm.select.target_list
        if plan is None:
            targets.append(target_node(sql("NULL::float8[]"), OUTPUT))
        else:
            value = targets[-1].res_target.val
            value.CopyFrom(sql(f"ARRAY[{number}]::float8[] || $1", value))
    return replace(known[0], arms=tuple(plans), clustered=any(plan.clustered for plan in known))
