"""Monthly partitions of the query log. A row is never lost for want of one: a default partition catches it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection, transaction

from logs_analytics.records import first_id_at

TABLE = "logs_analytics_querylog"
DEFAULT = f"{TABLE}_default"
LOCK = 7_316_402_251  # any constant; processes that start together take turns


def ensure_partitions(*, months_ahead: int, now: datetime | None = None) -> list[str]:
    """Create the partitions of this month and the next ones that are missing; the names of those created."""
    start = _month_start(now or datetime.now(UTC))
    created = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for _ in range(months_ahead + 1):
            end = _next_month(start)
            name = f"{TABLE}_{start:%Y_%m}"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                _create(cursor, name, start, end)
                created.append(name)
            start = end
    return created


def _create(cursor: object, name: str, start: datetime, end: datetime) -> None:
    """Built beside the parent and then attached, with what the default partition caught meanwhile moved into it."""
    execute = cursor.execute  # type: ignore[attr-defined]  # Django's cursor wrapper has no public type
    bounds = [str(first_id_at(start)), str(first_id_at(end))]
    execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    execute(
        f"WITH moved AS (DELETE FROM {DEFAULT} WHERE id >= %s AND id < %s RETURNING *) "  # noqa: S608 - our own names
        f"INSERT INTO {name} SELECT * FROM moved",
        bounds,
    )
    execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{bounds[0]}') TO ('{bounds[1]}')")


def _month_start(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(start: datetime) -> datetime:
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
