"""The 28 questions whose answers R's survey package computed: weighting.md's own cases, on the demo databases."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.errors import WeightingUnsupported
from datasets.catalog import DatasetSpec
from querying.sql.tests.panel import plan
from querying.sql.weights.tests.demos import confirm

CASES = [json.loads(line) for line in (Path(__file__).parent / "weighted_sql.jsonl").read_text().splitlines()]
PANEL = """
units:
  - table: public.panel_users
    key: [user_id]
    weight: weight
    attributes: [gender, age_group, nccs, townclass, state]
    carried_by: {public.panel_events: [user_id]}
"""
MONTHLY = """
units:
  - table: public.panel_users
    key: [user_id]
    weight: null
    attributes: [gender, age_group, nccs, townclass, state]
    carried_by: {public.panel_events: [user_id]}
    period_weights:
      {table: public.panel_weights_monthly, key: [user_id], period: month, weight: weight, rule: refuse}
"""
NHANES = """
units: [{table: public.nhanes_chol, key: [], weight: wtmec2yr, strata: sdmvstra, psu: sdmvpsu}]
"""
YRBS = """
units: [{table: public.yrbs, key: [], weight: weight, kind: normalised, strata: stratum, psu: psu}]
"""
TABLES = {
    "panel_in": ("panel_users", "panel_events", "panel_weights_monthly"),
    "monthly": ("panel_users", "panel_events", "panel_weights_monthly"),
    "nhanes2009": ("nhanes_chol",),
    "yrbs2015": ("yrbs",),
}
DESIGNS = {"panel_in": PANEL, "nhanes2009": NHANES, "yrbs2015": YRBS, "monthly": MONTHLY}


@pytest.fixture(scope="module")
def demos(demo_urls: dict[str, str]) -> dict[str, DatasetSpec]:
    urls = {**demo_urls, "monthly": demo_urls["panel_in"]}
    return {name: confirm(url, TABLES[name], DESIGNS[name]) for name, url in urls.items()}


def folder_of(case: dict[str, Any]) -> str:  # Any: a case of the truth file
    if case["dataset"] == ["nhanes_chol"]:
        return "nhanes2009"
    if case["dataset"] == ["yrbs"]:
        return "yrbs2015"
    return "monthly" if "panel_weights_monthly" in case["dataset"] else "panel_in"


@pytest.mark.parametrize("case", [case for case in CASES if case["action"] == "refuse"], ids=lambda case: case["id"])
def test_refuses_as_the_truth_does(case: dict[str, Any], demos: dict[str, DatasetSpec]) -> None:
    with pytest.raises(WeightingUnsupported) as refused:
        plan(case["naive_sql"], demos[folder_of(case)])

    assert refused.value.hint


@pytest.mark.parametrize("case", [case for case in CASES if case["action"] != "refuse"], ids=lambda case: case["id"])
def test_estimates_as_r_does(case: dict[str, Any], demos: dict[str, DatasetSpec], demo_urls: dict[str, str]) -> None:
    planned = plan(case["naive_sql"], demos[folder_of(case)], reveal_all_rows=True)
    found = ask(demo_urls[folder_of(case).replace("monthly", "panel_in")], planned.sql)

    answers = [case["expected"], *(case["accept"] or [])]
    assert any(agrees(found, rows, case) for rows in answers), f"{planned.sql}\n{found[:5]}\n{answers[0][:5]}"
    assert planned.weighting == ("weighted" if case["action"] == "rewrite" else planned.weighting)


def ask(url: str, sql: str) -> list[dict[str, Any]]:  # Any: a value of any type
    with psycopg.connect(url, options="-c search_path=pg_catalog -c timezone=UTC") as session:
        cursor = session.execute(sql.encode())
        return [dict(zip([one.name for one in cursor.description or ()], row, strict=True)) for row in cursor]


def agrees(found: list[dict[str, Any]], expected: list[dict[str, Any]], case: dict[str, Any]) -> bool:
    keys, values = case["key_columns"], case["value_columns"]
    ours = {tuple(text_of(row[key]) for key in keys): row for row in found}
    theirs = {tuple(text_of(row[key]) for key in keys): row for row in expected}
    return ours.keys() == theirs.keys() and all(
        same(ours[key][value], row[value], case["tol"]) for key, row in theirs.items() for value in values
    )


def same(ours: Any, theirs: Any, tolerance: float) -> bool:  # Any: a value of any type
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(float(ours), float(theirs), rel_tol=tolerance)


def text_of(value: Any) -> str:  # Any: a value of any type
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)
