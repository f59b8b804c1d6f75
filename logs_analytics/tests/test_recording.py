from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection

from logs_analytics.models import QueryLog
from logs_analytics.partitions import ensure_partitions
from logs_analytics.recorder import write_records
from logs_analytics.records import Client, Outcome, Record, first_id_at, moment_of, new_id

pytestmark = pytest.mark.django_db


def build_record() -> Record:
    identifier, moment = new_id()
    return Record(id=identifier, created_at=moment, door="test", tool="execute_query", outcome=Outcome.ANSWERED)


def partition_of(record: Record) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM logs_analytics_querylog WHERE id = %s", [record.id])
        return str(cursor.fetchone()[0])


def test_an_id_carries_its_moment() -> None:
    identifier, moment = new_id()

    assert identifier.version == 7
    assert moment_of(identifier) == moment
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 5
    assert first_id_at(moment) <= identifier


def test_a_record_is_kept_once_however_often_it_is_written() -> None:
    record = build_record()

    write_records([record])
    write_records([record])

    row = QueryLog.objects.get()
    assert (row.id, row.created_at, row.success) == (record.id, record.created_at, True)


def test_nothing_that_a_caller_sends_keeps_its_record_out() -> None:
    hostile = "\0 \ud800 " + "x" * 100_000
    record = replace(
        build_record(),
        query_text=hostile,
        tool=hostile,
        door=hostile,
        request_id=hostile,
        query_type=hostile,
        error_code=hostile,
        weighting=hostile,
        weight_column=hostile,
        datasets=(hostile,),
        person=hostile,
        session=hostile,
        error_text=hostile,
        address="not an address",
        client=Client(name=hostile, version=hostile, user_agent=hostile),
    )

    write_records([record])

    row = QueryLog.objects.get()
    assert len(row.query_text) == 65_536
    assert row.address is None


def test_a_record_lands_in_its_month() -> None:
    record = build_record()

    write_records([record])

    assert partition_of(record) == f"logs_analytics_querylog_{record.created_at:%Y_%m}"


def test_a_month_without_partition_is_caught_and_moved_when_it_gets_one() -> None:
    far = datetime(2031, 5, 17, 12, tzinfo=UTC)
    record = replace(build_record(), id=first_id_at(far), created_at=far)
    write_records([record])
    before = partition_of(record)

    created = ensure_partitions(months_ahead=1, now=far)

    assert before == "logs_analytics_querylog_default"
    assert created == ["logs_analytics_querylog_2031_05", "logs_analytics_querylog_2031_06"]
    assert partition_of(record) == "logs_analytics_querylog_2031_05"
    assert QueryLog.objects.count() == 1
    assert ensure_partitions(months_ahead=1, now=far) == []


def test_december_is_followed_by_january() -> None:
    assert ensure_partitions(months_ahead=1, now=datetime(2032, 12, 31, 23, 59, tzinfo=UTC)) == [
        "logs_analytics_querylog_2032_12",
        "logs_analytics_querylog_2033_01",
    ]


def test_the_table_is_partitioned_and_nothing_points_at_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind FROM pg_class WHERE relname = 'logs_analytics_querylog'")
        assert cursor.fetchone()[0] == "p"
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE confrelid = 'logs_analytics_querylog'::regclass")
        assert cursor.fetchone()[0] == 0
