"""The state of each part that answering depends on; `/readyz` and `manage.py doctor` read the same checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

from datasets.catalog import Catalog
from datasets.credentials import keys_fit
from datasets.heartbeat import connect_redis, count_workers


class State(StrEnum):
    """In order of badness. `degraded`: questions are answered, something else is not done."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    state: State
    detail: str = ""
    hint: str = ""


def check_parts() -> tuple[Part, ...]:
    """Metadata database, Redis, worker and keys; each within two to five seconds, whatever is away."""
    return check_metadata_database(), check_redis(), check_worker(), check_keys()


def check_metadata_database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part(
            "metadata_database", State.FAILING, "cannot be reached", "Start it, or correct METADATA_DATABASE_URL."
        )
    return Part("metadata_database", State.OK)


def check_redis() -> Part:
    try:
        connect_redis().ping()
    except RedisError:
        return Part("redis", State.DEGRADED, "cannot be reached", "Start it, or correct REDIS_URL; changes are polled.")
    return Part("redis", State.OK)


def check_worker() -> Part:
    try:
        workers = count_workers()
    except RedisError:
        return Part("worker", State.DEGRADED, "unknown while Redis is away")
    if not workers:
        return Part("worker", State.DEGRADED, "no worker is running", "Start one: `manage.py rundramatiq`.")
    return Part("worker", State.OK, f"{workers} running")


def check_keys() -> Part:
    try:
        fits = keys_fit()
    except DatabaseError:
        return Part("encryption_keys", State.FAILING, "unknown while the metadata database is away")
    if not fits:
        return Part(
            "encryption_keys",
            State.DEGRADED,
            "ENCRYPTION_KEY does not fit the stored connection strings",
            "Start with the key that encrypted them (several may be listed, separated by commas).",
        )
    return Part("encryption_keys", State.OK)


def check_catalog(catalog: Catalog, load_error: str) -> Part:
    loaded = f"version {catalog.version}, {len(catalog.datasets)} datasets"
    if load_error and not catalog.version:
        return Part("catalog", State.FAILING, "not loaded", "See the log of this process.")
    if catalog.faults:
        return Part("catalog", State.DEGRADED, f"{loaded}; {'; '.join(catalog.faults)}", "Correct it in the admin.")
    if load_error:
        return Part("catalog", State.DEGRADED, f"{loaded}; a newer one could not be loaded", "See the log.")
    return Part("catalog", State.OK, loaded)
