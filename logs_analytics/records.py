"""What happened, as a value. Pure: no Django, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import uuid_utils.compat


class Outcome(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Client:
    """The program that speaks for the caller, as far as it can be told; never the person."""

    name: str = "unknown"
    version: str = ""
    confidence: str = "none"
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the query log. `id` is a UUIDv7 of the moment `created_at`; times are in milliseconds."""

    id: UUID
    created_at: datetime
    door: str
    tool: str
    outcome: Outcome
    request_id: str = ""
    query_text: str = ""
    sql_executed: str = ""
    fingerprint: str = ""
    query_type: str = ""
    datasets: tuple[str, ...] = ()
    catalog_version: int = 0
    error_code: str = ""
    error_text: str = ""
    row_count: int = 0
    answer_bytes: int = 0
    answer_tokens: int = 0
    response_format: str = ""
    truncated: bool = False
    cached: bool = False
    weighting: str = ""
    weight_column: str = ""
    person: str = ""
    api_key: str = ""
    organisation: str = ""
    client: Client = field(default_factory=Client)
    session: str = ""
    address: str = ""
    total_ms: float = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=dict)


def new_id() -> tuple[UUID, datetime]:
    """A UUIDv7 and the moment it carries, so that a row's partition and its time agree."""
    made = uuid_utils.compat.uuid7()
    return made, moment_of(made)


def moment_of(identifier: UUID) -> datetime:
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUID of that moment: a bound of a partition or of a search by time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
