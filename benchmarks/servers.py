"""Tool calls a second through /mcp under each ASGI server, beside asyncpg alone on the same queries.

Starts everything it needs in a temporary directory and stops it again; what it prints is docs/performance.md's table.
Every call does what a client's call does: key, parse, guard, govern, limit, read-only transaction, query log.
Servers are measured in turns, several rounds, and medians are shown: other work on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import httpx
import psutil

PROJECT = Path(__file__).resolve().parent.parent
APPLICATION = "config.asgi:application"
CONCURRENCY = 16
POOL_SIZE = 4  # the server's default, so that asyncpg alone gets no more connections than a process of ours
DATASET, DATABASE = "panel_in", "demo_panel_in"
QUERIES = {
    "constant": "SELECT 1 AS one",
    "aggregate": "SELECT gender, count(*) AS n FROM panel_users GROUP BY gender ORDER BY gender",
}
OLDER, NEWER = "2025-11-25", "2026-07-28"
NEVER_INHERITED = ("METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY", "WEB_CONCURRENCY")

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


@dataclass
class Contender:
    """Something that answers the queries, and what each round of it measured, by query."""

    name: str
    run: Callable[[str, float], Any] = field(repr=False)  # Any: a coroutine of Round
    process: psutil.Process | None = field(default=None, repr=False)
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def median(self, query: str, value: Callable[[Round], float]) -> float:
        return statistics.median(value(each) for each in self.rounds[query])


@dataclass(frozen=True)
class Round:
    calls_per_second: float
    p50_ms: float
    p95_ms: float
    server_ms_per_call: float = 0.0
    client_load: float = 0.0


# ── the product ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Product:
    """A `make run` of its own: its servers, keys and demo datasets serve every contender."""

    directory: Path
    environment: dict[str, str] = field(repr=False)

    def read(self, name: str) -> str:
        return (self.directory / "secrets" / name).read_text(encoding="utf-8").strip()

    def create_key(self) -> str:
        command = [sys.executable, "manage.py", "create_api_key", "benchmark", "--json"]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, check=True, capture_output=True, text=True, timeout=60
        )
        return str(json.loads(done.stdout)["key"])

    def reader_dsn(self) -> str:
        runtime = json.loads((self.directory / "runtime.json").read_text(encoding="utf-8"))
        port = urlsplit(runtime["metadata_database_url"]).port
        role = f"{DATABASE}_reader"
        return f"postgresql://{role}:{quote(self.read(f'{role}_password'), safe='')}@127.0.0.1:{port}/{DATABASE}"


@contextmanager
def start_product() -> Iterator[Product]:
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-bench-"))
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in NEVER_INHERITED}
    environment = {**kept, "DATA_DIR": str(directory), "PORT": str(find_port()), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "quickstart"]
    quickstart = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert quickstart.stdout is not None
        said = []
        for line in quickstart.stdout:
            said.append(line)
            if "  ready on " in line:
                break
        else:
            raise SystemExit("".join(["quickstart did not come up:\n", *said]))
        yield Product(directory, environment)
    finally:
        quickstart.send_signal(signal.SIGTERM)
        quickstart.communicate(timeout=60)
        shutil.rmtree(directory, ignore_errors=True)


def find_port() -> int:
    while True:
        port = random.randint(20_000, 31_999)  # noqa: S311 - no secret
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


@contextmanager
def start_server(name: str, product: Product, *, workers: int, key: str, era: str) -> Iterator[Contender]:
    port = find_port()
    log = (product.directory / f"{name}-{workers}.log").open("wb")
    command = [sys.executable, "-m", *COMMANDS[name](port, workers)]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=product.environment, stdout=log, stderr=log, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(f"{url}/healthz", process)
        label = f"{name}, {workers} worker{'s' if workers > 1 else ''}, MCP {era}"
        server = psutil.Process(process.pid)
        yield Contender(label, lambda sql, seconds: call_tool(url, key, sql, seconds, server, era), server)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http URL
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not answer")


# ── the callers ──────────────────────────────────────────────────────────────────────────────────────────────


async def call_tool(url: str, key: str, sql: str, seconds: float, server: psutil.Process, era: str) -> Round:
    """execute_query over and over, from 16 callers on kept-alive connections."""
    body = json.dumps(build_message(sql, era)).encode()
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(base_url=url, headers=build_headers(key, era), limits=limits, timeout=60) as http:

        async def call() -> None:
            response = await http.post("/mcp", content=body)
            if response.status_code != 200 or '"status":"answered"' not in response.text.replace(" ", ""):
                raise SystemExit(f"not answered ({response.status_code}): {response.text[:500]}")

        before = cpu_seconds(server)
        made = await repeat(call, seconds)
        used = cpu_seconds(server) - before
    return Round(
        made.calls_per_second,
        made.p50_ms,
        made.p95_ms,
        server_ms_per_call=1000 * used / (made.calls_per_second * seconds),
        client_load=made.client_load,
    )


def build_headers(key: str, era: str) -> dict[str, str]:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
    }
    return headers if era == OLDER else {**headers, "Mcp-Method": "tools/call", "Mcp-Name": "execute_query"}


def build_message(sql: str, era: str) -> dict[str, Any]:  # Any: JSON
    params: dict[str, Any] = {"name": "execute_query", "arguments": {"dataset": DATASET, "sql": sql}}  # Any: JSON
    if era == NEWER:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and those that it started."""
    used = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(times.user + times.system for times in used)


async def fetch_directly(dsn: str, sql: str, seconds: float) -> Round:
    """The same text by asyncpg alone: a pooled connection, one fetch, no transaction, no log."""
    async with asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:

        async def call() -> None:
            await pool.fetch(sql)

        return await repeat(call, seconds)


async def repeat(call: Callable[[], Any], seconds: float) -> Round:  # Any: a coroutine of None
    times: list[float] = []
    end = time.perf_counter() + seconds
    cpu = time.process_time()

    async def work() -> None:
        while (start := time.perf_counter()) < end:
            await call()
            times.append(time.perf_counter() - start)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    ordered = sorted(times)
    return Round(
        calls_per_second=len(ordered) / seconds,
        p50_ms=1000 * ordered[len(ordered) // 2],
        p95_ms=1000 * ordered[len(ordered) * 95 // 100],
        client_load=(time.process_time() - cpu) / seconds,
    )


# ── the measurement ──────────────────────────────────────────────────────────────────────────────────────────


def measure(contenders: list[Contender], *, rounds: int, seconds: float) -> None:
    for query, sql in QUERIES.items():
        for contender in contenders:
            asyncio.run(contender.run(sql, min(1.0, seconds)))  # pools, caches, imports
        for turn in range(rounds):
            for contender in contenders if turn % 2 == 0 else contenders[::-1]:
                contender.rounds.setdefault(query, []).append(asyncio.run(contender.run(sql, seconds)))


def report(contenders: list[Contender], *, baseline: Contender) -> None:
    for query in QUERIES:
        print(f"\n`{QUERIES[query]}`\n")
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
        key, dsn = product.create_key(), product.reader_dsn()

        def start(name: str, *, workers: int = 1, era: str = OLDER) -> Contender:
            return servers.enter_context(start_server(name, product, workers=workers, key=key, era=era))

        direct = Contender("asyncpg alone", lambda sql, seconds: fetch_directly(dsn, sql, seconds))
        single = {name: start(name) for name in COMMANDS}
        measure([*single.values(), direct], rounds=options.rounds, seconds=options.seconds)
        report([*single.values(), direct], baseline=single["daphne"])
        fastest = max(single, key=lambda name: single[name].median("aggregate", lambda each: each.calls_per_second))
        print(f"\nThe fastest is {fastest}: with two workers, and with clients of the newer revision.")
        several = [start(fastest), start(fastest, workers=2), start(fastest, era=NEWER)]
        measure(several, rounds=options.rounds, seconds=options.seconds)
        report(several, baseline=several[0])


if __name__ == "__main__":
    main()
