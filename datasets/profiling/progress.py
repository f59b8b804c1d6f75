"""How far a profile has come, told to the pages of the staff over Channels. No value of any table is told."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from datasets.models import ProfilingRun

GROUP: Final = "profiling"
EVERY_S: Final = 0.25
TIMEOUT_S: Final = 2.0
log = logging.getLogger(__name__)
_told: dict[int, float] = {}  # when each run was last spoken of; tables may take a millisecond


def progress_of(run: ProfilingRun) -> dict[str, Any]:  # Any: JSON
    """`percent` is of the tables; None while the catalogue is read."""
    percent = round(100 * run.tables_read / run.tables_found) if run.tables_found else None
    return {
        "run": run.pk,
        "dataset": run.dataset_id,
        "state": run.state,
        "percent": percent,
        "tables_read": run.tables_read,
        "tables_found": run.tables_found,
        "table": run.table_at_hand,
    }


def announce(run: ProfilingRun) -> None:
    """At most four times a second, but every change of state; where Redis is away pages ask by themselves."""
    now = time.monotonic()
    is_over = run.state != ProfilingRun.State.RUNNING
    if not is_over and now - _told.get(run.pk, 0.0) < EVERY_S:
        return
    _told[run.pk] = now
    if is_over:
        _told.pop(run.pk)
    try:
        async_to_sync(_send)(progress_of(run))
    except (RedisError, OSError, TimeoutError):
        log.warning("the progress of a profile was not told")


async def _send(progress: dict[str, Any]) -> None:  # Any: JSON
    async with asyncio.timeout(TIMEOUT_S):
        await get_channel_layer().group_send(GROUP, {"type": "profiling.progress", "progress": progress})
