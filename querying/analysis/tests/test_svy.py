"""Answers, their errors and differences against svy, which knows nothing of this product: demo data, and panels made up
with strata, PSUs and events."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

import polars
import psycopg
import pytest
import pytest_asyncio
import svy
from polars import DataFrame, col
from scipy.stats import t as student  # type: ignore[import-untyped]

from datasets.catalog import DatasetSpec
from querying.analysis.answers import Number, student_95
from querying.analysis.tests.worlds import Json, answer_of, numbers, publish, serve
from querying.engine import Engine
from querying.sql.weights.tests.demos import confirm
from querying.tests.one_dataset import database_made

pytestmark = pytest.mark.django_db(transaction=True)
WOMEN: Json = {"column": "gender", "value": "f"}
PERIOD: Json = {"from": "2026-02-01", "to": "2026-02-28"}


@dataclass(frozen=True)
class Theirs:
    """What svy says of a number."""

    value: float
    se: float
    low: float = math.nan
    high: float = math.nan


Groups = Mapping[tuple[str | None, ...], Theirs]
Estimates = Callable[[svy.Sample], Groups]


def of(estimate: svy.Estimate | list[svy.Estimate]) -> Groups:
    """By group, or by nothing."""
    assert isinstance(estimate, svy.Estimate)
    return {
        tuple(map(str, one.by_level or ())): Theirs(one.est, one.se, one.lci, one.uci) for one in estimate.estimates
    }


def mean(y: str, **options: Any) -> Estimates:  # Any: svy's own options
    return lambda sample: of(sample.estimation.mean(y, drop_nulls=True, **options))


def total(y: str, **options: Any) -> Estimates:  # Any: svy's own options
    return lambda sample: of(sample.estimation.total(y, drop_nulls=True, **options))


def ratio(y: str, x: str, **options: Any) -> Estimates:  # Any: svy's own options
    return lambda sample: of(sample.estimation.ratio(y, x, drop_nulls=True, **options))


def share(y: str, level: object, **options: Any) -> Estimates:  # Any: svy's own options
    """With the interval of the log odds."""

    def estimate(sample: svy.Sample) -> Groups:
        found = sample.estimation.prop(y, ci_method="logit", drop_nulls=True, **options)
        assert isinstance(found, svy.Estimate)
        return {
            tuple(map(str, one.by_level or ())): Theirs(one.est, one.se, one.lci, one.uci)
            for one in found.estimates
            if str(one.y_level) == str(level)
        }

    return estimate


def contrast(y: str, by: str, one: str, other: str, **options: Any) -> Estimates:  # Any: svy's own options
    """The difference of two means."""

    def estimate(sample: svy.Sample) -> Groups:
        found = sample.estimation.mean(y, by=by, drop_nulls=True, **options)
        assert isinstance(found, svy.Estimate)
        (made,) = found.contrast(svy.estd(one) - svy.estd(other)).to_polars().to_dicts()
        return {(): Theirs(made["est"], made["se"])}

    return estimate


def check(found: Mapping[tuple[str | None, ...], Number], theirs: Groups, *, scale: float = 1.0) -> None:
    """svy leaves groups of NULL out."""
    ours = {key: number for key, number in found.items() if None not in key}
    assert ours.keys() == theirs.keys()
    for key, number in ours.items():
        assert number.value == pytest.approx(theirs[key].value * scale, rel=1e-9, abs=1e-9), key
        assert number.se == pytest.approx(theirs[key].se * scale, rel=1e-6, abs=1e-9), key


# ── demo data ────────────────────────────────────────────────────────────────────────────────────────────────
def load_frame(url: str, sql: str) -> DataFrame:
    with psycopg.connect(url) as session:
        cursor = session.execute(sql.encode())
        assert cursor.description is not None
        names = [column.name for column in cursor.description]
        return DataFrame(cursor.fetchall(), schema=names, orient="row", infer_schema_length=None)


BY_PERSON = """
    SELECT user_id, gender, nccs, state, (nccs IN ('A', 'A1'))::int AS upper, weight::float8 AS w, 1.0::float8 AS one,
           coalesce(events, 0)::float8 AS events, coalesce(minutes, 0)::float8 AS minutes,
           coalesce(timed, 0)::float8 AS timed, (events IS NOT NULL)::int::float8 AS reached,
           (feb > 0)::int::float8 AS feb, (mar > 0)::int::float8 AS mar, coalesce(youtube, 0)::float8 AS youtube
    FROM panel_users LEFT JOIN (
        SELECT user_id, count(*) AS events, sum(duration_min) AS minutes, count(duration_min) AS timed,
               count(*) FILTER (WHERE event_date BETWEEN '2026-02-01' AND '2026-02-28') AS feb,
               count(*) FILTER (WHERE event_date BETWEEN '2026-03-01' AND '2026-03-31') AS mar,
               max((app = 'YouTube')::int) AS youtube
        FROM panel_events GROUP BY 1
    ) AS e USING (user_id)
    WHERE weight > 0
"""


@pytest.fixture(scope="module")
def samples(postgres_superuser_dsn: str, demos: dict[str, DatasetSpec]) -> dict[str, svy.Sample]:
    def load(name: str, sql: str, design: svy.Design) -> svy.Sample:
        url = urlsplit(postgres_superuser_dsn)._replace(path=f"/demo_{name}").geturl()
        return svy.Sample(load_frame(url, sql), design)

    clustered = svy.Design(stratum="stratum", psu="psu", wgt="w")
    return {
        "yrbs2015": load(
            "yrbs2015",
            "SELECT stratum, psu, weight::float8 AS w, qn8, 1.0::float8 AS one FROM yrbs",
            clustered,
        ),
        "nhanes2009": load(
            "nhanes2009",
            "SELECT sdmvstra AS stratum, sdmvpsu AS psu, wtmec2yr::float8 AS w, race, agecat, riagendr, hi_chol, "
            "1.0::float8 AS one FROM nhanes_chol WHERE wtmec2yr > 0",
            clustered,
        ),
        "panel_in": load("panel_in", BY_PERSON, svy.Design(wgt="w")),
    }


HIGH: Json = {"kind": "share", "column": "hi_chol", "value": 1}
ON_DEMO_DATA: dict[str, tuple[str, Json, Estimates, float]] = {
    "a share": ("yrbs2015", {"metrics": [{"kind": "share", "column": "qn8", "value": 1}]}, share("qn8", 1), 1),
    "a total": ("yrbs2015", {"metrics": ["people"]}, total("one"), 1),
    "shares of domains": ("nhanes2009", {"metrics": [HIGH], "by": ["race"]}, share("hi_chol", 1, by="race"), 1),
    "shares of a domain": (
        "nhanes2009",
        {"metrics": [HIGH], "by": ["agecat"], "where": [{"column": "riagendr", "value": 2}]},
        share("hi_chol", 1, by="agecat", where=svy.col("riagendr") == 2),
        1,
    ),
    "shares of crossed domains": (
        "nhanes2009", {"metrics": [HIGH], "by": ["race", "riagendr"]}, share("hi_chol", 1, by=("race", "riagendr")), 1,
    ),
    "totals of domains": ("nhanes2009", {"metrics": ["people"], "by": ["race"]}, total("one", by="race"), 1),
    "people": ("panel_in", {"metrics": ["people"], "by": ["gender"]}, total("one", by="gender"), 1000),
    "reach": (
        "panel_in", {"metrics": [{"kind": "people", "column": "panel_events"}], "by": ["gender"]},
        total("reached", by="gender"), 1000,
    ),
    "events": ("panel_in", {"metrics": ["events"], "by": ["nccs"]}, total("events", by="nccs"), 1000),
    "a sum": (
        "panel_in", {"metrics": [{"kind": "sum", "column": "duration_min"}], "by": ["state"]},
        total("minutes", by="state"), 1000,
    ),
    "a mean of events": (
        "panel_in", {"metrics": [{"kind": "mean", "column": "duration_min"}], "by": ["gender"]},
        ratio("minutes", "timed", by="gender"), 1,
    ),
    "a frequency": (
        "panel_in", {"metrics": ["frequency"], "by": ["nccs"]}, ratio("events", "reached", by="nccs"), 1,
    ),
    "minutes of those reached": (
        "panel_in", {"metrics": [{"kind": "per_person", "column": "duration_min"}]}, ratio("minutes", "reached"), 1,
    ),
    "minutes of everyone": (
        "panel_in",
        {"metrics": [{"kind": "per_person", "column": "duration_min", "per": "everyone"}], "by": ["gender"]},
        mean("minutes", by="gender"), 1,
    ),
    "penetration": (
        "panel_in", {"metrics": ["penetration"], "by": ["gender"], "where": [{"column": "app", "value": "YouTube"}]},
        mean("youtube", by="gender"), 1,
    ),
    "penetration within events": (
        "panel_in", {"metrics": ["penetration"], "by": ["app"], "where": [{"column": "app", "value": "YouTube"}]},
        lambda sample: {("YouTube",): mean("youtube")(sample)[()]}, 1,
    ),
    "a share of persons": (
        "panel_in", {"metrics": [{"kind": "share", "column": "nccs", "value": ["A", "A1"]}], "by": ["gender"]},
        mean("upper", by="gender"), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_DEMO_DATA)
async def test_estimates_and_errors_on_demo_data(
    name: str, demo_engine: Engine, samples: dict[str, svy.Sample]
) -> None:
    dataset, question, estimate, scale = ON_DEMO_DATA[name]
    period = {"period": "all"} if dataset == "panel_in" else {}

    found = numbers(await answer_of(demo_engine, {"dataset": dataset, **period, **question}))

    theirs = estimate(samples[dataset])
    check(found, theirs, scale=scale)
    if dataset != "panel_in" and question["metrics"] != ["people"] and "where" not in question:
        within = 0.005 if "by" in question else 1e-4  # svy counts degrees of freedom by domain
        for key, number in found.items():
            assert number.low == pytest.approx(theirs[key].low, abs=within), key
            assert number.high == pytest.approx(theirs[key].high, abs=within), key


DIFFERENCES: dict[str, tuple[str, Json, Estimates, float]] = {
    "of reach between months": (
        "panel_in",
        {"metrics": ["people"], "period": {"from": "2026-03-01", "to": "2026-03-31"}, "compare": "previous_period"},
        total("change"), 1000,
    ),
    "of shares between segments": (
        "panel_in",
        {"metrics": [{"kind": "share", "column": "nccs", "value": ["A", "A1"]}], "period": "all",
         "where": [{"column": "gender", "value": "Female"}],
         "compare": {"segment": [{"column": "gender", "value": "Male"}]}},
        contrast("upper", "gender", "Female", "Male"), 1,
    ),
    "of minutes between segments": (
        "panel_in",
        {"metrics": [{"kind": "per_person", "column": "duration_min", "per": "everyone"}], "period": "all",
         "where": [{"column": "state", "value": "Maharashtra"}],
         "compare": {"segment": [{"column": "state", "value": "Uttar Pradesh"}]}},
        contrast("minutes", "state", "Maharashtra", "Uttar Pradesh"), 1,
    ),
    "of shares in a clustered sample": (
        "nhanes2009",
        {"metrics": [HIGH], "where": [{"column": "riagendr", "value": 1}],
         "compare": {"segment": [{"column": "riagendr", "value": 2}]}},
        contrast("hi_chol", "riagendr", 1, 2), 1,  # type: ignore[arg-type]  # svy's levels are the column's own
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENCES)
async def test_differences_and_their_errors_on_demo_data(
    name: str, demo_engine: Engine, samples: dict[str, svy.Sample]
) -> None:
    dataset, question, estimate, scale = DIFFERENCES[name]
    sample = samples[dataset]
    if dataset == "panel_in":
        sample = svy.Sample(sample.data.with_columns(change=col("mar") - col("feb")), svy.Design(wgt="w"))

    found = numbers(await answer_of(demo_engine, {"dataset": dataset, **question}), 2)

    check(found, estimate(sample), scale=scale)


# ── generated panels ─────────────────────────────────────────────────────────────────────────────────────────
DESIGN = """
units:
  - {{table: public.persons_{panel}, key: [id], weight: weight, level: person, kind: projected, scale: 1,
     strata: {strata}, psu: {psu}, attributes: [gender, region],
     carried_by: {{public.uses_{panel}: [person_id]}}, period_weights: null}}
merges: {{}}
low_base: {{action: flag, minimum: 5, very_low: 6, low: 7}}
"""


@dataclass(frozen=True)
class Panel:
    number: int
    persons: list[dict[str, Any]]
    uses: list[dict[str, Any]]

    @property
    def design(self) -> str:
        has_strata, has_psu = self.number % 3 != 2, self.number % 3 != 1
        return DESIGN.format(
            panel=self.number, strata="stratum" if has_strata else "null", psu="psu" if has_psu else "null"
        )

    def sample(self) -> svy.Sample:
        """One row for each person with a valid weight, with sums over their events."""
        events: dict[int, dict[str, float]] = {}
        for use in self.uses:
            own = events.setdefault(use["person_id"], {})
            minutes = use["minutes"] if use["minutes"] is not None else 0.0
            month = f"month_{use['at'].month}"
            for name, value in (
                ("events", 1.0),
                ("minutes", minutes),
                ("timed", float(use["minutes"] is not None)),
                (f"app_{use['app']}", 0.0),
                (month, 0.0),
            ):
                own[name] = own.get(name, 0.0) + value
            own["reached"] = own[month] = own[f"app_{use['app']}"] = 1.0
        names = ("events", "minutes", "timed", "reached", "app_a", "app_b", "month_1", "month_2")
        rows = [
            {**one, "one": 1.0, **{name: events.get(one["id"], {}).get(name, 0.0) for name in names}}
            for one in self.persons
            if one["weight"] is not None and one["weight"] > 0
        ]
        frame = DataFrame(rows, infer_schema_length=None).with_columns(
            change=col("month_2") - col("month_1"), smokes=col("smoker").cast(polars.Float64)
        )
        design: dict[str, str] = {"wgt": "weight"}
        design |= {"stratum": "stratum"} if "strata: stratum" in self.design else {}
        design |= {"psu": "psu"} if "psu: psu" in self.design else {}
        return svy.Sample(frame, svy.Design(**design))  # type: ignore[arg-type]  # names of columns


def make_panel(number: int) -> Panel:
    random = Random(number)
    persons = [
        {
            "id": person,
            "stratum": f"s{person % 3}",
            "psu": person % 12 if number % 3 == 2 else person // 3 % 4,
            "weight": random.choice([None, 0.0, 0.5, 1.0, 2.5, 7.25, 3.0, 1.5]),
            "gender": random.choice(["f", "m"]),
            "region": random.choice(["n", "s", None]),
            "smoker": random.choice([True, False, None]),
            "age": random.choice([None, *range(15, 80)]),
            "income": random.choice([None, 10.5, 20.0, 35.25]),
        }
        for person in range(150)
    ]
    uses = [
        {
            "person_id": random.randrange(150),
            "at": date(2026, 1, 1) + timedelta(days=random.randrange(59)),
            "app": random.choice(["a", "b"]),
            "minutes": random.choice([None, 0.0, 1.5, 4.0, 30.0]),
        }
        for _ in range(300)
    ]
    return Panel(number, persons, uses)


def script_of(panel: Panel) -> str:
    number = panel.number
    return f"""
        CREATE TABLE persons_{number} (id int PRIMARY KEY, stratum text, psu int, weight float8, gender text,
            region text, smoker boolean, age int, income float8);
        CREATE TABLE uses_{number} (person_id int, at date, app text, minutes float8);
        {insert(f"persons_{number}", panel.persons)} {insert(f"uses_{number}", panel.uses)}
    """


def insert(table: str, rows: list[dict[str, Any]]) -> str:
    written = ", ".join("(" + ", ".join(map(literal, row.values())) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES {written};"


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else f"'{value}'"


PANELS = [make_panel(number) for number in range(6)]


@pytest.fixture(scope="module")
def panels(postgres_superuser_dsn: str) -> Iterator[dict[str, DatasetSpec]]:
    with database_made(postgres_superuser_dsn, "".join(map(script_of, PANELS))) as (url, dsn):
        yield {
            f"panel_{panel.number}": publish(
                confirm(url, (f"persons_{panel.number}", f"uses_{panel.number}"), panel.design),
                url, dsn, f"panel_{panel.number}", 70 + panel.number,
            )
            for panel in PANELS
        }  # fmt: skip


@pytest_asyncio.fixture
async def panel_engine(transactional_db: None, panels: dict[str, DatasetSpec]) -> AsyncIterator[Engine]:
    started = Engine()
    await started.start(watching=False)
    yield serve(started, panels)
    await started.stop()


ON_PANELS: dict[str, tuple[Json, Estimates]] = {
    "people": ({"metrics": ["people"], "by": ["region"]}, total("one", by="region")),
    "mean": ({"metrics": [{"kind": "mean", "column": "income"}], "by": ["gender"]}, mean("income", by="gender")),
    "mean of a domain": (
        {"metrics": [{"kind": "mean", "column": "age"}], "where": [WOMEN]}, mean("age", where=svy.col("gender") == "f"),
    ),
    "share": ({"metrics": [{"kind": "share", "column": "smoker"}], "by": ["gender"]}, mean("smokes", by="gender")),
    "reach": ({"metrics": [{"kind": "people", "column": "app"}], "by": ["gender"]}, total("reached", by="gender")),
    "reach by app": (
        {"metrics": ["people"], "by": ["app"]},
        lambda sample: {(app,): total(f"app_{app}")(sample)[()] for app in "ab"},
    ),
    "sum": ({"metrics": [{"kind": "sum", "column": "minutes"}], "by": ["region"]}, total("minutes", by="region")),
    "mean of events": ({"metrics": [{"kind": "mean", "column": "minutes"}]}, ratio("minutes", "timed")),
    "frequency": ({"metrics": ["frequency"], "by": ["gender"]}, ratio("events", "reached", by="gender")),
    "per person": (
        {"metrics": [{"kind": "per_person", "column": "minutes"}], "by": ["region"]},
        ratio("minutes", "reached", by="region"),
    ),
    "penetration": ({"metrics": ["penetration"], "by": ["gender"]}, mean("reached", by="gender")),
    "per everyone": (
        {"metrics": [{"kind": "per_person", "per": "everyone"}], "by": ["region"]}, mean("events", by="region"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel.number))
@pytest.mark.parametrize("name", ON_PANELS)
async def test_estimates_and_errors_on_generated_panels(name: str, panel: Panel, panel_engine: Engine) -> None:
    question, estimate = ON_PANELS[name]

    analysis = await answer_of(panel_engine, {"dataset": f"panel_{panel.number}", "period": "all", **question})

    check(numbers(analysis), estimate(panel.sample()))
    assert analysis.grid.errors_by == "strata and PSUs"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel.number))
async def test_differences_on_generated_panels(panel: Panel, panel_engine: Engine) -> None:
    asked = {"dataset": f"panel_{panel.number}", "where": [WOMEN], "period": "all"}
    men = {"compare": {"segment": [{"column": "gender", "value": "m"}], "label": "men"}}

    income = await answer_of(panel_engine, {**asked, **men, "metrics": [{"kind": "mean", "column": "income"}]})
    people = await answer_of(
        panel_engine, {**asked, "where": None, "metrics": ["people"], "period": PERIOD, "compare": "previous_period"}
    )

    check(numbers(income, 2), contrast("income", "gender", "f", "m")(panel.sample()))
    check(numbers(people, 2), total("change")(panel.sample()))


@pytest.mark.parametrize("freedom", [*range(1, 60), 100, 1000, 10**6])
def test_quantiles_are_those_of_student(freedom: int) -> None:
    assert student_95(freedom) == pytest.approx(student.ppf(0.975, freedom), rel=2e-4)
