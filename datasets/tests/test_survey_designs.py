"""Confirm, publish and keep a survey design: the services and their doors, over real PostgreSQL."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from dramatiq import Worker

from config.errors import DesignInvalid, GatewayError, TransitionRefused
from datasets.approval import approve_dataset
from datasets.catalog import EMPTY, DatasetSpec
from datasets.design_report import build_report_document, parse_report, render_report
from datasets.models import CatalogEntry, Dataset, DesignDecision
from datasets.profiling.service import request_profile
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import load_catalog, read_version
from datasets.registration import register_dataset
from datasets.survey_designs import check_survey_design, is_live, set_survey_design, show_survey_design
from tests.servers import MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)

# ten people: weights 1 to 4, a NULL, a 0, a negative one, a NaN, an infinite one and one of a hundred
SURVEY = """
CREATE TABLE people (id int PRIMARY KEY, home int NOT NULL, home_weight real, gender text, weight double precision);
INSERT INTO people VALUES (1, 1, 5, 'f', 1), (2, 1, 5, 'm', 2), (3, 2, 6, 'f', 3), (4, 2, 6, 'm', 4),
    (5, 3, 7, 'f', NULL), (6, 3, 7, 'm', 0), (7, 4, 8, 'f', -1), (8, 4, 8, 'm', 'NaN'),
    (9, 5, 9, 'f', 'Infinity'), (10, 5, 9, 'm', 100);
CREATE TABLE events (person int REFERENCES people, day date, minutes int);
INSERT INTO events VALUES (1, '2026-01-05', 3), (1, '2026-02-05', 4), (NULL, '2026-01-06', 5);
CREATE VIEW calls AS SELECT n AS caller, date '2026-01-01' + n AS day FROM generate_series(9, 12) n;
CREATE TABLE weights (person int, month date, weight numeric(8, 2), PRIMARY KEY (person, month));
INSERT INTO weights SELECT p, m, 10 FROM generate_series(1, 8) p, (VALUES (date '2026-01-01'), ('2026-02-01')) v(m);
UPDATE weights SET weight = 0 WHERE person = 8;
CREATE TABLE loose (id int, weight int);
INSERT INTO loose VALUES (1, 1), (1, 1), (NULL, 1);
ANALYZE;
"""
DESIGN = """\
units:
  - table: people
    key: [id]
    weight: weight
    scale: 1000
    attributes: [gender]
    carried_by: {calls: [caller]}
"""
HOMES = """\
  - table: people
    key: home
    weight: home_weight
    level: household
"""
MONTHLY = DESIGN + "    period_weights: {table: weights, key: [person], period: month, weight: weight}\n"
Survey = tuple[Dataset, str]


@pytest.fixture
def survey(make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> Survey:
    """A live dataset and the superuser's URL of its database."""
    url = make_database(SURVEY)
    return make_active("survey", readonly_dsn(url)), url


def live() -> DatasetSpec:
    return load_catalog(EMPTY).datasets["survey"]


def run_sql(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as source:
        source.execute(statement.encode())


def faults_of(dataset: Dataset, text: str) -> list[str]:
    with pytest.raises(DesignInvalid) as caught:
        set_survey_design(dataset.pk, text, actor="ana")
    return [f"line {fault['line']}: {fault['text']}" for fault in caught.value.context["faults"]]


def run(command: str, *arguments: str) -> Any:  # Any: JSON
    out = io.StringIO()
    call_command(command, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


# ── what the data say ────────────────────────────────────────────────────────────────────────────────────────
def test_every_kind_of_weight_is_counted_and_nothing_is_dropped_silently(survey: Survey) -> None:
    dataset, _ = survey

    (unit,) = check_survey_design(dataset.pk, DESIGN).report.units

    weights = unit.weights
    assert weights is not None
    assert (unit.units, unit.excluded) == (10, 5)
    assert (weights.rows, weights.valid, weights.nulls, weights.zero) == (10, 5, 1, 1)
    assert (weights.negative, weights.not_finite, weights.extreme) == (1, 2, 1)
    assert weights.total == 110_000
    assert weights.efficiency == pytest.approx(100 * 110**2 / (5 * (1 + 4 + 9 + 16 + 10_000)))
    assert weights.largest_over_median == pytest.approx(100 / 3)


def test_rows_without_a_unit_are_counted_in_tables_and_views(survey: Survey) -> None:
    dataset, _ = survey

    (unit,) = check_survey_design(dataset.pk, DESIGN).report.units

    found = {carried.table: (carried.rows, carried.unknown) for carried in unit.carried}
    assert found == {"public.calls": (4, 2), "public.events": (3, 1)}


def test_weights_by_period_are_counted(survey: Survey) -> None:
    dataset, _ = survey

    (unit,) = check_survey_design(dataset.pk, MONTHLY).report.units

    periods = unit.periods
    assert periods is not None
    assert (periods.periods, periods.first, periods.last) == (2, "2026-01-01", "2026-02-01")
    assert (periods.missing, periods.weights.rows, periods.weights.zero) == (3, 16, 2)
    assert periods.weights.total == 140_000


def test_units_with_weights_by_period_alone_are_left_out_where_they_have_none(survey: Survey) -> None:
    dataset, _ = survey

    set_survey_design(dataset.pk, MONTHLY.replace("    weight: weight\n", "    weight: null\n", 1), actor="ana")

    (unit,) = (live().survey_design or pytest.fail("not confirmed")).units
    assert (unit.units, unit.excluded, unit.weight) == (10, 3, "")


def test_a_unit_that_shares_its_table_is_counted_once(survey: Survey) -> None:
    dataset, _ = survey

    _, homes = check_survey_design(dataset.pk, DESIGN + HOMES).report.units

    assert homes.weights is not None
    assert (homes.units, homes.weights.rows, homes.weights.total) == (5, 5, 35)


def test_each_row_is_a_unit_without_a_key(survey: Survey) -> None:
    dataset, _ = survey

    (unit,) = check_survey_design(dataset.pk, "units: [{table: loose, key: [], weight: weight}]").report.units

    assert unit.units == 3


@pytest.mark.parametrize(
    ("named", "psus"),
    [
        ("strata: gender, psu: home", {"f": 2, "m": 3}),  # of persons 1 and 3; of 2, 4 and 10
        ("strata: gender", {"f": 2, "m": 3}),
        ("psu: home", {"": 3}),
    ],
)
def test_psus_with_a_valid_weight_are_counted_by_stratum(survey: Survey, named: str, psus: dict[str, int]) -> None:
    dataset, _ = survey
    text = DESIGN.replace("    scale: 1000\n", "".join(f"    {one}\n" for one in named.split(", ")))

    set_survey_design(dataset.pk, text, actor="ana")
    approve_dataset(dataset.pk, actor="ana")

    (unit,) = (live().survey_design or pytest.fail("not confirmed")).units
    assert unit.psus == psus


def test_a_stratum_of_one_psu_is_told_and_a_weight_without_a_stratum_refused(survey: Survey) -> None:
    dataset, url = survey
    text = DESIGN.replace("    scale: 1000\n", "    strata: home\n    psu: gender\n")

    report = check_survey_design(dataset.pk, text).report

    assert "3, 5; 1 with one PSU only: no standard errors until it is merged with another" in render_report(report)
    run_sql(url, "UPDATE people SET gender = NULL WHERE id IN (1, 5)")  # the second has no weight
    assert faults_of(dataset, text) == ["line 5: there is 1 row of public.people with a weight and no home or gender"]


@pytest.mark.parametrize(
    ("statement", "text", "faults"),
    [
        (
            "",
            "units:\n  - table: loose\n    key: id\n    weight: weight\n",
            [
                "line 3: there is 1 key of public.loose on more than one row",
                "line 3: there is 1 row of public.loose with NULL in the key",
            ],
        ),
        (
            "UPDATE people SET home_weight = 1 WHERE id = 1",
            DESIGN + HOMES,
            ["line 10: there is 1 household of public.people with more than one weight"],
        ),
        (
            "UPDATE people SET home_weight = NULL WHERE id = 1",
            DESIGN + HOMES,
            ["line 10: there is 1 household of public.people with more than one weight"],
        ),
        (
            "UPDATE people SET weight = -1",
            DESIGN,
            ["line 4: not one weight of public.people is valid (above 0 and finite)"],
        ),
        (
            "UPDATE weights SET month = '2026-01-02' WHERE month = '2026-01-01' AND person = 1",
            MONTHLY,
            ["line 8: there is 1 row of public.weights whose period is not the first day of a month"],
        ),
        (
            "ALTER TABLE weights DROP CONSTRAINT weights_pkey; INSERT INTO weights VALUES (1, '2026-01-01', 3)",
            MONTHLY,
            ["line 8: there is 1 key of public.weights with more than one weight in a period"],
        ),
    ],
)
def test_data_that_contradict_the_design_refuse_it(
    survey: Survey, statement: str, text: str, faults: list[str]
) -> None:
    dataset, url = survey
    if statement:
        run_sql(url, statement)

    assert faults_of(dataset, text) == faults

    dataset.refresh_from_db()
    assert (dataset.design_decision, dataset.design_document) == (DesignDecision.OPEN, None)
    assert live().survey_design is None


def test_awkward_names_are_quoted(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    url = make_database(
        'CREATE TABLE "x""; DROP" ("select" int PRIMARY KEY, "W;" numeric);INSERT INTO "x""; DROP" VALUES (1, 2)'
    )
    dataset = make_active("survey", readonly_dsn(url))

    done = set_survey_design(
        dataset.pk, "units:\n  - table: 'x\"; DROP'\n    key: select\n    weight: W;\n", actor="ana"
    )

    assert done.report.units[0].units == 1


def test_a_report_is_kept_as_it_was_and_told_in_words(survey: Survey) -> None:
    dataset, _ = survey
    report = set_survey_design(dataset.pk, MONTHLY, actor="ana").report

    dataset.refresh_from_db()

    assert parse_report(dataset.design_report or {}) == report
    assert parse_report(json.loads(json.dumps(build_report_document(report)))) == report
    told = render_report(report)
    assert "5 of 10" in told
    assert "1 NULL, 1 zero, 1 negative, 2 NaN or infinite" in told
    assert "70,000 (sum of weights x 1,000)" in told


# ── confirming and publishing ────────────────────────────────────────────────────────────────────────────────
def test_a_confirmed_design_is_live_at_once(survey: Survey) -> None:
    dataset, _ = survey
    before = load_catalog(EMPTY)

    done = set_survey_design(dataset.pk, DESIGN + "merges: {gender: {All: [f, m]}}\n", actor="ana")

    dataset.refresh_from_db()
    after = load_catalog(before)
    spec = after.datasets["survey"]
    assert done.catalog_version == after.version == read_version() == before.version + 1
    assert (dataset.design_decision, dataset.design_confirmed_by, is_live(dataset)) == ("confirmed", "ana", True)
    assert spec.design_decision == "confirmed"
    assert spec.survey_design is not None
    (unit,) = spec.survey_design.units
    assert (unit.table, unit.scale, unit.units, unit.excluded) == (("public", "people"), 1000, 10, 5)
    assert unit.carried_by == {("public", "calls"): ("caller",), ("public", "events"): ("person",)}
    assert spec.merges == {"gender": {"All": ("f", "m")}}


def test_what_nobody_reviewed_does_not_go_live_with_a_design(survey: Survey) -> None:
    dataset, url = survey
    published = dataset.live_entry.document if dataset.live_entry else {}
    Dataset.objects.filter(pk=dataset.pk).update(
        title="Draft", description="Draft", merges={"gender": {"x": ["f"]}}, policies={"columns": []}, date_column="x"
    )
    dataset.tables.filter(name="people").update(description="Draft")
    dataset.tables.filter(name="loose").update(included=False)
    run_sql(url, "CREATE TABLE added (id int)")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)

    set_survey_design(dataset.pk, DESIGN, actor="ana")

    dataset.refresh_from_db()
    document = dataset.live_entry.document if dataset.live_entry else {}
    changed = {key for key in document if document[key] != published.get(key)}
    assert changed == {"design", "design_decision", "survey_design"}
    assert dataset.title == "Draft"
    assert dataset.merges == {"gender": {"x": ["f"]}}


def test_a_design_set_before_approval_goes_live_with_it(
    worker: Worker, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    registration = register_dataset("survey", readonly_dsn(make_database(SURVEY)), actor="test")
    wait_for_run(registration.profiling_run_id, wait_s=20)

    done = set_survey_design(registration.dataset_id, DESIGN, actor="ana")
    assert (done.catalog_version, CatalogEntry.objects.count()) == (None, 0)
    approve_dataset(registration.dataset_id, actor="ana")

    design = live().survey_design
    assert design is not None
    assert design.units[0].units == 10


def test_a_design_needs_a_profile(
    transactional_db: None, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    registration = register_dataset("survey", readonly_dsn(make_database(SURVEY)), actor="test")

    with pytest.raises(TransitionRefused) as caught:
        set_survey_design(registration.dataset_id, DESIGN, actor="ana")

    assert "profile_dataset" in caught.value.hint


def test_an_approval_is_refused_where_the_design_no_longer_fits(survey: Survey) -> None:
    dataset, url = survey
    set_survey_design(dataset.pk, DESIGN, actor="ana")
    run_sql(url, "ALTER TABLE people RENAME COLUMN gender TO sex")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)

    with pytest.raises(DesignInvalid) as caught:
        approve_dataset(dataset.pk, actor="ana")

    assert "no longer fits its tables" in caught.value.message
    assert "no table has a column gender" in caught.value.message
    assert live().survey_design is not None

    set_survey_design(dataset.pk, DESIGN.replace("gender", "sex"), actor="ana")
    approve_dataset(dataset.pk, actor="ana")
    (unit,) = (live().survey_design or pytest.fail("not confirmed")).units
    assert (unit.attributes, unit.units) == (frozenset({"sex"}), 10)


def test_an_approval_finds_new_foreign_keys(survey: Survey) -> None:
    dataset, url = survey
    set_survey_design(dataset.pk, DESIGN, actor="ana")
    run_sql(url, "CREATE TABLE visits (who int REFERENCES people)")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)

    approve_dataset(dataset.pk, actor="ana")

    (unit,) = (live().survey_design or pytest.fail("not confirmed")).units
    assert unit.carried_by["public", "visits"] == ("who",)


def test_a_design_over_tables_that_are_not_live_yet_waits_for_their_approval(survey: Survey) -> None:
    dataset, url = survey
    run_sql(url, "ALTER TABLE people ADD COLUMN calibrated real DEFAULT 2")
    wait_for_run(request_profile(dataset.pk, actor="test").pk, wait_s=20)
    text = DESIGN.replace("weight: weight", "weight: calibrated")

    done = set_survey_design(dataset.pk, text, actor="ana")

    assert done.catalog_version is None
    assert "not those that are live" in done.report.warnings[0]
    assert live().survey_design is None
    approve_dataset(dataset.pk, actor="ana")
    assert live().survey_design is not None


def test_a_confirmation_that_was_taken_back_ends_with_the_next_approval(survey: Survey) -> None:
    dataset, _ = survey
    set_survey_design(dataset.pk, DESIGN, actor="ana")
    Dataset.objects.filter(pk=dataset.pk).update(design_decision=DesignDecision.OPEN)
    assert live().survey_design is not None

    approve_dataset(dataset.pk, actor="ana")

    spec = live()
    assert (spec.survey_design, spec.design_decision) == (None, "open")


@pytest.mark.parametrize("broken", [None, {}, {"units": []}, {"units": "x"}, {"units": [{"table": "x"}]}, []])
def test_a_confirmed_design_that_cannot_be_read_is_a_fault_and_never_unweighted(survey: Survey, broken: object) -> None:
    dataset, _ = survey
    set_survey_design(dataset.pk, DESIGN, actor="ana")
    before = load_catalog(EMPTY)
    dataset.refresh_from_db()
    entry = CatalogEntry.objects.latest("version")
    entry.document["survey_design"] = broken
    entry.save()

    catalog = load_catalog(EMPTY)

    assert "survey" not in catalog.datasets
    assert "the entry of survey cannot be read" in catalog.faults[0]
    set_survey_design(dataset.pk, DESIGN, actor="ana")
    assert load_catalog(before).datasets["survey"].survey_design is not None


def test_what_an_unapproved_view_would_run_is_not_run(
    make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    url = make_database(
        SURVEY + "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';"
        "CREATE VIEW adults AS SELECT f(id) AS id, weight FROM people;"
    )
    dataset = make_active("survey", readonly_dsn(url))

    assert "line 2: there is no table adults" in faults_of(dataset, DESIGN.replace("people", "adults"))[0]


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_file_is_confirmed_shown_and_confirmed_again(survey: Survey, tmp_path: Path) -> None:
    dataset, _ = survey
    file = tmp_path / "design.yaml"
    file.write_text(MONTHLY + HOMES + "low_base: {action: suppress, minimum: 40}\n", encoding="utf-8")

    first = run("set_survey_design", "survey", str(file))
    out = io.StringIO()
    call_command("show_survey_design", "survey", stdout=out)
    file.write_text(out.getvalue(), encoding="utf-8")
    second = run("set_survey_design", "survey", str(file))

    shown = run("show_survey_design", "survey")
    assert out.getvalue().startswith("# survey: confirmed by operator (")
    assert second["report"]["units"] == first["report"]["units"]
    assert second["catalog_version"] == first["catalog_version"] + 1
    assert (shown["design_decision"], shown["live"]) == ("confirmed", True)
    assert shown["design"]["low_base"] == {"action": "suppress", "minimum": 40, "very_low": 50, "low": 100}
    dataset.refresh_from_db()
    assert show_survey_design(dataset) in out.getvalue()


def test_a_bad_file_is_told_line_by_line(survey: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(DESIGN.replace("1000", "x").replace("gender", "sex"), encoding="utf-8")
    err = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("set_survey_design", "survey", str(file), stderr=err)

    assert "line 5: scale must be a number above 0, not 'x'\nline 6: no table has a column sex" in err.getvalue()


def test_a_dataset_without_a_design_says_so(survey: Survey) -> None:
    out = io.StringIO()

    call_command("show_survey_design", "survey", stdout=out)

    assert out.getvalue() == "# survey: not decided\n"


def test_registering_records_a_design_that_a_command_confirms_later(
    worker: Worker, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn, tmp_path: Path
) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(DESIGN, encoding="utf-8")
    dsn = readonly_dsn(make_database(SURVEY))

    run("register_dataset", "survey", dsn, "--design", str(file), "--approve")
    recorded = live()
    run("set_survey_design", "survey", str(file))

    assert (recorded.design_decision, recorded.survey_design) == ("recorded", None)
    assert frozenset({("public", "people", "id")}) in recorded.person_keys
    assert live().design_decision == "confirmed"


def test_registering_refuses_a_bad_design_before_anything_is_stored(
    transactional_db: None, shop_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "design.yaml"
    file.write_text("units:\n  - table: people\n    key: id\n    weight: w\n    scale: x\n", encoding="utf-8")
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("register_dataset", "survey", shop_dsn, "--design", str(file), "--json", stdout=out)

    error = json.loads(out.getvalue())["error"]
    assert error["code"] == "design_invalid"
    assert error["context"]["faults"] == [{"line": 5, "text": "scale must be a number above 0, not 'x'"}]
    assert not Dataset.objects.exists()


def test_a_source_that_is_away_stores_nothing(survey: Survey) -> None:
    dataset, url = survey
    run_sql(url, f"ALTER ROLE {dataset.username} NOLOGIN")

    with pytest.raises(GatewayError):
        set_survey_design(dataset.pk, DESIGN, actor="ana")

    dataset.refresh_from_db()
    assert dataset.design_decision == DesignDecision.OPEN
