"""A worker says every few seconds that it lives; `/readyz` and `doctor` read it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import Any

import dramatiq
import redis
from django.conf import settings
from redis.exceptions import RedisError

KEY_PREFIX = "mcp-analytics:worker:"
EVERY_S = 3
EXPIRES_S = 12
log = logging.getLogger(__name__)


def connect_redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


class HeartbeatMiddleware(dramatiq.Middleware):
    """Writes a key that expires: a killed worker is missed after twelve seconds."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:  # Any: dramatiq.Worker, untyped
        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=[self._stop], name="heartbeat", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:  # Any: dramatiq.Worker, untyped
        self._stop.set()

    def _beat(self, stop: threading.Event) -> None:
        client = connect_redis()
        key = f"{KEY_PREFIX}{socket.gethostname()}:{os.getpid()}"
        while not stop.is_set():
            try:
                client.set(key, str(int(time.time())), ex=EXPIRES_S)
            except RedisError:
                log.warning("the heartbeat could not be written; Redis cannot be reached")
            stop.wait(EVERY_S)


def count_workers() -> int:
    """Workers that beat within the last seconds; raises RedisError where Redis is away."""
    return sum(1 for _ in connect_redis().scan_iter(f"{KEY_PREFIX}*", count=200))
