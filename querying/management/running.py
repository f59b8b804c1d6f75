"""Run work on an engine of this command's own, as the operator or under a key's policy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from config.errors import AccessError
from datasets.access import Principal, principal_of
from datasets.keys import find_key
from logs_analytics.records import Client
from querying.engine import Engine
from querying.services import Call

T = TypeVar("T")
NO_BUDGET = 1_000_000_000  # of tokens: a terminal is no model


def build_call(key_name: str, *, tool: str, person: str) -> Call:
    return Call(
        principal=_principal(key_name, person),
        door="command",
        tool=tool,
        client=Client(name="command", confidence="high"),
        response_format="json",
        max_tokens=NO_BUDGET,
    )


def _principal(key_name: str, person: str) -> Principal:
    if not key_name:
        return Principal(person=person, client="command", datasets=None, operator=True)
    key = find_key(key_name)
    if key is None:
        raise AccessError(f"There is no API key named {key_name!r} in use.", hint="`manage.py create_api_key NAME`.")
    return principal_of(key, client="command")


def run_with_engine(work: Callable[[Engine], Awaitable[T]]) -> T:
    """Start an engine, do the work on its loop, stop it."""
    logging.getLogger("querying.engine").setLevel(logging.WARNING)  # a terminal wants the answer, not the load

    async def main() -> T:
        engine = Engine()
        await engine.start(watching=False)
        try:
            return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(main())
