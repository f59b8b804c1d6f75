"""`make run`: the whole product on one machine, from nothing to a URL that an MCP client can use."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import platform
import secrets
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections
from django_dramatiq.management.commands.rundramatiq import Command as RunDramatiq

from config import embedded
from config.embedded import EmbeddedError, Runtime
from config.embedded_servers import (
    find_account,
    find_postgres_home,
    start_postgres,
    start_redis,
    stop_leftover_servers,
)
from config.errors import GatewayError, NameTaken
from config.processes import Child, ProcessSpec, stop_marked
from config.supervisor import Supervisor
from datasets.demo.databases import DEMO_DATABASES, prepare_database, reader_dsn
from datasets.demo.onboarding import (
    DEMO_DATASETS,
    DemoDataset,
    approve_reviewable,
    confirm_design,
    find_unready,
    register_demo,
)
from datasets.keys import create_api_key

ADMIN = "admin"
KEY_NAME = "quickstart"
# tells our web server and worker from every other Python process, should a supervisor die without stopping them
MARK = "MCP_ANALYTICS_SUPERVISED_IN"
WEB_TIMEOUT_S = 60.0
PROFILES_TIMEOUT_S = 90.0
SERVERS, PROGRAMS = 0, 1


class StopRequested(KeyboardInterrupt):
    """A signal asked us to stop. asyncio, too, lets a KeyboardInterrupt through."""


class StopSignals:
    """Turns signals into `StopRequested`, at once and once more at the next look.

    Once more, since an exception that a signal raises is lost where Python happens to run a finalizer or, around
    every start of a child, its fork callbacks.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received = ""
        self.stopping = False

    def __enter__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in self.NUMBERS}
        for number, handler in self._before.items():
            # nohup ignores SIGHUP for us; a script that starts us in the background ignores SIGINT, wrongly
            if number != signal.SIGHUP or handler is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        # a second Ctrl-C must not interrupt the stopping
        if not self.received:
            self.received = signal.Signals(number).name
            self.raise_received()

    def raise_received(self) -> None:
        if self.received and not self.stopping:
            raise StopRequested(self.received)


@dataclass(frozen=True)
class FirstStart:
    """What is shown once and kept nowhere; "" on later starts."""

    admin_password: str
    api_key: str


class Command(BaseCommand):
    help = "Start everything on this machine: embedded PostgreSQL and Redis, worker, web server, demo datasets."
    # the metadata database does not run yet
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def handle(self, **options: Any) -> None:  # Any: Django's own options
        self.started_at = time.monotonic()
        self.directory: Path = settings.DATA_DIR
        self.signals = StopSignals()
        self.supervisor = Supervisor(self.say, self.signals.raise_received)
        try:
            with embedded.hold_directory(self.directory), self.signals:
                self.runtime = plan()
                self._run()
        except EmbeddedError as error:
            raise CommandError(f"{error.message}\n{error.hint}".rstrip()) from error

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone; the work goes on, or stops, all the same
            self.stdout.write(f"{time.monotonic() - self.started_at:6.1f} s  {text}")
            self.stdout.flush()

    def _run(self) -> None:
        try:
            self._start()
            self.supervisor.watch()
        except StopRequested as request:
            self.say(f"stopping ({request})")
        finally:
            self._stop()
            self.say("everything has stopped")

    def _stop(self) -> None:
        self.signals.stopping = True
        embedded.remove_runtime(self.directory)
        self.supervisor.stop()
        # what was being started when the signal came is in nobody's list
        self._stop_leftovers()

    def _stop_leftovers(self) -> None:
        stop_marked(MARK, str(self.directory))
        stop_leftover_servers(self.directory, postgres=self.runtime.embeds_postgres, redis=self.runtime.embeds_redis)

    def _start(self) -> None:
        self._stop_leftovers()
        self._refuse_taken_port()
        self._start_servers()
        self.say("bringing the metadata database up to date")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            raise EmbeddedError(
                "The metadata database cannot be reached.", hint="Start it, or correct METADATA_DATABASE_URL."
            ) from error
        embedded.write_runtime(self.directory, self.runtime)
        self._start_programs()
        self._prepare_demos()
        self._wait_for_web()
        self._show_summary(self._make_first_access())
        connections.close_all()

    # ── servers and programs ─────────────────────────────────────────────────────────────────────────────────

    def _refuse_taken_port(self) -> None:
        port = urlsplit(self.runtime.web_url).port or 80
        try:
            free = embedded.is_port_free(port, read_host())
        except OSError as error:
            raise EmbeddedError(
                f"The web server cannot listen on {read_host()}:{port}: {error.strerror}.",
                hint="HOST and PORT say where; PORT must be above 1023 for an ordinary user.",
            ) from error
        if not free:
            raise EmbeddedError(
                f"Port {port} is in use by another program, so the web server cannot start.",
                hint=f"Stop that program, or choose another port: make run PORT={port + 1}",
            )

    def _start_servers(self) -> None:
        self._move_from_taken_ports()
        if self.runtime.embeds_redis:
            self.supervisor.add("Redis", self._start_redis, stage=SERVERS)
            self.say("Redis is ready")
        else:
            self.say("using the Redis of REDIS_URL")
        if self.runtime.embeds_postgres:
            self.supervisor.add("PostgreSQL", self._start_postgres, stage=SERVERS)
            home = find_postgres_home(self.directory, find_account())
            elsewhere = "" if home.is_relative_to(self.directory) else f"; its user cannot pass here: data in {home}"
            self.say(f"PostgreSQL is ready{elsewhere}")
        else:
            self.say("using the PostgreSQL of METADATA_DATABASE_URL")

    def _move_from_taken_ports(self) -> None:
        """Settings are read already, so a server that has to move makes this command start again."""
        planned = {
            "redis": self.runtime.redis_url if self.runtime.embeds_redis else "",
            "postgres": self.runtime.postgres_superuser_url,
        }
        ports = {server: urlsplit(url).port or 0 for server, url in planned.items() if url}
        taken = [server for server, port in ports.items() if not embedded.is_port_free(port)]
        for server, port in ports.items():
            embedded.keep_port(self.directory, server, embedded.pick_free_port() if server in taken else port)
        if taken:
            self.say(f"another program uses the port of {' and '.join(taken)}; moving to a free one")
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - ourselves, with our own arguments

    def _start_redis(self) -> Child:
        return start_redis(self.directory, url=self.runtime.redis_url, log_path=self._log("redis"))

    def _start_postgres(self) -> Child:
        return start_postgres(
            self.directory,
            superuser_url=self.runtime.postgres_superuser_url,
            metadata_url=self.runtime.metadata_database_url,
            log_path=self._log("postgres"),
        )

    def _start_programs(self) -> None:
        self.say("starting the web server, the worker and the scheduler")
        self.supervisor.add("worker", lambda: self._start_program("worker", worker_command()), stage=PROGRAMS)
        self.supervisor.add("scheduler", lambda: self._start_program("scheduler", scheduler_command()), stage=PROGRAMS)
        self.supervisor.add("web", lambda: self._start_program("web", self._web_command()), stage=PROGRAMS)

    def _web_command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "uvicorn", "config.asgi:application"),
            *("--host", read_host()),
            *("--port", str(urlsplit(self.runtime.web_url).port)),
            *("--workers", read_concurrency()),
            *("--timeout-graceful-shutdown", "5"),
            # the query log records every call; a proxy is none of a laptop's business
            "--no-access-log",
            "--no-proxy-headers",
        ]

    def _start_program(self, name: str, command: list[str]) -> Child:
        environment = {
            **os.environ,
            "METADATA_DATABASE_URL": self.runtime.metadata_database_url,
            "REDIS_URL": self.runtime.redis_url,
            "SECRET_KEY": settings.SECRET_KEY,
            "ENCRYPTION_KEY": ",".join(settings.ENCRYPTION_KEYS),
            "DATA_DIR": str(self.directory),
            "MCP_ANALYTICS_EMBEDDED": "1",
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.directory),
        }
        return Child(
            ProcessSpec(
                name=name,
                command=tuple(command),
                directory=settings.BASE_DIR,
                log_path=self._log(name),
                environment=environment,
            )
        )

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def _wait_for_web(self) -> None:
        if not self.supervisor.wait_until(lambda: answers(f"{self.runtime.web_url}/healthz"), timeout_s=WEB_TIMEOUT_S):
            raise EmbeddedError(
                f"The web server did not answer within {WEB_TIMEOUT_S:.0f} s.", hint=self.supervisor.last_words("web")
            )

    # ── demo datasets ────────────────────────────────────────────────────────────────────────────────────────

    def _prepare_demos(self) -> None:
        if not self.runtime.embeds_postgres:
            self.say("no demo datasets: they are made on the embedded PostgreSQL only")
            return
        dsns = self._load_demo_databases()
        try:
            waiting = {found for demo in DEMO_DATASETS if (found := self._register(demo, dsns[demo.database.name]))}
            self._approve(waiting)
            self._confirm_designs()
        except GatewayError as error:
            # a demo that fails must not keep the product from running
            self.say(f"warning: the demo datasets are not complete: {error.message} {error.hint}")

    def _load_demo_databases(self) -> dict[str, str]:
        """The connection string to register, by database."""
        dsns = {}
        for database in DEMO_DATABASES:
            password = embedded.load_or_create_secret(
                self.directory, f"{database.reader}_password", embedded.make_password
            )
            if prepare_database(self.runtime.postgres_superuser_url, database, reader_password=password):
                self.say(f"loaded the demo database {database.name}")
            dsns[database.name] = reader_dsn(self.runtime.postgres_superuser_url, database, reader_password=password)
        return dsns

    def _register(self, demo: DemoDataset, dsn: str) -> int | None:
        self.supervisor.check()
        dataset_id = register_demo(demo, dsn)
        if dataset_id:
            self.say(f"registered {demo.name}; the worker profiles it")
        return dataset_id

    def _approve(self, dataset_ids: set[int]) -> None:
        if not dataset_ids:
            return
        self.supervisor.wait_until(lambda: not approve_reviewable(dataset_ids), timeout_s=PROFILES_TIMEOUT_S)
        unready = find_unready(dataset_ids)
        for dataset in unready:
            reason = dataset.status_reason or f"still {dataset.get_status_display().lower()}"
            self.say(f"warning: {dataset.name} is not ready ({reason}). The worker's log: {self._log('worker')}")
        if not unready:
            self.say("the demo datasets are approved")

    def _confirm_designs(self) -> None:
        confirmed = [demo.name for demo in DEMO_DATASETS if confirm_design(demo)]
        if confirmed:
            self.say(f"confirmed the survey designs of {', '.join(confirmed)}")

    # ── access ───────────────────────────────────────────────────────────────────────────────────────────────

    def _make_first_access(self) -> FirstStart:
        """Made last, so that a start that is killed earlier has not used up what is shown once."""
        return FirstStart(admin_password=make_admin(), api_key=make_key())

    def _show_summary(self, first: FirstStart) -> None:
        url = self.runtime.web_url
        self.say(f"ready on {platform.node() or 'this machine'}")
        password = (
            f"password {first.admin_password} (shown this once)" if first.admin_password else "password as before"
        )
        key = first.api_key or "<your key>"
        lines = [
            "",
            f"  Admin    {url}/admin/   user {ADMIN}, {password}",
            f"  MCP      {url}/mcp",
            f"  API key  {first.api_key} (shown this once)" if first.api_key else "  API key  as before",
            "           another one: .venv/bin/python manage.py create_api_key NAME",
            f"  Data     {self.directory}   Logs  {self.directory / 'logs'}",
            "",
            "  Connect Claude Code:",
            f'  claude mcp add --transport http mcp-analytics {url}/mcp --header "Authorization: Bearer {key}"',
            "",
            "  Ctrl-C stops everything; the data stays.",
            "",
        ]
        with contextlib.suppress(OSError):
            self.stdout.write("\n".join(lines))
            self.stdout.flush()


def plan() -> Runtime:
    planned: Runtime | None = settings.RUNTIME
    if planned is None:
        raise EmbeddedError("Settings made no plan.", hint="Start it as a command: python manage.py quickstart")
    return replace(planned, supervisor_pid=os.getpid())


def worker_command() -> list[str]:
    """What `manage.py rundramatiq` would run, without the seconds in which it loads Django only to find the actors."""
    actors = RunDramatiq(stdout=io.StringIO()).discover_tasks_modules()
    options = ["--path", ".", "--processes", "1", "--threads", "4", "--worker-shutdown-timeout", "5000"]
    return [sys.executable, "-m", "dramatiq", *options, *actors]


def scheduler_command() -> list[str]:
    return [sys.executable, "manage.py", "crontab", "--no-heartbeat"]


def make_admin() -> str:
    """The password of a new superuser; "" where there is one already."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists() or users.filter(username=ADMIN).exists():
        return ""
    password = secrets.token_urlsafe(12)
    users.create_superuser(username=ADMIN, password=password)
    return password


def make_key() -> str:
    try:
        return create_api_key(KEY_NAME, created_by="quickstart")
    except NameTaken:
        return ""


def read_host() -> str:
    return os.environ.get("HOST", "").strip() or "127.0.0.1"


def read_concurrency() -> str:
    workers = os.environ.get("WEB_CONCURRENCY", "").strip() or "1"
    if not workers.isdigit() or int(workers) < 1:
        raise EmbeddedError(f"WEB_CONCURRENCY is {workers!r}.", hint="A whole number of at least 1.")
    return workers


def answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
