"""Bases and errors of estimates that a WITH query or sub-select made: those of the same statement in one SELECT."""

from __future__ import annotations

import psycopg
import pytest

from datasets.catalog import DatasetSpec
from querying.evidence import Base
from querying.sql.tests.panel import plan
from querying.sql.weights.tests.answers import run
from querying.sql.weights.tests.demos import confirm
from querying.sql.weights.tests.test_bases import VALID, bases_of, with_units
from querying.sql.weights.tests.test_truth import DESIGNS, TABLES

Named = dict[str, Base | None]
BY_APP = "SELECT app, count(DISTINCT user_id) AS reach, sum(duration_min) AS minutes FROM panel_events GROUP BY app"


@pytest.fixture(scope="module")
def panel(demo_urls: dict[str, str]) -> DatasetSpec:
    url = demo_urls["panel_in"]
    return with_units(confirm(url, TABLES["panel_in"], DESIGNS["panel_in"]), url, *VALID["panel_in"])


@pytest.fixture(scope="module")
def url(demo_urls: dict[str, str]) -> str:
    return demo_urls["panel_in"]


def by_app(sql: str, panel: DatasetSpec, url: str) -> dict[object, Named]:
    return {values["app"]: bases for values, bases in bases_of(plan(sql, panel), url)}


def assert_alike(one: Base | None, other: Base | None) -> None:
    assert one is not None
    assert other is not None
    assert (one.n, one.flag) == (other.n, other.flag)
    assert (one.effective, one.weighted) == pytest.approx((other.effective, other.weighted))
    assert one.se == pytest.approx(other.se)


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH m AS ({BY_APP}) SELECT app, reach, minutes / reach AS each FROM m ORDER BY reach DESC",
        f"WITH m(a, r, t) AS ({BY_APP}) SELECT a AS app, x.r AS reach, t / x.r AS each FROM m AS x",
        f"SELECT app, reach, minutes / reach AS each FROM ({BY_APP}) AS m WHERE reach > 0",
        f"WITH m AS ({BY_APP}), k AS (SELECT app, reach, minutes / reach AS each FROM m) SELECT * FROM k",
        f"SELECT m.*, minutes / m.reach AS each FROM ({BY_APP}) AS m",
        f"WITH m AS ({BY_APP}) SELECT app, reach, minutes / reach AS each FROM m JOIN (VALUES (1)) AS v(one) ON true",
    ],
)
def test_an_estimate_of_a_sub_select_keeps_its_base_and_error(sql: str, panel: DatasetSpec, url: str) -> None:
    direct = "SELECT app, count(DISTINCT user_id) AS reach, sum(duration_min) / count(DISTINCT user_id) AS each"
    expected = by_app(f"{direct} FROM panel_events GROUP BY app", panel, url)

    found = by_app(sql, panel, url)

    assert found.keys() == expected.keys()
    for app, bases in found.items():
        assert_alike(bases["reach"], expected[app]["reach"])
        assert_alike(bases["each"], expected[app]["each"])
        assert bases["app"] is None


def test_a_window_over_estimates_has_the_base_of_its_row_and_no_error(panel: DatasetSpec, url: str) -> None:
    sql = f"WITH m AS ({BY_APP}) SELECT app, reach, reach - lag(reach) OVER (ORDER BY app) AS change FROM m"

    for bases in by_app(sql, panel, url).values():
        reach, change = bases["reach"], bases["change"]
        assert reach is not None
        assert change is not None
        assert (change.n, change.se) == (reach.n, None)
        assert reach.se is not None


def test_two_sub_selects_side_by_side_keep_their_own(panel: DatasetSpec, url: str) -> None:
    sql = (
        f"SELECT a.app, a.reach, b.heavy, 100 * b.heavy / a.reach AS share FROM ({BY_APP}) AS a LEFT JOIN "
        "(SELECT app, count(DISTINCT user_id) AS heavy FROM panel_events WHERE duration_min > 60 GROUP BY app) AS b "
        "ON a.app = b.app"
    )
    reach = by_app(BY_APP, panel, url)
    heavy = by_app(
        "SELECT app, count(DISTINCT user_id) AS heavy FROM panel_events WHERE duration_min > 60 GROUP BY app",
        panel,
        url,
    )

    for app, bases in by_app(sql, panel, url).items():
        assert_alike(bases["reach"], reach[app]["reach"])
        if app in heavy:
            assert_alike(bases["heavy"], heavy[app]["heavy"])
            share = bases["share"]
            assert share is not None
            # of the denominator; how the two go together is not known
            assert (share.n, share.se) == (bases["reach"] and bases["reach"].n, None)
        else:
            assert bases["heavy"] is None


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH m AS ({BY_APP}) SELECT count(m) FROM m",
        f"WITH m AS ({BY_APP}), k AS ({BY_APP}) SELECT * FROM m JOIN k USING (app)",
        f"WITH m AS ({BY_APP}) SELECT app FROM m UNION SELECT app FROM m",
        f"WITH m AS ({BY_APP}) SELECT max(reach) FROM m",
        f"WITH m AS ({BY_APP}) SELECT * FROM m NATURAL JOIN (SELECT * FROM m) AS k",
    ],
)
def test_what_cannot_be_passed_on_is_answered_as_before(sql: str, panel: DatasetSpec, url: str) -> None:
    planned = plan(sql, panel)

    with psycopg.connect(url, options="-c search_path=pg_catalog") as session:
        names, rows = run(session, planned.sql)

    assert rows
    assert planned.evidence is not None or not any(name.startswith("_mcpa_") for name in names)
    assert sum(name.startswith("_mcpa_") for name in names) <= 1
