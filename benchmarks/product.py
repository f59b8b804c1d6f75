"""What the measurements share: a product of their own, servers beside it, MCP calls over and over, medians.

Nothing is measured here: run `benchmarks.servers` or `benchmarks.query`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import httptools
import psutil
import uvloop

PROJECT = Path(__file__).resolve().parent.parent
APPLICATION = "config.asgi:application"
POOL_SIZE = 4  # for asyncpg alone: as many as one caller gets from a process of ours, a third being kept for others
OLDER, NEWER = "2025-11-25", "2026-07-28"
NEVER_INHERITED = ("METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY", "WEB_CONCURRENCY")
CLIENT = {"name": "benchmark", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": NEWER,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
START_TIMEOUT_S = 60.0
Json = dict[str, Any]  # Any: JSON
Case = TypeVar("Case", bound=Hashable)


# ── rounds and their medians ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Round:
    """The calls of one round: seconds of each, in order of size, and what they took in all."""

    times: Sequence[float] = field(repr=False)
    seconds: float
    client_cpu_s: float
    server_cpu_s: float = 0.0

    @property
    def calls_per_second(self) -> float:
        return len(self.times) / self.seconds

    @property
    def p50_ms(self) -> float:
        return 1000 * self.times[len(self.times) // 2]

    @property
    def p95_ms(self) -> float:
        return 1000 * self.times[len(self.times) * 95 // 100]

    @property
    def server_ms_per_call(self) -> float:
        return 1000 * self.server_cpu_s / len(self.times)

    @property
    def client_load(self) -> float:
        return self.client_cpu_s / self.seconds


@dataclass
class Contender(Generic[Case]):
    """Something that answers the cases, and what each round of it measured."""

    name: str
    run: Callable[[Case, float], Coroutine[Any, Any, Round]] = field(repr=False)  # Any: asyncio's own
    rounds: dict[Case, list[Round]] = field(default_factory=dict)

    def median(self, case: Case, value: Callable[[Round], float]) -> float:
        return statistics.median(value(each) for each in self.rounds[case])


def measure(contenders: Sequence[Contender[Case]], cases: Sequence[Case], *, rounds: int, seconds: float) -> None:
    """Case by case, the contenders in turns, every other time in the opposite order."""
    # the loop that uvicorn takes: asyncpg alone and the servers have the same
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for case in cases:
            for contender in contenders:
                runner.run(contender.run(case, min(1.0, seconds)))  # pools, caches, imports
            for turn in range(rounds):
                for contender in contenders if turn % 2 == 0 else contenders[::-1]:
                    contender.rounds.setdefault(case, []).append(runner.run(contender.run(case, seconds)))


async def repeat(call: Callable[[], Awaitable[object]], seconds: float, *, concurrency: int) -> Round:
    times: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    end = began + seconds

    async def work() -> None:
        while (start := time.perf_counter()) < end:
            await call()
            times.append(time.perf_counter() - start)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    # until the last answer: those that were under way at the end are counted, so their time is too
    return Round(sorted(times), time.perf_counter() - began, time.process_time() - cpu)


# ── the product ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Product:
    """A `make run` of its own: its servers, keys and demo datasets serve every contender."""

    directory: Path
    environment: dict[str, str] = field(repr=False)

    def read(self, name: str) -> str:
        return (self.directory / "secrets" / name).read_text(encoding="utf-8").strip()

    def manage(self, *arguments: str) -> Any:  # Any: JSON
        command = [sys.executable, "manage.py", *arguments, "--json"]
        done = subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            raise SystemExit(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def create_key(self) -> str:
        return str(self.manage("create_api_key", "benchmark")["key"])

    @property
    def superuser_url(self) -> str:
        return self._runtime()["postgres_superuser_url"]

    def reader_dsn(self, database: str) -> str:
        """Of a demo database, as its own read-only role."""
        port = urlsplit(self._runtime()["metadata_database_url"]).port
        role = f"{database}_reader"
        return f"postgresql://{role}:{quote(self.read(f'{role}_password'), safe='')}@127.0.0.1:{port}/{database}"

    def _runtime(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.directory / "runtime.json").read_text(encoding="utf-8"))
        return found


@contextmanager
def start_product() -> Iterator[Product]:
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-bench-"))
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in NEVER_INHERITED}
    environment = {**kept, "DATA_DIR": str(directory), "PORT": str(find_port()), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "quickstart"]
    quickstart = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is ours: PostgreSQL must not go while others still talk to it
        start_new_session=True,
    )
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


# ── servers beside it ────────────────────────────────────────────────────────────────────────────────────────
def find_port() -> int:
    while True:
        port = random.randint(20_000, 31_999)  # noqa: S311 - no secret
        if not is_listening(port):
            return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def start_process(
    command: Sequence[str],
    *,
    port: int,
    log: Path,
    environment: Mapping[str, str],
    directory: Path = PROJECT,
    answers: Callable[[int], bool] = is_listening,
) -> Iterator[psutil.Process]:
    """A server that answers on its port; away again at the end, with what it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait_until(lambda: answers(port), process, log)
            yield psutil.Process(process.pid)
        finally:
            _stop(process)


def _wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if holds():
            return
        time.sleep(0.1)
    raise SystemExit(f"{log.stem} did not come up:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and those that it started."""
    used = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(times.user + times.system for times in used)


# ── MCP calls ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Door:
    """Where MCP is spoken, in which revision, as whom, and the process that answers."""

    port: int
    process: psutil.Process = field(repr=False)
    key: str = field(default="", repr=False)
    era: str = OLDER


def build_headers(door: Door, message: Json) -> dict[str, str]:
    headers = {
        **({"Authorization": f"Bearer {door.key}"} if door.key else {}),
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": door.era,
    }
    if door.era == OLDER:
        return headers
    return {**headers, "Mcp-Method": message["method"], "Mcp-Name": message["params"]["name"]}


def build_message(method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def build_call(tool: str, arguments: Json, *, era: str = OLDER) -> Json:
    params = {"name": tool, "arguments": arguments}
    return build_message("tools/call", params if era == OLDER else {**params, "_meta": META})


class Link(asyncio.Protocol):
    """One kept-alive HTTP connection, one question at a time.

    httpx takes more CPU for a call than the faster of the servers, on cores that they share.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._session: dict[str, str] = {}
        self._transport: asyncio.Transport | None = None
        self._status = 0

    async def open(self) -> Link:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", self._door.port)
        if self._door.era == OLDER:
            hello = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": CLIENT}
            await self.post(build_message("initialize", hello))
        return self

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def post(self, message: Json) -> bytes:
        """The body of the answer; a refusal of HTTP or of the tool ends the measurement."""
        assert self._transport is not None
        content = json.dumps(message).encode()
        headers = {**build_headers(self._door, message), **self._session, "Content-Length": str(len(content))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self._door.port}\r\n{lines}\r\n".encode() + content
        )
        body = await self._answer
        if self._status != 200 or b'"isError":true' in body.replace(b": ", b":") or b'"result"' not in body:
            raise SystemExit(f"not answered ({self._status}): {body[:1000].decode(errors='replace')}")
        return body

    # ── what asyncio and httptools call ──
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"mcp-session-id":
            self._session = {"Mcp-Session-Id": value.decode()}

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._answer.set_result(b"".join(self._parts))


def read_result(body: bytes) -> Json:
    """The result in a JSON body or in the last event of a stream."""
    events = [line.removeprefix(b"data:") for line in body.splitlines() if line.startswith(b"data:")]
    result: Json = json.loads(events[-1] if events else body)["result"]
    return result


async def call_once(door: Door, message: Json) -> bytes:
    link = await Link(door).open()
    try:
        return await link.post(message)
    finally:
        link.close()


async def list_tools(door: Door) -> dict[str, Json]:
    """Input schemas by the names of the tools."""
    result = read_result(await call_once(door, build_message("tools/list", {})))
    return {tool["name"]: tool["inputSchema"] for tool in result["tools"]}


async def call_repeatedly(
    door: Door, build: Callable[[], Json], *, connections: int, seconds: float, check: Callable[[bytes], object] = len
) -> Round:
    """Messages over and over on that many kept-alive connections; `check` sees every answer."""
    links = [await Link(door).open() for _ in range(connections)]
    free = list(links)

    async def call() -> None:
        link = free.pop()
        check(await link.post(build()))
        free.append(link)

    try:
        before = cpu_seconds(door.process)
        made = await repeat(call, seconds, concurrency=connections)
        return replace(made, server_cpu_s=cpu_seconds(door.process) - before)
    finally:
        for link in links:
            link.close()
