"""The product as processes: real web servers and a real worker on the session's PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from config.embedded import pick_free_port
from config.processes import Child, ProcessSpec

PROJECT = Path(__file__).resolve().parent.parent
SERVERS: Mapping[str, Callable[[int], list[str]]] = {
    "uvicorn": lambda port: ["uvicorn", "config.asgi:application", "--port", str(port), "--no-access-log"],
    "daphne": lambda port: ["daphne", "config.asgi:application", "-b", "127.0.0.1", "-p", str(port)],
    "granian": lambda port: ["granian", "--interface", "asgi", "config.asgi:application", "--port", str(port)],
}


@dataclass
class Product:
    """One installation; `environment` is what its processes and commands run with."""

    directory: Path
    environment: dict[str, str] = field(repr=False)
    children: list[Child] = field(default_factory=list)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage_json(self, *arguments: str) -> Any:  # Any: JSON
        return json.loads(self.manage(*arguments, "--json").stdout)

    def start(self, name: str, command: list[str], **changes: str) -> Child:
        child = Child(
            ProcessSpec(
                name=name,
                command=(sys.executable, *command),
                directory=PROJECT,
                log_path=self.directory / f"{name}.log",
                environment={**self.environment, **changes},
            )
        )
        self.children.append(child)
        return child

    def start_worker(self) -> Child:
        return self.start("worker", ["manage.py", "rundramatiq", "--processes", "1", "--threads", "2"])

    def start_web(self, server: str, **changes: str) -> str:
        """The URL of a new web process that answers; `changes` are environment variables of its own."""
        port = pick_free_port()
        self.start(f"{server}-{port}", ["-m", *SERVERS[server](port)], **changes)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: fetch_status(f"{url}/healthz") == 200, what=f"{server} answers")
        return url

    def stop(self) -> None:
        for child in self.children:
            child.request_stop()
        for child in self.children:
            child.finish_stop()


def build_environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **changes}


def wait_until(holds: Callable[[], bool], *, what: str, timeout_s: float = 30) -> float:
    """Seconds until it held; fails where it does not in time."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start


def fetch_status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def fetch_json(url: str) -> Any:  # Any: JSON
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


@asynccontextmanager
async def connect(url: str, key: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """The official Python client: `auto` speaks 2026-07-28, `legacy` the initialize handshake."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client
