"""A profile from its request to what it keeps, against real databases: contents, personal data, faults, resuming."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from config.errors import TransitionRefused
from datasets.approval import approve_dataset
from datasets.catalog import EMPTY
from datasets.columns import decide_shown
from datasets.connections import parse_dsn
from datasets.consumers import CatalogConsumer
from datasets.credentials import seal_dsn
from datasets.findings import dismiss_finding, open_findings
from datasets.lifecycle import Status
from datasets.models import Dataset, DatasetColumn, DatasetTable, Finding, ProfilingRun, TableReading
from datasets.profiling import contents, sampling, service
from datasets.profiling.progress import announce
from datasets.profiling.report import build_report, render_report
from datasets.profiling.sampling import Sample
from datasets.profiling.service import cancel_run, request_profile, run_profile
from datasets.publishing import load_catalog
from datasets.registration import register_dataset
from datasets.tests.test_table_facts import AWKWARD
from tests.servers import MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = """
CREATE TABLE people (person_id int PRIMARY KEY, email text, phone text, born date, city text, nccs text,
                     weight numeric(10, 4), comments text, postcode text);
INSERT INTO people
SELECT i, 'canary.' || i || '@example.org', '+49 30 ' || 2000000 + i * 137, date '1950-01-01' + i * 31,
       (ARRAY['Berlin', 'Wien', 'Graz'])[1 + i % 3], (ARRAY['A', 'B', 'C', 'D', 'E'])[1 + i % 5],
       CASE WHEN i % 50 > 0 THEN 500 + i % 37 END,
       'I told canary that '
       || (ARRAY['my mother', 'Anna', 'the doctor', 'Mr Smith', 'nobody', 'my boss', 'we'])[1 + i % 7]
       || (ARRAY[' came', ' called me', ' was ill', ' lost it', ' paid for this'])[1 + i % 5]
       || (ARRAY[' on Monday', ' at home', ' last year', ' again', ' in June', ' by car', ' alone', ' too late',
                 ' here', ' for once', ' in Wien'])[1 + i % 11] || ', and I was sorry about it',
       lpad((10000 + i)::text, 5, '0')
FROM generate_series(1, 400) i;
CREATE TABLE visits (visit_id int PRIMARY KEY, person_id int, day date, minutes numeric, app text);
INSERT INTO visits SELECT i, 1 + i % 410, date '2026-01-01' + i % 31 + CASE WHEN i % 2 = 0 THEN 59 ELSE 0 END,
       i % 60, (ARRAY['Mail', 'mail', 'Maps'])[1 + i % 3] FROM generate_series(1, 4000) i;
CREATE TABLE nothing_in_it (id int PRIMARY KEY, "Odd name" text);
"""
Profiled = Callable[..., Dataset]


@pytest.fixture
def source(make_database: MakeDatabase) -> str:
    return make_database(PEOPLE)


@pytest.fixture
def profiled(source: str, readonly_dsn: ReadonlyDsn) -> Profiled:
    dsn = readonly_dsn(source)

    def make(**options: Any) -> Dataset:  # Any: keyword arguments of register_dataset
        registration = register_dataset("people", dsn, actor="test", **options)
        run_profile(registration.profiling_run_id)
        return Dataset.objects.get(pk=registration.dataset_id)

    return make


def again(dataset: Dataset) -> ProfilingRun:
    run = request_profile(dataset.pk, actor="test")
    run_profile(run.pk)
    run.refresh_from_db()
    return run


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def note_samples(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tables whose rows are looked at from now on, in that order."""
    sampled: list[str] = []
    sample = sampling.sample_table

    async def sample_and_note(connection: Any, table: Any, **limits: Any) -> Sample:  # Any: passed on
        sampled.append(table.name)
        return await sample(connection, table, **limits)

    monkeypatch.setattr(contents, "sample_table", sample_and_note)
    return sampled


def column(dataset: Dataset, name: str) -> DatasetColumn:
    return DatasetColumn.objects.get(table__dataset=dataset, table__name__in=["people", "visits"], name=name)


def shown(dataset: Dataset) -> dict[str, str]:
    columns = DatasetColumn.objects.filter(table__dataset=dataset, table__name="people")
    return dict(columns.exclude(shown="visible").values_list("name", "shown"))


def codes(dataset: Dataset) -> set[tuple[str, str, str]]:
    return {(finding.code, finding.table, finding.column) for finding in open_findings(dataset.pk)}


# ── what it keeps ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_profile_keeps_statistics_roles_and_a_proposed_design(profiled: Profiled) -> None:
    dataset = profiled()

    weight, nccs = column(dataset, "weight"), column(dataset, "nccs")
    assert weight.statistics["null_share"] == pytest.approx(0.02)
    assert weight.role is not None
    assert weight.role["role"] == "weight"
    assert nccs.role is not None
    assert nccs.role["order"] == ["A", "B", "C", "D", "E"]
    assert dict(nccs.statistics["common"])["A"] == pytest.approx(0.2)
    table = DatasetTable.objects.get(dataset=dataset, name="visits")
    assert (table.row_estimate, table.indexes[0]["columns"]) == (4000, ["visit_id"])
    assert dataset.dataset_type == "event_level"
    assert dataset.proposal is not None
    (unit,) = dataset.proposal["document"]["units"]
    assert (unit["table"], unit["key"], unit["weight"]) == ("public.people", ["person_id"], "weight")
    answers = {check["name"]: check["answer"] for check in dataset.proposal["checks"]}
    assert answers["one_row_per_unit"] == [["count", 0]]
    assert answers["weights"][:2] == [["rows", 400], ["valid", 392]]
    assert answers["orphans_of_public.visits"][0][1] > 0
    # people.born is a date too, and the dates of visits are not those of births
    assert (dataset.date_column, str(dataset.date_range_start)) == ("public.visits.day", "2026-01-01")


def test_faults_of_the_data_are_findings_with_counts(profiled: Profiled) -> None:
    dataset = profiled()

    found = codes(dataset)
    assert ("missing_weight", "public.people", "weight") in found
    assert ("orphans", "public.visits", "person_id") in found
    assert ("missing_months", "public.visits", "day") in found
    assert ("spelled_differently", "public.visits", "app") in found
    assert ("empty_table", "public.nothing_in_it", "") in found
    assert ("odd_names", "public.nothing_in_it", "") in found
    orphans = Finding.objects.get(code="orphans")
    # persons 401 to 410 are nobody
    assert orphans.count == sum(1 for visit in range(1, 4001) if 1 + visit % 410 > 400)
    months = Finding.objects.get(code="missing_months")
    assert (months.count, "2026-02" in months.message) == (1, True)


# ── personal data ────────────────────────────────────────────────────────────────────────────────────────────
def test_personal_columns_start_hidden_or_masked(profiled: Profiled) -> None:
    dataset = profiled()

    assert shown(dataset) == {
        "email": "hidden",
        "phone": "hidden",
        "comments": "hidden",
        "born": "masked",
        "postcode": "masked",
    }
    assert ("personal_data", "public.people", "email") in codes(dataset)
    approve_dataset(dataset.pk, actor="test")
    spec = load_catalog(EMPTY).datasets["people"]
    people = spec.find_tables("people")[0]
    assert "email" not in {column.name for column in people.visible_columns}
    masks = {policy.column: policy.mask.kind for policy in spec.policies.columns if policy.mask}
    assert masks == {"public.people.born": "year", "public.people.postcode": "hash"}


@pytest.mark.parametrize(
    ("start", "expected"), [("masked", {"email", "phone", "comments", "born", "postcode"}), ("visible", set())]
)
def test_the_operator_decides_how_they_start(profiled: Profiled, start: str, expected: set[str]) -> None:
    dataset = profiled(personal_data=start)

    assert set(shown(dataset)) == expected
    assert set(shown(dataset).values()) <= {"masked"}
    assert ("personal_data", "public.people", "email") in codes(dataset)


def test_no_profile_changes_what_a_person_decided(profiled: Profiled) -> None:
    dataset = profiled()
    decide_shown([column(dataset, "email").pk, column(dataset, "city").pk], "visible", actor="ana")
    decide_shown([column(dataset, "nccs").pk], "hidden", actor="ana")

    again(dataset)

    assert {"email", "city"}.isdisjoint(shown(dataset))
    assert shown(dataset)["nccs"] == "hidden"
    assert ("personal_data", "public.people", "email") not in codes(dataset)
    assert ("personal_data", "public.people", "phone") in codes(dataset)


def test_what_was_hidden_stays_so_where_a_later_profile_finds_nothing(profiled: Profiled, source: str) -> None:
    dataset = profiled()
    execute(source, "UPDATE people SET email = NULL, comments = NULL")

    again(dataset)

    assert shown(dataset)["email"] == "hidden"
    assert shown(dataset)["comments"] == "hidden"


def test_no_personal_value_is_in_what_is_kept_or_said(
    profiled: Profiled, source: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    execute(
        source,
        # what a name does not tell, and values that break what reads them
        "ALTER TABLE people ADD c7 text, ADD extra jsonb, ADD tags text[], ADD pair point",
        "UPDATE people SET c7 = email, extra = jsonb_build_object('mail', email, email, 1), tags = ARRAY[email]",
        "CREATE VIEW broken AS SELECT person_id, ('canary' || person_id)::int AS number FROM people",
        "CREATE TABLE codes (k text PRIMARY KEY, mail text)",
        "INSERT INTO codes SELECT email, email FROM people",
    )
    dataset = profiled()
    approve_dataset(dataset.pk, actor="test")
    execute(source, "DELETE FROM people WHERE person_id > 100", "DROP TABLE codes")
    again(dataset)
    call_command("show_profile", "people", json=True)

    kept = [
        *TableReading.objects.values_list("facts", flat=True),
        *Finding.objects.values_list("message", flat=True),
        *DatasetColumn.objects.values_list("statistics", "personal", "role"),
        *Dataset.objects.values_list("detected", "proposal"),
    ]
    assert "canary" not in json.dumps(kept)
    assert "canary" not in caplog.text
    assert "canary" not in "".join(capfd.readouterr())
    assert {"c7", "extra", "tags"} <= set(shown(dataset))
    assert Finding.objects.filter(table="public.broken", code="unreadable").exists()


# ── awkward databases ────────────────────────────────────────────────────────────────────────────────────────
def test_a_large_and_awkward_database_is_read_to_its_last_table(
    make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    small = "".join(f"CREATE TABLE small.t{n} AS SELECT {n} AS id, 'x' AS kind, now() AS at;" for n in range(500))
    wide = ", ".join(f'"Col {n} ""x""" int' for n in range(1600))
    url = make_database(
        f"CREATE SCHEMA small; {small} CREATE TABLE wide ({wide}); INSERT INTO wide SELECT FROM generate_series(1, 99);"
        + AWKWARD
        + """
        CREATE TABLE secret (id int); CREATE TABLE empty_one (id int, kind text); CREATE TABLE no_columns ();
        CREATE TABLE part (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
        INSERT INTO part SELECT i, date '2026-01-01' + i % 59 FROM generate_series(1, 590) i;
        CREATE FUNCTION doubled(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 * 2; END';
        CREATE VIEW by_function AS SELECT id, doubled(id) AS twice FROM part;
        CREATE VIEW failing AS SELECT 1 / (id - 1) AS inverse FROM part;
        CREATE MATERIALIZED VIEW kept AS SELECT day, count(*) FROM part GROUP BY day;
        """
    )
    dsn = readonly_dsn(url)
    execute(url, "GRANT USAGE ON SCHEMA small TO PUBLIC", "GRANT SELECT ON ALL TABLES IN SCHEMA small TO PUBLIC")
    execute(
        url, 'GRANT USAGE ON SCHEMA "Sales. 2026" TO PUBLIC', 'GRANT SELECT ON "Sales. 2026"."Odd ""Ta.ble""" TO PUBLIC'
    )
    execute(url, f"REVOKE ALL ON secret FROM {parse_dsn(dsn, unix_sockets=False).username}")

    registration = register_dataset("awkward", dsn, actor="test")
    run_profile(registration.profiling_run_id)

    run = ProfilingRun.objects.get(pk=registration.profiling_run_id)
    tables = {table.name: table for table in DatasetTable.objects.filter(dataset_id=registration.dataset_id)}
    assert (run.state, run.tables_read) == ("succeeded", len(tables))
    assert len(tables) == 507
    assert {name for name, table in tables.items() if table.read_error} == {"failing"}
    assert tables["failing"].read_error == "22012"
    assert not Finding.objects.filter(code="not_read").exists()
    assert {"secret", "no_columns", "part_1"}.isdisjoint(tables)
    assert (tables["part"].row_estimate, tables["part"].partitions) == (590, 2)
    assert tables["part"].partition_key == "RANGE (day)"
    assert tables["wide"].columns.exclude(statistics__null_share=1.0).count() == 0
    odd = {column.name: column.statistics for column in tables['Odd "Ta.ble"'].columns.all()}
    assert dict(odd['Ünï "x".y']["common"]) == {
        "bad": pytest.approx(0.667, abs=0.01),
        "good": pytest.approx(0.333, abs=0.01),
    }
    assert odd["doubled"]["maximum"] == "600"
    assert {column.statistics["source"] for column in tables["by_function"].columns.all()} == {"sample"}


# ── tables that cannot be read, statistics that lie ──────────────────────────────────────────────────────────
def test_a_table_that_cannot_be_read_is_told_and_costs_no_other(
    profiled: Profiled, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "TABLE_BUDGET_MS", 300)
    execute(source, "CREATE VIEW slow AS SELECT person_id, pg_sleep(0.2)::text AS waited FROM people")

    dataset = profiled()

    (finding,) = Finding.objects.filter(dataset=dataset, code="unreadable")
    assert (finding.table, finding.message) == ("public.slow", "Its rows could not be read: it took too long.")
    assert DatasetTable.objects.get(dataset=dataset, name="slow").read_error == "timeout"
    assert column(dataset, "nccs").statistics["source"] == "sample"
    assert dataset.status == Status.HUMAN_REVIEW


def test_without_time_the_planners_statistics_must_do(
    profiled: Profiled, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CONTENTS_BUDGET_S", 0.0)
    execute(source, "ANALYZE")

    dataset = profiled()

    assert column(dataset, "city").statistics["source"] == "statistics"
    assert dict(column(dataset, "city").statistics["common"])["Wien"] == pytest.approx(0.33, abs=0.01)
    assert shown(dataset)["phone"] == "hidden"
    (finding,) = Finding.objects.filter(dataset=dataset, code="not_read")
    assert finding.count == 3


def test_statistics_that_lie_are_not_believed(profiled: Profiled, source: str) -> None:
    execute(
        source,
        "CREATE TABLE lying (id int, kind text) WITH (autovacuum_enabled = false)",
        "INSERT INTO lying SELECT i, 'old' FROM generate_series(1, 30000) i",
        "ANALYZE lying",
        # what it changes, the server is made to forget
        "UPDATE lying SET kind = 'new' WHERE id > 10000",
        "SELECT pg_sleep(1.1)",
    )
    execute(source, "SELECT pg_stat_reset_single_table_counters('lying'::regclass)")

    dataset = profiled()

    kind = DatasetColumn.objects.get(table__dataset=dataset, table__name="lying", name="kind")
    assert dict(kind.statistics["common"])["new"] == pytest.approx(0.67, abs=0.08)


def test_what_there_was_no_time_for_is_read_first_the_next_time(
    profiled: Profiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = profiled()
    DatasetTable.objects.filter(dataset=dataset, name="visits").update(read_error="budget")
    sampled = note_samples(monkeypatch)

    again(dataset)

    assert sampled == ["visits", "nothing_in_it", "people"]


def test_no_question_is_put_to_a_table_that_could_not_be_read(
    profiled: Profiled, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "TABLE_BUDGET_MS", 200)
    execute(source, "CREATE VIEW slow AS SELECT person_id, pg_sleep(9)::text AS waited FROM people")
    asked: list[str] = []
    fetch = contents._fetch_row

    async def fetch_and_note(connection: Any, sql: str, budget_ms: int) -> Any:  # Any: passed on
        asked.append(sql)
        return await fetch(connection, sql, budget_ms)

    monkeypatch.setattr(contents, "_fetch_row", fetch_and_note)

    dataset = profiled()

    assert any('"visits"' in sql for sql in asked)
    assert not any('"slow"' in sql for sql in asked)
    assert dataset.proposal is not None
    answers = {check["name"]: check["answer"] for check in dataset.proposal["checks"]}
    assert answers["orphans_of_public.slow"] is None


# ── progress, cancelling, resuming ───────────────────────────────────────────────────────────────────────────
def test_cancelling_stops_a_run_after_the_table_at_hand(profiled: Profiled, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = profiled()
    run = request_profile(dataset.pk, actor="test")

    def keep_and_cancel(*arguments: Any) -> None:  # Any: passed on
        keep(*arguments)
        if run.readings.count() == 1:
            cancel_run(run.pk, actor="ana")

    keep = service._keep_reading
    sampled = note_samples(monkeypatch)
    monkeypatch.setattr(service, "_keep_reading", keep_and_cancel)

    run_profile(run.pk)

    run.refresh_from_db()
    dataset.refresh_from_db()
    assert (run.state, run.cancelled_by, len(sampled)) == ("cancelled", "ana", 1)
    assert (dataset.status, dataset.status_code) == (Status.ERROR, "profile_cancelled")
    assert dataset.proposal is not None  # of the run before
    with pytest.raises(TransitionRefused):
        cancel_run(run.pk, actor="ana")


def test_a_run_that_starts_again_reads_what_is_left(profiled: Profiled, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = profiled()
    run = request_profile(dataset.pk, actor="test")
    keep = service._keep_reading

    def keep_and_die(*arguments: Any) -> None:  # Any: passed on
        keep(*arguments)
        if run.readings.count() == 2:
            raise KeyboardInterrupt  # as good as a kill: nothing is told to anybody

    sampled = note_samples(monkeypatch)
    with monkeypatch.context() as dying:
        dying.setattr(service, "_keep_reading", keep_and_die)
        with pytest.raises(KeyboardInterrupt):
            run_profile(run.pk)
    before = list(run.readings.values_list("pk", "read_at"))
    run_profile(run.pk)

    run.refresh_from_db()
    assert (run.state, run.attempts, run.tables_read) == ("succeeded", 2, 3)
    assert sorted(sampled) == ["nothing_in_it", "people", "visits"]
    assert list(run.readings.filter(pk__in=[pk for pk, _ in before]).values_list("pk", "read_at")) == before


def test_a_run_that_somebody_is_at_is_left_to_them(profiled: Profiled) -> None:
    dataset = profiled()
    run = request_profile(dataset.pk, actor="test")

    with psycopg.connect(**connection.get_connection_params()) as other:  # as another worker holds it
        other.execute("SELECT pg_advisory_lock(%s, %s)", [service.LOCK_SPACE, run.pk])
        done = run_profile(run.pk)
        attempts = ProfilingRun.objects.get(pk=run.pk).attempts
        other.execute("SELECT pg_advisory_unlock_all()")
    run_profile(run.pk)

    run.refresh_from_db()
    assert (done, attempts) == (False, 0)
    assert (run.state, run.attempts) == ("succeeded", 1)


@pytest.mark.asyncio
async def test_pages_of_the_staff_are_told_how_far_a_profile_is() -> None:
    user = await get_user_model().objects.acreate(username="ana", is_staff=True)
    socket = WebsocketCommunicator(CatalogConsumer.as_asgi(), "/ws/catalog/")
    socket.scope["user"] = user
    dataset = await Dataset.objects.acreate(
        name="people", connection=seal_dsn("postgresql://u@h/d"), host="h", port=1, database="d", username="u"
    )
    run = await ProfilingRun.objects.acreate(
        dataset=dataset, state="running", tables_found=500, tables_read=125, table_at_hand="public.people"
    )
    assert (await socket.connect())[0]

    await announce_in_thread(run)

    assert await socket.receive_json_from(timeout=5) == {
        "type": "progress",
        "run": run.pk,
        "dataset": dataset.pk,
        "state": "running",
        "percent": 25,
        "tables_read": 125,
        "tables_found": 500,
        "table": "public.people",
    }
    await socket.disconnect()


async def announce_in_thread(run: ProfilingRun) -> None:
    await sync_to_async(announce)(run)


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_finding_goes_with_its_cause_and_opens_again_with_it(profiled: Profiled, source: str) -> None:
    dataset = profiled()
    finding = Finding.objects.get(code="missing_weight")
    execute(source, "UPDATE people SET weight = 1 WHERE weight IS NULL")
    gone = again(dataset)
    state_without = Finding.objects.get(pk=finding.pk).state
    execute(source, "UPDATE people SET weight = NULL WHERE person_id = 7")
    back = again(dataset)

    finding.refresh_from_db()
    assert state_without == "gone"
    assert (finding.state, finding.count, finding.opened_by_id) == ("open", 1, back.pk)
    assert gone.pk != back.pk


def test_what_a_person_dismissed_stays_dismissed(profiled: Profiled) -> None:
    dataset = profiled()
    finding = Finding.objects.get(code="missing_weight")
    dismiss_finding(finding.pk, actor="ana")

    again(dataset)

    finding.refresh_from_db()
    assert (finding.state, finding.decided_by) == ("dismissed", "ana")
    assert ("missing_weight", "public.people", "weight") not in codes(dataset)


def test_readings_of_old_runs_go_and_those_of_the_published_one_stay(profiled: Profiled) -> None:
    dataset = profiled()
    approve_dataset(dataset.pk, actor="test")
    dataset.refresh_from_db()
    assert dataset.live_entry is not None

    runs = [again(dataset).pk for _ in range(4)]

    kept = set(TableReading.objects.values_list("run_id", flat=True))
    assert kept == {dataset.live_entry.profiling_run_id, *runs[-3:]}


# ── shown ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_report_names_tables_findings_and_the_design(profiled: Profiled) -> None:
    dataset = profiled()

    text = render_report(build_report(dataset, table="people"), with_columns=True)

    assert "missing_weight public.people.weight (8)" in text
    assert "person public.people, key person_id, weight weight" in text
    assert "| email | text |" in text
    assert "hidden (email)" in text
    assert "visits.app" not in text
