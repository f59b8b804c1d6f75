"""Questions a second through /mcp, beside asyncpg alone and beside other MCP servers on the same data.

Starts everything it needs in a temporary directory and stops it again; what it prints is docs/performance.md's tables.
Ours does what it does for every client: key, parse, guard, govern, limit, read-only transaction, query log.
Contenders are measured in turns, several rounds, and medians are shown: other work on the machine hits all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import bpe_openai  # type: ignore[import-untyped]  # brings no types
import psycopg
import yaml
from fastmcp import Context, FastMCP
from psycopg import sql
from starlette.types import ASGIApp

from benchmarks.product import (
    APPLICATION,
    POOL_SIZE,
    PROJECT,
    Contender,
    Door,
    Json,
    Product,
    Round,
    build_call,
    call_once,
    call_repeatedly,
    find_port,
    list_tools,
    measure,
    read_result,
    repeat,
    start_process,
    start_product,
)
from config.embedded import make_password, postgres_url
from datasets.demo.databases import CREATE_READER, GRANTS, SET_PASSWORD

CONNECTIONS = (1, 30)
ROWS = 1000
BUDGET = 1_000_000  # tokens, where a tool's own schema names no limit
DATABASE = "bench_panel"
COPIES = tuple(f"{DATABASE}_{number}" for number in range(2, 6))
DIRECT = f"asyncpg alone, {POOL_SIZE} connections"
NODE = PROJECT / ".tools" / "node"
PACKAGES = ("@toolbox-sdk/server@1.12.0", "@bytebase/dbhub@1.4.0")
TOOLBOX_OPTIONS = ("--disable-reload", "--disable-version-check", "--log-level", "WARN")
PLAIN_DSN = "BENCH_PLAIN_DSN"

# no primary key and every id twice: to the product these rows are groups, not persons
TABLES = """
CREATE TABLE bench_events (person_id int, category text, day date, minutes numeric);
INSERT INTO bench_events SELECT i * 7919 % 5003, 'Category ' || i % 23, date '2026-01-01' + i % 90, i % 613 / 10.0
    FROM generate_series(1, 200000) AS i;
CREATE TABLE bench_rows AS SELECT i AS id, i * 31 % 97 AS visits, 'Row ' || to_char(i, 'FM0000') AS label,
        (ARRAY['Entertainment', 'News', 'Shopping', 'Travel'])[i % 4 + 1] AS category,
        date '2026-01-01' + i % 90 AS day, timestamp '2026-01-01 00:00' + i * interval '97 minutes' AS seen_at,
        round(i * 7919 % 5003 / 1000.0, 4) AS weight, sqrt(i) AS score, i % 3 = 0 AS active,
        i * 100000007::bigint AS total
    FROM generate_series(1, 1000) AS i CROSS JOIN generate_series(1, 2);
"""
# {n} is 1 where the same question is asked again, else a number that was never asked before
QUESTIONS: Mapping[str, str] = {
    "constant": "SELECT {n} AS one",
    "group": "SELECT category, count(*) AS n, sum(minutes) AS minutes FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY category ORDER BY category",
    "rows": "SELECT id, label, category, day, seen_at, weight, score, active, total, max(visits) AS visits"
    " FROM bench_rows WHERE id <> -{n} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY id",
}
SEVERAL = (
    "SELECT category, count(DISTINCT person_id) AS reach FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY 1 ORDER BY 1",
    "SELECT day, count(*) AS n, sum(minutes) AS minutes FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY 1 ORDER BY 1",
    "SELECT date_trunc('month', day) AS month, category, sum(minutes) AS minutes FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT category, avg(minutes) AS mean, stddev(minutes) AS spread FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY 1 ORDER BY 1",
    "SELECT day, max(minutes) AS most, min(minutes) AS least FROM bench_events WHERE person_id <> -{n}"
    " GROUP BY 1 ORDER BY 2 DESC, 1",
    "SELECT category, percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes) AS middle FROM bench_events"
    " WHERE person_id <> -{n} GROUP BY 1 ORDER BY 1",
)
PARTS = (*QUESTIONS, "several", "tokens")
HEADS = "calls/s | to asyncpg | p50 ms | p95 ms | CPU ms a call"
numbers = itertools.count(1001)


@dataclass(frozen=True)
class Question:
    """`fresh` asks for something new each time, so that neither plan nor result can be kept."""

    name: str
    connections: int
    fresh: bool

    def pick(self) -> int:
        return next(numbers) if self.fresh else 1

    def write(self) -> str:
        return QUESTIONS[self.name].format(n=self.pick())


# ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────
def create_database(product: Product) -> str:
    """The data of the measurement, as a dataset of the product; its reader's URL."""
    password, names = make_password(), {"database": sql.Identifier(DATABASE), "reader": sql.Identifier("bench_reader")}
    with psycopg.connect(product.superuser_url, autocommit=True) as server:
        server.execute(sql.SQL(CREATE_READER).format(**names))
        server.execute(sql.SQL(SET_PASSWORD).format(**names, password=sql.Literal(password)))
        server.execute(sql.SQL("CREATE DATABASE {database} TEMPLATE template0").format(**names))
    url = urlsplit(product.superuser_url)
    with psycopg.connect(url._replace(path=f"/{DATABASE}").geturl(), autocommit=True) as database:
        database.execute(TABLES.encode())
        database.execute(sql.SQL(GRANTS).format(**names))
        database.execute("VACUUM ANALYZE")
    dsn = postgres_url("bench_reader", password, port=url.port or 5432, database=DATABASE)
    register(product, DATABASE, dsn)
    return dsn


def copy_database(product: Product, dsn: str, name: str) -> str:
    names = {
        "copy": sql.Identifier(name),
        "database": sql.Identifier(DATABASE),
        "reader": sql.Identifier("bench_reader"),
    }
    with psycopg.connect(product.superuser_url, autocommit=True) as server:
        # pools keep connections to it and make new ones, and a template must have none
        server.execute(sql.SQL("ALTER DATABASE {database} ALLOW_CONNECTIONS false").format(**names))
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [DATABASE])
        server.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {database}").format(**names))
        server.execute(sql.SQL("ALTER DATABASE {database} ALLOW_CONNECTIONS true").format(**names))
        server.execute(sql.SQL("ALTER DATABASE {copy} ALLOW_CONNECTIONS true").format(**names))
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {copy} FROM PUBLIC").format(**names))
        server.execute(sql.SQL("GRANT CONNECT ON DATABASE {copy} TO {reader}").format(**names))
    copied = urlsplit(dsn)._replace(path=f"/{name}").geturl()
    register(product, name, copied)
    return copied


def register(product: Product, name: str, dsn: str) -> None:
    product.manage("register_dataset", name, dsn, "--design", "none", "--personal-data", "visible", "--approve")


# ── the servers ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Setting:
    """What a server is started with; `peers` is where npm put the others."""

    port: int
    dsn: str = field(repr=False)
    peers: Path
    directory: Path


@dataclass(frozen=True)
class Server:
    """An MCP server and how its tool for SQL is called."""

    name: str
    door: Door
    tool: str
    arguments: Json = field(default_factory=dict)

    def build(self, text: str) -> Json:
        return build_call(self.tool, {**self.arguments, "sql": text})


def command_plain(setting: Setting) -> list[str]:
    return command_uvicorn("benchmarks.query:build_plain_app", setting.port, "--factory")


def command_uvicorn(application: str, port: int, *more: str) -> list[str]:
    options = ("--port", str(port), "--workers", "1", "--no-access-log", "--no-proxy-headers", *more)
    return [sys.executable, "-m", "uvicorn", application, *options]


def build_plain_app() -> ASGIApp:
    """What one writes first: FastMCP, asyncpg, and nothing that keeps the caller from anything."""

    @asynccontextmanager
    async def connect(_: FastMCP) -> AsyncIterator[asyncpg.Pool]:
        async with asyncpg.create_pool(os.environ[PLAIN_DSN], min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
            yield {"pool": pool}

    mcp = FastMCP("plain", lifespan=connect)

    @mcp.tool
    async def execute_sql(context: Context, sql: str) -> list[dict[str, Any]]:  # Any: what PostgreSQL returns
        """Run SQL and get its rows."""
        pool: asyncpg.Pool = context.lifespan_context["pool"]
        return [dict(row) for row in await pool.fetch(sql)]

    return mcp.http_app(path="/mcp", stateless_http=True)


def command_toolbox(setting: Setting) -> list[str]:
    program = setting.peers / "node_modules" / "@toolbox-sdk" / "server-linux-x64" / "bin" / "toolbox"
    url = urlsplit(setting.dsn)
    place = {"host": url.hostname, "port": url.port, "database": url.path[1:], "user": url.username}
    source = {"kind": "source", "name": "bench", "type": "postgres", **place, "password": url.password}
    tool = {"kind": "tool", "name": "execute_sql", "type": "postgres-execute-sql", "source": "bench"}
    tools = setting.directory / "tools.yaml"
    tools.write_text(yaml.safe_dump_all([source, {**tool, "description": "Run SQL."}]), encoding="utf-8")
    return [str(program), "--config", str(tools), "--port", str(setting.port), *TOOLBOX_OPTIONS]


def command_dbhub(setting: Setting) -> list[str]:
    script = setting.peers / "node_modules" / "@bytebase" / "dbhub" / "dist" / "index.js"
    options = ("--transport", "http", "--port", str(setting.port), "--dsn", f"{setting.dsn}?sslmode=disable")
    return [str(NODE / "bin" / "node"), str(script), *options]


# what each has by default: pgx the larger of 4 and the cores, node-postgres 10
PEERS: Mapping[str, Callable[[Setting], list[str]]] = {
    f"plain FastMCP + asyncpg, {POOL_SIZE} connections": command_plain,
    f"Toolbox 1.12.0, {max(4, os.cpu_count() or 1)} connections": command_toolbox,
    "DBHub 1.4.0, 10 connections": command_dbhub,
}


def install_peers(directory: Path) -> None:
    if not NODE.exists():
        subprocess.run(["make", "tools"], cwd=PROJECT, check=True)
    directory.mkdir(parents=True, exist_ok=True)
    npm = [str(NODE / "bin" / "node"), str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    options = ("--prefix", str(directory), "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact")
    environment = {**os.environ, "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}"}
    subprocess.run([*npm, "install", *options, *PACKAGES], cwd=directory, env=environment, check=True)


@contextmanager
def start_ours(product: Product) -> Iterator[Server]:
    port, key = find_port(), product.create_key()
    log = product.directory / "ours.log"
    command = command_uvicorn(APPLICATION, port)
    with start_process(command, port=port, log=log, environment=product.environment) as process:
        door = Door(port, process, key)
        schema = asyncio.run(list_tools(door))["execute_query"]
        arguments = {"dataset": DATABASE, **lift_budget(schema)}
        yield Server(f"ours, {POOL_SIZE} connections", door, "execute_query", arguments)


def lift_budget(schema: Json) -> Json:
    """`max_tokens` as high as the tool takes it; nothing where it has no such argument."""
    argument = schema["properties"].get("max_tokens")
    if argument is None:
        return {}
    bounds = [kind["maximum"] for kind in (argument, *argument.get("anyOf", ())) if "maximum" in kind]
    return {"max_tokens": min(bounds, default=BUDGET)}


@contextmanager
def start_peer(name: str, setting: Setting) -> Iterator[Server]:
    command = PEERS[name](setting)
    process = start_process(
        command,
        port=setting.port,
        log=setting.directory / f"{name.split()[0]}.log",
        environment={**os.environ, PLAIN_DSN: setting.dsn},
        # DBHub would read a .env that lies where it starts
        directory=PROJECT if PEERS[name] is command_plain else setting.directory,
    )
    with process as found:
        yield Server(name, Door(setting.port, found), "execute_sql")


def is_installed(name: str, setting: Setting) -> bool:
    """Whether the programs of its command are there."""
    return all(Path(part).exists() for part in PEERS[name](setting)[:2] if part.startswith("/"))


# ── one question ─────────────────────────────────────────────────────────────────────────────────────────────
def contend(server: Server) -> Contender[Question]:
    async def run(question: Question, seconds: float) -> Round:
        def build() -> Json:
            return server.build(question.write())

        return await call_repeatedly(server.door, build, connections=question.connections, seconds=seconds)

    return Contender(server.name, run)


async def check_answer(server: Server) -> None:
    """A server that is fast because it answers something else has no place in the tables."""
    number = str(next(numbers) * 7919)
    text = read_text(await call_once(server.door, server.build(f"SELECT {number} AS one")))
    if number not in text:
        raise SystemExit(f"{server.name} does not answer what it is asked: {text[:1000]}")


def contend_directly(dsn: str) -> Contender[Question]:
    """The same text by asyncpg alone: a pooled connection, one fetch, no transaction, no log."""

    async def run(question: Question, seconds: float) -> Round:
        async with asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
            return await repeat(lambda: pool.fetch(question.write()), seconds, concurrency=question.connections)

    return Contender(DIRECT, run)


# ── several questions in one call ────────────────────────────────────────────────────────────────────────────
def build_several(question: Question, datasets: Sequence[str]) -> list[tuple[str, str]]:
    """Dataset and SQL: every statement in every database, 30 in all."""
    return [(name, text.format(n=question.pick())) for text in SEVERAL for name in datasets]


def contend_several(server: Server, datasets: Sequence[str], budget: Json) -> Contender[Question]:
    async def run(question: Question, seconds: float) -> Round:
        def build() -> Json:
            asked = enumerate(build_several(question, datasets))
            queries = [{"dataset": name, "sql": text, "label": f"q{n + 1}"} for n, (name, text) in asked]
            return build_call("execute_multi_query", {"queries": queries, **budget})

        return await call_repeatedly(server.door, build, connections=1, seconds=seconds, check=check_several)

    return Contender("ours, one call", run)


def check_several(body: bytes) -> None:
    outcomes = [made["status"] for made in read_result(body)["structuredContent"]["queries"]]
    if outcomes != ["answered"] * len(SEVERAL) * (1 + len(COPIES)):
        raise SystemExit(f"execute_multi_query did not answer all: {outcomes}: {read_text(body)[:2000]}")


def contend_several_directly(dsns: Mapping[str, str]) -> Contender[Question]:
    async def run(question: Question, seconds: float) -> Round:
        async with AsyncExitStack() as stack:
            pools = {
                name: await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE))
                for name, dsn in dsns.items()
            }

            async def call() -> None:
                await asyncio.gather(*(pools[name].fetch(text) for name, text in build_several(question, list(dsns))))

            return await repeat(call, seconds, concurrency=1)

    return Contender(f"asyncpg alone, {len(dsns)} pools of {POOL_SIZE}", run)


def measure_several(server: Server, product: Product, dsn: str, *, rounds: int, seconds: float) -> None:
    print(f"\n## {len(SEVERAL) * (1 + len(COPIES))} questions to {1 + len(COPIES)} databases")
    schema = asyncio.run(list_tools(server.door)).get("execute_multi_query")
    if schema is None:
        print("\nNot measured: this server has no tool execute_multi_query.")
        return
    dsns = {DATABASE: dsn, **{name: copy_database(product, dsn, name) for name in COPIES}}
    contenders = [contend_several(server, list(dsns), lift_budget(schema)), contend_several_directly(dsns)]
    measure(contenders, [Question("several", 1, fresh) for fresh in (False, True)], rounds=rounds, seconds=seconds)
    report(contenders, "several", 1, absent=())


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────
def count_tokens(servers: Sequence[Server], absent: Sequence[str]) -> None:
    """What a model reads for the same rows, by the tokens of o200k."""
    encoding = bpe_openai.get_encoding("o200k_base")
    print(f"\n## Tokens of {ROWS:,} rows\n")
    print("| server | rows shown | tokens | tokens a row | characters | bytes on the wire |")
    print("|---|---:|---:|---:|---:|---:|")
    for server in servers:
        body = asyncio.run(call_once(server.door, server.build(Question("rows", 1, fresh=False).write())))
        text = read_text(body)
        shown, tokens = len(set(re.findall(r"Row \d{4}", text))), len(encoding.encode(text))
        print(
            f"| {server.name} | {shown:,} | {tokens:,} | {tokens / max(1, shown):.1f} | {len(text):,} | {len(body):,} |"
        )
    for missing in absent:
        print(f"| {missing} | not installed |{' |' * 4}")


def read_text(body: bytes) -> str:
    """What the model sees of an answer."""
    return "\n".join(part["text"] for part in read_result(body)["content"] if part["type"] == "text")


# ── the tables ───────────────────────────────────────────────────────────────────────────────────────────────
def report(contenders: Sequence[Contender[Question]], name: str, connections: int, *, absent: Sequence[str]) -> None:
    """Both ways of asking side by side; asyncpg, which is the measure, comes last."""
    asked = f"`{QUESTIONS[name].format(n=1)}`, " if name in QUESTIONS else ""
    print(f"\n{asked}{connections} connection{'s' if connections > 1 else ''}\n")
    print(f"| | {' | '.join(f'{way}: {HEADS}' for way in ('same question', 'a new one each time'))} |")
    print(f"|---|{'---:|' * 10}")
    for contender in contenders:
        ways = (Question(name, connections, fresh) for fresh in (False, True))
        print(f"| {contender.name} | {' | '.join(show(contender, way, contenders[-1]) for way in ways)} |")
    for missing in absent:
        print(f"| {missing} | not installed |{' |' * 9}")


def show(contender: Contender[Question], question: Question, baseline: Contender[Question]) -> str:
    rate = contender.median(question, lambda each: each.calls_per_second)
    base = baseline.median(question, lambda each: each.calls_per_second)
    p50, p95, cpu = (
        contender.median(question, value) for value in (lambda each: each.p50_ms, lambda each: each.p95_ms, find_cpu_ms)
    )
    return f"{rate:,.1f} | {rate / base:.3f} | {p50:.2f} | {p95:.2f} | {cpu:.2f}"


def find_cpu_ms(made: Round) -> float:
    """Of the server; asyncpg alone has none, so this process's own."""
    return made.server_ms_per_call or 1000 * made.client_cpu_s / len(made.times)


def measure_questions(
    contenders: Sequence[Contender[Question]],
    names: Sequence[str],
    absent: Sequence[str],
    *,
    rounds: int,
    seconds: float,
) -> None:
    for name in names:
        for connections in CONNECTIONS:
            ways = [Question(name, connections, fresh) for fresh in (False, True)]
            measure(contenders, ways, rounds=rounds, seconds=seconds)
            report(contenders, name, connections, absent=absent)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    default = Path(os.environ.get("BENCH_PEERS") or PROJECT / ".tools" / "peers")
    parser.add_argument("--peers", type=Path, default=default, help="where npm put Toolbox and DBHub (BENCH_PEERS)")
    parser.add_argument("--install-peers", action="store_true", help="put them there first")
    return parser.parse_args()


def stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # as Ctrl-C: what was started is stopped on the way out


def main() -> None:
    options = parse_options()
    signal.signal(signal.SIGTERM, stop)
    if options.install_peers:
        install_peers(options.peers)
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "fastmcp", "asyncpg"))
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {packages}")
    print(f"load {os.getloadavg()[0]:.1f}; medians of {options.rounds} rounds of {options.seconds:g} s, in turns")
    print(f"asyncpg alone has a pool of {POOL_SIZE}; its CPU is the caller's own, that of the others the server's")
    try:
        with start_product() as product, ExitStack() as stack:
            run(product, stack, options)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def run(product: Product, stack: ExitStack, options: argparse.Namespace) -> None:
    dsn = create_database(product)
    settings = {name: Setting(find_port(), dsn, options.peers.resolve(), product.directory) for name in PEERS}
    absent = [name for name, setting in settings.items() if not is_installed(name, setting)]
    ours = stack.enter_context(start_ours(product))
    peers = [stack.enter_context(start_peer(name, settings[name])) for name in PEERS if name not in absent]
    for server in (ours, *peers):
        asyncio.run(check_answer(server))
    contenders = [contend(server) for server in (ours, *peers)]
    turn = {"rounds": options.rounds, "seconds": options.seconds}
    names = [name for name in QUESTIONS if name in options.only]
    measure_questions([*contenders, contend_directly(dsn)], names, absent, **turn)
    if "several" in options.only:
        measure_several(ours, product, dsn, **turn)
    if "tokens" in options.only:
        count_tokens([ours, *peers], absent)


if __name__ == "__main__":
    main()
