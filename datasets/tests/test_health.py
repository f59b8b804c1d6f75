from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from dramatiq import Worker
from pytest_django.fixtures import Settings

from datasets.catalog import EMPTY
from datasets.health import Part, State, check_catalog, check_parts
from datasets.heartbeat import KEY_PREFIX, connect_redis
from tests.product import wait_until
from tests.servers import RedisServer


def states() -> dict[str, Part]:
    return {part.name: part for part in check_parts()}


@pytest.mark.django_db
def test_everything_is_ok_with_a_worker() -> None:
    connect_redis().set(f"{KEY_PREFIX}test:1", "1", ex=5)

    parts = states()

    assert {part.state for part in parts.values()} == {State.OK}


@pytest.mark.django_db
def test_no_worker_is_said_with_what_to_do() -> None:
    client = connect_redis()
    for key in client.scan_iter(f"{KEY_PREFIX}*"):
        client.delete(key)

    worker = states()["worker"]

    assert worker.state is State.DEGRADED
    assert "rundramatiq" in worker.hint


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_beats(worker: Worker) -> None:
    client = connect_redis()
    client.delete(*client.scan_iter(f"{KEY_PREFIX}*"), "none")

    wait_until(lambda: any(client.scan_iter(f"{KEY_PREFIX}*")), what="a heartbeat", timeout_s=5)


@pytest.mark.django_db
def test_a_wrong_key_is_said_and_never_a_traceback(settings: Settings) -> None:
    assert states()["encryption_keys"].state is State.OK  # writes the canary
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)

    part = states()["encryption_keys"]

    assert part.state is State.DEGRADED
    assert "several may be listed" in part.hint


@pytest.mark.django_db
def test_redis_away_degrades_and_does_not_fail(redis_server: RedisServer) -> None:
    redis_server.stop()

    parts = states()

    assert (parts["redis"].state, parts["worker"].state) == (State.DEGRADED, State.DEGRADED)
    assert parts["metadata_database"].state is State.OK


def test_a_catalog_that_did_not_load_turns_amber_and_then_red() -> None:
    loaded: Any = EMPTY.__class__(version=4, datasets={}, keys={}, settings=EMPTY.settings)

    assert check_catalog(loaded, "").state is State.OK
    assert check_catalog(loaded, "OperationalError").state is State.DEGRADED
    assert check_catalog(EMPTY, "OperationalError").state is State.FAILING
