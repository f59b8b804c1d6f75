"""`manage.py quickstart` from an empty directory, and after everything that can happen to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from config import embedded
from config.embedded_servers import find_account, find_postgres_home, stop_leftover_servers
from config.management.commands.quickstart import MARK
from config.processes import find_processes, stop_marked
from tests.servers import MakeDatabase

pytestmark = pytest.mark.e2e
READY_WITHIN_S = 20
# generous: several of these share a busy machine
PATIENCE_S = 60
OURS = ("METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY", "MCP_ANALYTICS_EMBEDDED", "PORT", "HOST")
DEMOS = ["nhanes2009", "panel_in", "panel_in_monthly", "yrbs2015"]


@dataclass
class Product:
    """A data directory, a port, and the quickstart that a test runs there."""

    directory: Path
    port: int = field(default_factory=embedded.pick_free_port)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        return (self.directory / "output").read_text()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return {**kept, "DATA_DIR": str(self.directory), "PORT": str(self.port), **self.environment}

    def start(self) -> None:
        with (self.directory / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "quickstart"],
                cwd=embedded.PROJECT_DIR,
                env=self.variables(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def start_and_wait(self) -> str:
        self.start()
        self.wait_for("Ctrl-C stops everything")
        return self.output

    def wait_for(self, text: str, *, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.output.count(text) < times:
            assert self.process is not None
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"it did not stop:\n{self.output}")

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=embedded.PROJECT_DIR,
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def read_statuses(self) -> dict[str, str]:
        """Status by dataset, as a command beside the running product sees it."""
        listed = self.manage("list_datasets", "--json")
        assert listed.returncode == 0, listed.stderr
        return {dataset["name"]: dataset["status"] for dataset in json.loads(listed.stdout)["datasets"]}

    def find_all(self) -> list[psutil.Process]:
        """Every process of this installation but the supervisor."""
        marked = [process for process in psutil.process_iter() if self._is_marked(process)]
        postgres = find_processes("postgres", find_postgres_home(self.directory, find_account()) / "data")
        return [*marked, *postgres, *find_processes("redis-server", self.directory / "redis")]

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.directory)
        except (psutil.Error, OSError):
            return False

    def kill_everything(self) -> None:
        assert self.process is not None
        children = self.find_all()
        self.process.kill()
        for child in children:
            # the rest of a server ends by itself once its first process is gone
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait()

    def clean_up(self) -> None:
        if self.is_running():
            self.stop()
        stop_marked(MARK, str(self.directory))
        stop_leftover_servers(self.directory)
        shutil.rmtree(self.directory)


def make_product() -> Product:
    # not tmp_path: pytest closes its parent to the account that PostgreSQL runs as under root
    directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-quickstart-"))
    embedded.prepare_directory(directory)
    return Product(directory)


@pytest.fixture
def product() -> Iterator[Product]:
    made = make_product()
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def first_output() -> Iterator[tuple[Product, str, float]]:
    """A product that was started once and stopped, what it said, and how long it took to be ready."""
    made = make_product()
    try:
        began = time.monotonic()
        output = made.start_and_wait()
        took = time.monotonic() - began
        assert made.stop() == 0
        yield made, output, took
    finally:
        made.clean_up()


@pytest.fixture
def stopped(first_output: tuple[Product, str, float]) -> Product:
    """The product after its first start, stopped."""
    product = first_output[0]
    if product.is_running():
        product.stop()
    return product


@pytest.fixture
def running(first_output: tuple[Product, str, float]) -> Product:
    """The same product, running; started only where the test before left it stopped, since a start takes seconds."""
    product = first_output[0]
    if not product.is_running():
        product.start_and_wait()
    return product


def test_first_start_is_ready_in_time(first_output: tuple[Product, str, float]) -> None:
    assert first_output[2] < READY_WITHIN_S


def test_first_start_shows_password_key_and_how_to_connect(first_output: tuple[Product, str, float]) -> None:
    product, output, _ = first_output

    key = re.search(r"API key +(\S+) \(shown this once\)", output)

    assert re.search(r"user admin, password \S{12,} \(shown this once\)", output)
    assert key
    assert (
        f"claude mcp add --transport http mcp-analytics http://127.0.0.1:{product.port}/mcp "
        f'--header "Authorization: Bearer {key[1]}"'
    ) in output


def test_first_start_confirms_the_survey_designs_of_the_demos(first_output: tuple[Product, str, float]) -> None:
    assert "confirmed the survey designs of panel_in, panel_in_monthly, nhanes2009, yrbs2015" in first_output[1]


def test_stopped_product_leaves_no_process_and_says_that_it_is_gone(stopped: Product) -> None:
    listed = stopped.manage("list_datasets")

    assert stopped.find_all() == []
    assert not (stopped.directory / "runtime.json").exists()
    assert listed.returncode != 0
    assert "make run" in listed.stderr


def test_signal_during_the_start_stops_every_child(stopped: Product) -> None:
    stopped.start()
    stopped.wait_for("starting the web server")

    code = stopped.stop(signal.SIGHUP)

    assert code == 0
    assert stopped.find_all() == []


def test_later_start_keeps_everything_and_shows_no_secret(stopped: Product) -> None:
    output = stopped.start_and_wait()

    assert "shown this once" not in output
    assert "<your key>" in output
    assert "create_api_key" in output
    assert stopped.read_statuses() == dict.fromkeys(DEMOS, "active")


def test_commands_beside_a_running_product_use_its_servers(running: Product) -> None:
    made = running.manage("create_api_key", f"made-at-{time.time_ns()}")

    assert made.returncode == 0, made.stderr
    assert "mcpa_" in made.stdout


def test_second_start_on_the_same_directory_is_refused(running: Product) -> None:
    second = running.manage("quickstart")

    assert second.returncode == 1
    assert f"already runs on {running.directory} at http://127.0.0.1:{running.port}" in second.stderr
    assert answers(running)


def test_taken_port_is_told_before_anything_starts(product: Product) -> None:
    with socket.create_server(("127.0.0.1", product.port)):
        refused = product.manage("quickstart")

    assert refused.returncode == 1
    assert f"Port {product.port} is in use" in refused.stderr
    assert "PORT=" in refused.stderr
    assert not (product.directory / "postgres").exists()


def test_worker_that_is_killed_runs_again(running: Product) -> None:
    worker = next(process for process in running.find_all() if "dramatiq" in " ".join(process.cmdline()))

    worker.kill()

    running.wait_for("worker runs again")
    assert answers(running)


def test_database_server_that_is_killed_runs_again(running: Product) -> None:
    server = find_processes("postgres", find_postgres_home(running.directory, find_account()) / "data")[0]

    server.kill()

    running.wait_for("PostgreSQL runs again")
    assert running.read_statuses() == dict.fromkeys(DEMOS, "active")


def test_ctrl_c_stops_every_child(running: Product) -> None:
    children = running.find_all()

    code = running.stop(signal.SIGINT)

    assert len(children) > 4
    assert code == 0
    assert [process for process in children if process.is_running()] == []


def test_start_after_kill_nine_of_everything_keeps_all_data(running: Product) -> None:
    running.kill_everything()

    output = running.start_and_wait()

    assert "shown this once" not in output
    assert running.read_statuses() == dict.fromkeys(DEMOS, "active")


def test_start_after_kill_nine_of_the_supervisor_alone(running: Product) -> None:
    assert running.process is not None
    running.process.kill()
    running.process.wait()

    running.start_and_wait()

    assert answers(running)


def test_moves_when_another_program_has_taken_a_servers_port(stopped: Product) -> None:
    ports = json.loads((stopped.directory / "ports.json").read_text())
    with socket.create_server(("127.0.0.1", ports["postgres"])):
        output = stopped.start_and_wait()

        statuses = stopped.read_statuses()
        moved = json.loads((stopped.directory / "ports.json").read_text())

    assert "moving to a free one" in output
    assert moved["postgres"] != ports["postgres"]
    # the demo datasets' connection strings moved along
    assert statuses == dict.fromkeys(DEMOS, "active")
    asked = stopped.manage("run_query", "yrbs2015", "SELECT count(*) AS n FROM yrbs")
    assert asked.returncode == 0, asked.stderr + asked.stdout


@pytest.mark.parametrize("moment", ["loaded the demo database demo_panel_in", "registered nhanes2009"])
def test_first_start_that_was_killed_is_finished_by_the_next(product: Product, moment: str) -> None:
    product.start()
    product.wait_for(moment)
    product.kill_everything()

    output = product.start_and_wait()

    assert re.search(r"password \S{12,} \(shown this once\)", output)
    assert product.read_statuses() == dict.fromkeys(DEMOS, "active")


def test_servers_of_the_environment_are_used_instead(product: Product, make_database: MakeDatabase) -> None:
    product.environment = {"METADATA_DATABASE_URL": make_database(), "REDIS_URL": os.environ["REDIS_URL"]}

    output = product.start_and_wait()

    assert "using the PostgreSQL of METADATA_DATABASE_URL" in output
    assert "using the Redis of REDIS_URL" in output
    assert "no demo datasets" in output
    assert not (product.directory / "postgres").exists()
    assert product.stop() == 0


def answers(product: Product) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{product.port}/healthz", timeout=5) as response:
        return bool(response.status == 200)
