"""Bases, errors and intervals of the truth file: R's survey package, by the weights only and by strata and PSUs."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any, cast

import psycopg
import pytest

from config.errors import BaseUnknown
from datasets.catalog import DatasetSpec
from datasets.connections import parse_dsn
from datasets.design_checks import check_design
from datasets.design_report import counted
from querying.evidence import Base, read_evidence
from querying.sql.plan import QueryPlan
from querying.sql.tests.panel import plan
from querying.sql.weights.tests.answers import run
from querying.sql.weights.tests.demos import confirm
from querying.sql.weights.tests.test_truth import CASES, DESIGNS, TABLES, folder_of, text_of

VALID = {
    "panel_in": ("panel_users", "weight"),
    "nhanes2009": ("nhanes_chol", "wtmec2yr"),
    "yrbs2015": ("yrbs", "weight"),
}


def with_units(dataset: DatasetSpec, url: str, table: str, weight: str) -> DatasetSpec:
    """Of a design as it is confirmed, without strata and PSUs: R's figures are those of the weights."""
    assert dataset.survey_design is not None
    (unit,) = dataset.survey_design.units
    counted = f"SELECT count(*), count(*) FILTER (WHERE {weight} > 0) FROM public.{table}"
    with psycopg.connect(url) as session:
        ((units, valid),) = session.execute(counted.encode()).fetchall()
    unit = replace(unit, units=units, excluded=units - valid, stratum="", psu="")
    return replace(dataset, survey_design=replace(dataset.survey_design, units=(unit,)))


@pytest.fixture(scope="module")
def surveys(demo_urls: dict[str, str]) -> dict[str, DatasetSpec]:
    return {
        name: with_units(confirm(demo_urls[name], TABLES[name], DESIGNS[name]), demo_urls[name], *VALID[name])
        for name in VALID
    }


def bases_of(planned: QueryPlan, url: str) -> list[tuple[dict[str, object], dict[str, Base | None]]]:
    assert planned.evidence is not None, planned.sql
    with psycopg.connect(url, options="-c search_path=pg_catalog -c timezone=UTC") as session:
        names, rows = run(session, planned.sql)
    found = []
    for row in rows:
        *values, sums = row
        text = None if sums is None else "{" + ",".join("NULL" if one is None else repr(one) for one in sums) + "}"  # type: ignore[attr-defined]
        named = dict(zip(names[:-1], values, strict=True))
        found.append((named, dict(zip(names[:-1], read_evidence(planned.evidence, text), strict=True))))
    return found


def expected_of(case: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(text_of(row[key]) for key in case["key_columns"]): row for row in case["expected"]}


WITH_BASES = [
    case
    for case in CASES
    if case["action"] == "rewrite" and folder_of(case) in VALID and any("base.n" in row for row in case["expected"])
]


@pytest.mark.parametrize("case", WITH_BASES, ids=lambda case: case["id"])
def test_bases_and_errors_are_those_of_r(
    case: dict[str, Any], surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    folder = folder_of(case)
    expected = expected_of(case)

    for values, bases in bases_of(plan(case["naive_sql"], surveys[folder], reveal_all_rows=True), demo_urls[folder]):
        row = expected[tuple(text_of(values[key]) for key in case["key_columns"])]
        for name in case["value_columns"]:
            base = bases[name]
            assert base is not None
            if f"se.{name}" in row:
                assert base.se == pytest.approx(row[f"se.{name}"], rel=0.01), name
                assert (base.low, base.high) == pytest.approx((row[f"lo.{name}"], row[f"hi.{name}"]), rel=0.01)
        # the file gives one base a row: of its group
        base = max((base for base in bases.values() if base is not None), key=lambda base: base.n)
        assert base.n == row["base.n"]
        assert math.isclose(base.weighted, row["base.sum_w"], rel_tol=1e-6)
        assert math.isclose(base.effective, row["base.n_eff"], rel_tol=1e-6)
        assert math.isclose(base.design_effect, row["base.deff_kish"], rel_tol=1e-6)


# ── strata and PSUs ──────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def samples(demo_urls: dict[str, str]) -> dict[str, DatasetSpec]:
    """The datasets as `set_survey_design` confirms them."""

    found = {}
    for name in ("nhanes2009", "yrbs2015"):
        dataset = confirm(demo_urls[name], TABLES[name], DESIGNS[name])
        assert dataset.survey_design is not None
        target = parse_dsn(demo_urls[name], unix_sockets=True)
        report, faults = asyncio.run(check_design(target, dataset.survey_design))
        assert not faults
        found[name] = replace(dataset, survey_design=counted(dataset.survey_design, report))
    return found


OF_FULL_DESIGN = [case for case in WITH_BASES if any("se_full_design" in row for row in case["expected"])]


@pytest.mark.parametrize("case", OF_FULL_DESIGN, ids=lambda case: case["id"])
def test_errors_are_those_of_r_with_strata_and_psus(
    case: dict[str, Any], samples: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    folder = folder_of(case)
    expected = expected_of(case)

    for values, bases in bases_of(plan(case["naive_sql"], samples[folder], reveal_all_rows=True), demo_urls[folder]):
        row = expected[tuple(text_of(values[key]) for key in case["key_columns"])]
        base = bases[case["value_columns"][0]]  # the file gives one error a row: of its first value
        assert base is not None
        assert base.se == pytest.approx(row["se_full_design"], rel=1e-6)
        assert base.n == row["base.n"]


# ── shares of all groups together ────────────────────────────────────────────────────────────────────────────
SHARES = [
    ("SELECT gender, 100.0 * count(*) / sum(count(*)) OVER () AS pct FROM panel_users GROUP BY gender", 100.0),
    ("SELECT gender, round(count(*) / sum(count(*)) OVER ()::numeric, 4) AS pct FROM panel_users GROUP BY gender", 1.0),
    (
        "SELECT nccs, gender, count(*)::float8 / sum(count(*)) OVER (PARTITION BY nccs) AS pct FROM panel_users "
        "GROUP BY nccs, gender",
        1.0,
    ),
    (
        "WITH g AS (SELECT gender, count(*) AS n FROM panel_users GROUP BY gender) "
        "SELECT gender, 100.0 * n / sum(n) OVER () AS pct, n FROM g",
        100.0,
    ),
    (
        "SELECT nccs, gender, round((n / sum(n) OVER (PARTITION BY nccs))::numeric, 6) AS pct FROM (SELECT nccs, "
        "gender, count(*) AS n, avg(user_id) AS other FROM panel_users GROUP BY nccs, gender) AS g",
        1.0,
    ),
]


@pytest.mark.parametrize(("sql", "times"), SHARES)
def test_a_share_of_groups_of_persons_has_the_error_of_a_mean(
    sql: str, times: float, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    """As AVG(CASE WHEN ... THEN 1 ELSE 0 END) over all of them has, which is R's svymean."""
    found = bases_of(plan(sql, surveys["panel_in"], reveal_all_rows=True), demo_urls["panel_in"])

    for values, bases in found:
        groups = {name: values[name] for name in values if name in ("gender", "nccs")}
        within = f"WHERE nccs = '{groups['nccs']}'" if "nccs" in groups else ""
        mean = f"SELECT avg(CASE WHEN gender = '{groups['gender']}' THEN 1 ELSE 0 END) AS m FROM panel_users {within}"
        ((_, of_mean),) = bases_of(plan(mean, surveys["panel_in"]), demo_urls["panel_in"])
        share, expected = bases["pct"], of_mean["m"]
        assert share is not None
        assert expected is not None
        assert share.se == pytest.approx((expected.se or 0) * times)
        assert share.n < expected.n


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT app, count(*) / sum(count(*)) OVER () AS pct FROM panel_events GROUP BY app",  # one person, two apps
        "SELECT gender, sum(count(*)) OVER (ORDER BY gender) AS pct FROM panel_users GROUP BY gender",
        "SELECT gender, nccs, sum(count(*)) OVER (PARTITION BY nccs) / sum(count(*)) OVER () AS pct FROM panel_users "
        "GROUP BY gender, nccs",
        "SELECT gender, count(*) / sum(count(*)) OVER () AS pct FROM panel_users GROUP BY ROLLUP (gender)",
        "WITH g AS (SELECT app, count(*) AS n FROM panel_events GROUP BY app) SELECT app, n / sum(n) OVER () AS pct "
        "FROM g",
        "WITH g AS (SELECT gender, count(*) AS n FROM panel_users GROUP BY gender) SELECT a.gender, a.n / sum(a.n) "
        "OVER () AS pct FROM g AS a, g AS b",
    ],
)
def test_other_windows_have_no_error(sql: str, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]) -> None:
    for _, bases in bases_of(plan(sql, surveys["panel_in"], reveal_all_rows=True), demo_urls["panel_in"]):
        share = bases["pct"]
        assert share is not None
        assert share.se is None


# ── shares of everybody ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("sql", "mean", "times"),
    [
        (
            "SELECT app, 100.0 * count(DISTINCT user_id) / (SELECT count(*) FROM panel_users) AS share "
            "FROM panel_events GROUP BY app",
            "SELECT avg(CASE WHEN r.user_id IS NULL THEN 0 ELSE 1 END) AS m FROM panel_users LEFT JOIN (SELECT user_id "
            "FROM panel_events WHERE app = '{app}' GROUP BY 1) AS r USING (user_id)",
            100.0,
        ),
        (
            "SELECT app, sum(duration_min) / nullif((SELECT count(*)::numeric FROM panel_users AS u), 0) AS share FROM "
            "panel_events GROUP BY app",
            "SELECT avg(coalesce(r.minutes, 0)) AS m FROM panel_users LEFT JOIN (SELECT user_id, sum(duration_min) AS "
            "minutes FROM panel_events WHERE app = '{app}' GROUP BY 1) AS r USING (user_id)",
            1.0,
        ),
        (
            "SELECT gender AS app, count(*)::float8 / (SELECT count(*) FROM panel_users) AS share FROM panel_users "
            "GROUP BY gender",
            "SELECT avg(CASE WHEN gender = '{app}' THEN 1 ELSE 0 END) AS m FROM panel_users",
            1.0,
        ),
    ],
)
def test_a_share_of_everybody_has_the_error_of_a_mean_over_everybody(
    sql: str, mean: str, times: float, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    for values, bases in bases_of(plan(sql, surveys["panel_in"], reveal_all_rows=True), demo_urls["panel_in"]):
        of_mean = plan(mean.format(app=values["app"]), surveys["panel_in"])
        ((found, expected),) = bases_of(of_mean, demo_urls["panel_in"])
        share, base = bases["share"], expected["m"]
        assert share is not None
        assert base is not None
        assert values["share"] == pytest.approx(cast(float, found["m"]) * times)
        assert share.se == pytest.approx((base.se or 0) * times)


@pytest.mark.parametrize(
    "everybody",
    [
        "(SELECT count(*) FROM panel_users WHERE gender = 'Male')",
        "(SELECT count(DISTINCT user_id) FROM panel_events)",
        "(SELECT 2 * count(*) FROM panel_users)",
        "(SELECT count(*) FROM panel_users LIMIT 1)",
        "(SELECT count(nccs) FROM panel_users)",
        "(SELECT count(*) FROM panel_users AS a JOIN panel_users AS b USING (user_id))",
    ],
)
def test_a_share_of_others_has_no_error(
    everybody: str, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    sql = f"SELECT app, count(DISTINCT user_id)::float8 / {everybody} AS share FROM panel_events GROUP BY app"

    for _, bases in bases_of(plan(sql, surveys["panel_in"], reveal_all_rows=True), demo_urls["panel_in"]):
        share = bases["share"]
        assert share is not None
        assert share.se is None


# ── what needs all values at hand ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "aggregate",
    [
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_min)",
        "stddev(duration_min)",
        "corr(duration_min, event_id)",
    ],
)
def test_quantiles_and_variances_of_events_rest_on_the_persons_with_a_value(
    aggregate: str, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    sql = (
        f"SELECT app, avg(duration_min) AS mean, {aggregate} AS other, count(DISTINCT user_id) FILTER (WHERE "
        "duration_min IS NOT NULL) AS people FROM panel_events GROUP BY app"
    )

    for _, bases in bases_of(plan(sql, surveys["panel_in"], reveal_all_rows=True), demo_urls["panel_in"]):
        mean, other, people = (bases[name] for name in ("mean", "other", "people"))
        assert mean is not None
        assert other is not None
        assert people is not None
        assert other.n == people.n
        assert other.effective == pytest.approx(people.effective)
        assert other.se is None
        assert mean.se is not None


# ── long tables of events ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("sql", "most", "has_errors"),
    [
        ("SELECT app, avg(duration_min) FROM panel_events GROUP BY app", 23_424, False),
        ("SELECT app, avg(duration_min) FROM panel_events GROUP BY app", 23_425, True),
        ("SELECT app, count(*), count(DISTINCT user_id) FROM panel_events GROUP BY app", 23_424, False),
        ("SELECT app, count(DISTINCT user_id) FROM panel_events GROUP BY app", 23_424, True),  # that costs nothing
        ("SELECT gender, count(*) FROM panel_users GROUP BY gender", 0, True),
    ],
)
def test_sums_of_very_many_events_have_bases_and_say_that_errors_are_left_out(
    sql: str, most: int, has_errors: bool, surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    dataset = replace(surveys["panel_in"], query_limits={"error_rows": most})
    tables = tuple(
        replace(table, row_estimate=23_425) if table.name == "panel_events" else table for table in dataset.tables
    )

    planned = plan(sql, replace(dataset, tables=tables), reveal_all_rows=True)

    ((_, bases), *_) = bases_of(planned, demo_urls["panel_in"])
    found = [base for base in bases.values() if base is not None]
    assert found
    assert all((base.se is not None) == has_errors for base in found)
    assert any("panel_events has about 23,425 rows" in warning for warning in planned.warnings) != has_errors


# ── UNION ALL ────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_row_of_union_all_rests_on_what_its_own_select_does(
    surveys: dict[str, DatasetSpec], demo_urls: dict[str, str]
) -> None:
    arms = [
        "SELECT gender, count(*) AS n, avg(user_id) AS m FROM panel_users GROUP BY gender",
        "SELECT 'everybody', count(*), avg(user_id) FROM panel_users",
        "SELECT app, count(DISTINCT user_id), NULL FROM panel_events GROUP BY app",
        "SELECT 'nobody', 0, NULL",
    ]
    united = " UNION ALL ".join(f"({arm})" for arm in arms) + " ORDER BY n DESC LIMIT 100"

    found = bases_of(plan(united, surveys["panel_in"]), demo_urls["panel_in"])

    together = {values["gender"]: list(bases.values()) for values, bases in found}
    counts = [cast(float, values["n"]) for values, _ in found]
    assert counts == sorted(counts, reverse=True)
    assert together.pop("nobody") == [None, None, None]
    alone = {}
    for arm in arms[:3]:
        for values, bases in bases_of(plan(arm, surveys["panel_in"]), demo_urls["panel_in"]):
            alone[next(iter(values.values()))] = list(bases.values())
    assert together == alone


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) AS n FROM panel_users UNION SELECT count(*) FROM panel_users",
        "SELECT count(*) AS n FROM panel_users UNION ALL VALUES (1)",
        "SELECT count(*) AS n FROM panel_users EXCEPT ALL SELECT count(*) FROM panel_events",
    ],
)
def test_rows_of_other_set_operations_have_no_base(sql: str, surveys: dict[str, DatasetSpec]) -> None:
    assert plan(sql, surveys["panel_in"]).evidence is None


def test_union_all_is_refused_where_few_are_withheld(surveys: dict[str, DatasetSpec]) -> None:
    design = surveys["panel_in"].survey_design
    assert design is not None
    design = replace(design, low_base=replace(design.low_base, action="suppress"))

    with pytest.raises(BaseUnknown):
        plan(
            "SELECT count(*) AS n FROM panel_users UNION ALL SELECT count(*) FROM panel_users",
            replace(surveys["panel_in"], survey_design=design),
        )
