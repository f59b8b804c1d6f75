"""Plans are made once for all that they depend on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.errors import QueryRefused
from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.policies import Policies
from datasets.sealing import SealedText
from datasets.system_config import QueryLimits, SystemSettings, WeightingRules
from querying.planner import Planner
from querying.sql.plan import QueryPlan, QueryRequest

ANA = Principal(person="ana", datasets=None, groups=frozenset({"regional"}), attributes={"state": "Kerala"})
POLICIES = Policies.model_validate(
    {
        "columns": [
            {"column": "public.users.email", "show": "masked", "mask": {"kind": "hash"}},
            {"column": "public.users.email", "show": "visible", "groups": ["privacy"]},
        ],
        "rows": [{"table": "public.users", "where": "state = caller('state')", "groups": ["regional"]}],
    }
)
SHOP = DatasetSpec(
    dataset_id=1,
    entry_id=7,
    version=1,
    connection_id="c",
    sealed_dsn=SealedText(""),
    name="shop",
    title="",
    description="",
    dataset_type="mixed",
    data_category="mixed",
    tables=(
        TableSpec(
            "public",
            "users",
            "table",
            tuple(ColumnSpec(name, "text") for name in ("email", "state", "nccs")),
        ),
    ),
    policies=POLICIES,
)
SQL = "SELECT email, nccs FROM users"


def planned(planner: Planner, sql: str = SQL, uncertainty: str = "auto", **changed: object) -> QueryPlan:
    given = {"dataset": SHOP, "principal": ANA, "settings": SystemSettings()} | changed
    return planner.plan(QueryRequest("shop", sql, uncertainty=uncertainty), **given)  # type: ignore[arg-type]  # one value of each kind


def test_a_question_asked_again_is_planned_once() -> None:
    planner = Planner()

    first, again = planned(planner), planned(planner, principal=replace(ANA, person="bob", key="other"))

    assert first is again
    assert (planner.hits, planner.misses) == (1, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": replace(SHOP, entry_id=8)},
        {"principal": replace(ANA, attributes={"state": "Delhi"})},
        {"principal": replace(ANA, groups=frozenset({"regional", "privacy"}))},
        {"principal": replace(ANA, operator=True)},
        {"settings": SystemSettings(query_limits=QueryLimits(raw_rows=3))},
        {"settings": SystemSettings(weighting_rules=WeightingRules(merges={}))},
        {"sql": SQL + " LIMIT 1"},
        {"uncertainty": "off"},
    ],
)
def test_what_a_plan_depends_on_makes_another(changed: dict[str, object]) -> None:
    planner = Planner()
    planned(planner)

    assert planned(planner, **changed).sql is not None  # type: ignore[arg-type]  # as above
    assert planner.hits == 0


def test_each_kind_of_caller_gets_its_own_view() -> None:
    planner = Planner()

    assert "sha256" in planned(planner).sql
    assert "'Kerala'" in planned(planner).sql
    assert "'Delhi'" in planned(planner, principal=replace(ANA, attributes={"state": "Delhi"})).sql
    assert "sha256" not in planned(planner, principal=replace(ANA, groups=frozenset({"privacy", "regional"}))).sql
    assert "WHERE false" in planned(planner, principal=replace(ANA, groups=frozenset())).sql
    assert "WHERE" not in planned(planner, principal=replace(ANA, operator=True)).sql


def test_a_refusal_is_not_kept() -> None:
    planner = Planner()

    for _ in range(2):
        with pytest.raises(QueryRefused):
            planned(planner, "SELECT pg_sleep(1)")

    assert (planner.hits, planner.misses) == (0, 2)


def test_the_least_used_plans_make_room() -> None:
    planner = Planner(plan_bytes=4_000)

    for number in range(50):
        planned(planner, f"SELECT email FROM users LIMIT {number}")
    planned(planner, "SELECT email FROM users LIMIT 49")

    assert planner.hits == 1
    planned(planner, "SELECT email FROM users LIMIT 0")
    assert planner.hits == 1
