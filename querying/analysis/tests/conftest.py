from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from datasets.catalog import DatasetSpec
from querying.analysis.tests.worlds import load_demos, serve
from querying.engine import Engine


@pytest.fixture(scope="session")
def demos(postgres_superuser_dsn: str) -> dict[str, DatasetSpec]:
    return load_demos(postgres_superuser_dsn)


@pytest.fixture(scope="session")
def panel_url(postgres_superuser_dsn: str, demos: dict[str, DatasetSpec]) -> str:
    return urlsplit(postgres_superuser_dsn)._replace(path="/demo_panel_in").geturl()


@pytest_asyncio.fixture
async def demo_engine(transactional_db: None, demos: dict[str, DatasetSpec]) -> AsyncIterator[Engine]:
    """An engine over the demo datasets; what it answers is recorded."""
    started = Engine()
    await started.start(watching=False)
    yield serve(started, demos)
    await started.stop()
