"""Fixtures of the tests that disturb databases."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from querying.tests.lending import MakePools, OwnServer, pools_made


@pytest.fixture(scope="session")
def server_of_faults() -> Iterator[OwnServer]:
    made = OwnServer()
    yield made
    made.remove()


@pytest.fixture
def server(server_of_faults: OwnServer) -> Iterator[OwnServer]:
    """A server of their own for these tests, running again after each."""
    server_of_faults.end_sessions()
    yield server_of_faults
    server_of_faults.start()


@pytest_asyncio.fixture
async def make_pools() -> AsyncIterator[MakePools]:
    async with pools_made() as make:
        yield make


@pytest_asyncio.fixture
async def tidy() -> AsyncIterator[None]:
    """Fails the test where a task or callback failed and nobody looked."""
    complaints: list[dict[str, Any]] = []  # Any: asyncio's context
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()  # a task complains when it is forgotten
    await asyncio.sleep(0)
    assert complaints == []
