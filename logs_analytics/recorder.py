"""Writes the record of a call before its answer leaves."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Sequence
from typing import Any

from django.db import Error as DatabaseError

from config.errors import RecordUnavailable
from logs_analytics.models import QueryLog
from logs_analytics.records import Outcome, Record

TEXT_LIMIT = 65_536
WITHHELD = "The answer could not be written to the query log, so it is withheld."
log = logging.getLogger(__name__)


def write_records(records: Sequence[Record]) -> None:
    """Insert in one statement; `RecordUnavailable` where it fails, and the answers must then be withheld."""
    try:
        QueryLog.objects.bulk_create([QueryLog(**_fields(record)) for record in records], ignore_conflicts=True)
    except DatabaseError as error:
        log.exception("%s records could not be written", len(records))
        raise RecordUnavailable(WITHHELD) from error


def _fields(record: Record) -> dict[str, Any]:  # Any: keyword arguments of the model
    return {
        "id": record.id,
        "created_at": record.created_at,
        "door": record.door,
        "tool": record.tool,
        "request_id": _cut(record.request_id, 64),
        "query_text": _cut(record.query_text, TEXT_LIMIT),
        "sql_executed": _cut(record.sql_executed, TEXT_LIMIT),
        "fingerprint": record.fingerprint,
        "query_type": record.query_type,
        "datasets": [_cut(name, 63) for name in record.datasets],
        "catalog_version": record.catalog_version,
        "outcome": record.outcome.value,
        "success": record.outcome is Outcome.ANSWERED,
        "error_code": record.error_code,
        "error_text": _cut(record.error_text, 4000),
        "row_count": record.row_count,
        "answer_bytes": record.answer_bytes,
        "answer_tokens": record.answer_tokens,
        "response_format": record.response_format,
        "truncated": record.truncated,
        "cached": record.cached,
        "weighting": record.weighting,
        "weight_column": record.weight_column,
        "person": _cut(record.person, 150),
        "api_key": _cut(record.api_key, 100),
        "organisation": _cut(record.organisation, 150),
        "client": _cut(record.client.name, 40),
        "client_version": _cut(record.client.version, 60),
        "client_confidence": record.client.confidence,
        "user_agent": _cut(record.client.user_agent, 300),
        "session": _cut(record.session, 100),
        "address": _address(record.address),
        "total_ms": record.total_ms,
        "timings_ms": dict(record.timings_ms),
    }


def _cut(text: str, limit: int) -> str:
    # PostgreSQL stores no NUL; what a caller sent must never be able to keep its own record out
    return text[:limit].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
