"""Tool calls a second through /mcp under each ASGI server, beside asyncpg alone on the same queries.

Starts everything it needs in a temporary directory and stops it again; what it prints is docs/performance.md's table.
Every call does what a client's call does: key, parse, guard, govern, limit, read-only transaction, query log.
Servers are measured in turns, several rounds, and medians are shown: other work on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version

import asyncpg

from benchmarks.product import (
    APPLICATION,
    NEWER,
    OLDER,
    POOL_SIZE,
    Contender,
    Door,
    Product,
    Round,
    build_call,
    call_repeatedly,
    find_port,
    measure,
    repeat,
    start_process,
    start_product,
)

CONCURRENCY = 16
DATASET, DATABASE = "panel_in", "demo_panel_in"
AGGREGATE = "SELECT gender, count(*) AS n FROM panel_users GROUP BY gender ORDER BY gender"
QUERIES = ("SELECT 1 AS one", AGGREGATE)

COMMANDS: Mapping[str, Callable[[int, int], list[str]]] = {
    "uvicorn": lambda port, workers: [
        *("uvicorn", APPLICATION, "--port", str(port), "--workers", str(workers)),
        *("--no-access-log", "--no-proxy-headers"),
    ],
    "granian": lambda port, workers: [
        *("granian", "--interface", "asgi", APPLICATION, "--port", str(port), "--workers", str(workers)),
    ],
    # has no workers of its own
    "daphne": lambda port, workers: ["daphne", APPLICATION, "-b", "127.0.0.1", "-p", str(port)],
}


@contextmanager
def start_server(name: str, product: Product, *, workers: int, key: str, era: str) -> Iterator[Contender[str]]:
    port = find_port()
    process = start_process(
        [sys.executable, "-m", *COMMANDS[name](port, workers)],
        port=port,
        log=product.directory / f"{name}-{workers}.log",
        environment=product.environment,
        answers=is_healthy,
    )
    with process as server:
        label = f"{name}, {workers} worker{'s' if workers > 1 else ''}, MCP {era}"
        door = Door(port, server, key, era)
        yield Contender(label, lambda sql, seconds: call_tool(door, sql, seconds))


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return True
    except OSError:
        return False


# ── the callers ──────────────────────────────────────────────────────────────────────────────────────────────
async def call_tool(door: Door, sql: str, seconds: float) -> Round:
    """execute_query over and over, from 16 callers on kept-alive connections."""
    message = build_call("execute_query", {"dataset": DATASET, "sql": sql}, era=door.era)
    return await call_repeatedly(door, lambda: message, connections=CONCURRENCY, seconds=seconds)


async def fetch_directly(dsn: str, sql: str, seconds: float) -> Round:
    """The same text by asyncpg alone: a pooled connection, one fetch, no transaction, no log."""
    async with asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:

        async def call() -> None:
            await pool.fetch(sql)

        return await repeat(call, seconds, concurrency=CONCURRENCY)


# ── the measurement ──────────────────────────────────────────────────────────────────────────────────────────
def report(contenders: list[Contender[str]], *, baseline: Contender[str]) -> None:
    for query in QUERIES:
        print(f"\n`{query}`\n")
        print("| server | calls/s | ratio | p50 ms | p95 ms | server CPU ms a call | client's core |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        base = baseline.median(query, lambda each: each.calls_per_second)
        for contender in contenders:
            rate = contender.median(query, lambda each: each.calls_per_second)
            cpu = contender.median(query, lambda each: each.server_ms_per_call)
            print(
                f"| {contender.name} | {rate:,.0f} | {rate / base:.2f} "
                f"| {contender.median(query, lambda each: each.p50_ms):.1f} "
                f"| {contender.median(query, lambda each: each.p95_ms):.1f} "
                f"| {f'{cpu:.2f}' if cpu else ''} "
                f"| {100 * contender.median(query, lambda each: each.client_load):.0f} % |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    options = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in (*COMMANDS, "fastmcp", "asyncpg"))
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {packages}")
    print(f"{CONCURRENCY} callers, medians of {options.rounds} rounds of {options.seconds:g} s, servers in turns")
    with start_product() as product, ExitStack() as servers:
        key, dsn = product.create_key(), product.reader_dsn(DATABASE)

        def start(name: str, *, workers: int = 1, era: str = OLDER) -> Contender[str]:
            return servers.enter_context(start_server(name, product, workers=workers, key=key, era=era))

        direct = Contender[str]("asyncpg alone", lambda sql, seconds: fetch_directly(dsn, sql, seconds))
        single = {name: start(name) for name in COMMANDS}
        measure([*single.values(), direct], QUERIES, rounds=options.rounds, seconds=options.seconds)
        report([*single.values(), direct], baseline=single["daphne"])
        fastest = max(single, key=lambda name: single[name].median(AGGREGATE, lambda each: each.calls_per_second))
        print(f"\nThe fastest is {fastest}: with two workers, and with clients of the newer revision.")
        several = [start(fastest), start(fastest, workers=2), start(fastest, era=NEWER)]
        measure(several, QUERIES, rounds=options.rounds, seconds=options.seconds)
        report(several, baseline=several[0])


if __name__ == "__main__":
    main()
