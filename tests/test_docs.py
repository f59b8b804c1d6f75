"""The reference pages say what is true in the code."""

from __future__ import annotations

import ast
import json
import re
from argparse import Action
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from fastmcp.tools import Tool

from config.errors import GatewayError, SqlInvalid
from datasets.lifecycle import Status
from datasets.models import NAME_PATTERN
from datasets.system_config import SECTIONS
from logs_analytics.records import Outcome
from mcp_gateway.server import build_server
from querying.engine import Engine
from querying.management.lines import render_record
from querying.results import Rendered
from querying.services import Answer
from querying.wording import WEIGHTING_SENTENCES
from tests import allowed_lists

PROJECT = Path(__file__).resolve().parent.parent
DOCS = PROJECT / "docs"
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.rglob("*.md")])
CODE = [
    path
    for folder in ("config", "datasets", "querying", "mcp_gateway", "logs_analytics", "benchmarks")
    for path in sorted((PROJECT / folder).rglob("*.py"))
]
VARIABLE_READERS = {
    "read_text",
    "read_list",
    "read_bool",
    "read_int",
    "read_secret",
    "read_variable",
    "read_email_url",
    "read_schedule",
}
FILE_READERS = VARIABLE_READERS - {"read_bool", "read_int"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# Django's own, and the worker's
OTHER_COMMANDS = {
    "changepassword",
    "collectstatic",
    "crontab",
    "createsuperuser",
    "migrate",
    "rundramatiq",
    "runserver",
}


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the table rows that begin with a name in backquotes, by that name."""
    lines = (line for line in text.splitlines() if line.startswith("| `"))
    cells = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return {row[0].strip("`"): row[1:] for row in cells}


def sections(text: str) -> dict[str, str]:
    """The text under each `## name in backquotes`."""
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].strip("`"): part.split("\n", 1)[1] for part in parts if part.startswith("`")}


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────


def variables_read(*paths: str) -> Iterator[tuple[str, str, list[ast.expr]]]:
    """Reader, name and further arguments of each environment variable that these modules read."""
    for path in paths:
        for node in ast.walk(ast.parse((PROJECT / path).read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            reader = ast.unparse(node.func).rsplit("environ.", 1)[-1]
            if reader.removeprefix("embedded.") in {*VARIABLE_READERS, "get"}:
                named = [each.value for each in node.args if isinstance(each, ast.Constant)]
                name = next((text for text in named if isinstance(text, str)), "")
                if re.fullmatch(r"[A-Z][A-Z_]+", name):
                    yield reader.removeprefix("embedded."), name, node.args[1:]


READ = list(variables_read("config/settings.py", "config/embedded.py", "config/management/commands/quickstart.py"))


def test_every_environment_variable_is_documented_and_no_other() -> None:
    documented = rows(read("settings.md").split("## System settings")[0])

    assert set(documented) == {name for _, name, _ in READ}


def test_the_defaults_of_numbers_are_documented() -> None:
    documented = rows(read("settings.md"))
    numbers = {name: ast.literal_eval(arguments[0]) for reader, name, arguments in READ if reader == "read_int"}

    assert numbers
    assert {name: documented[name][0] for name in numbers} == {name: f"`{value}`" for name, value in numbers.items()}


def test_the_variables_that_a_file_may_hold_are_documented() -> None:
    documented = rows(read("settings.md").split("## Variables of")[0])

    readable = {name for reader, name, _ in READ if reader in FILE_READERS}
    assert {name for name, cells in documented.items() if cells[1] == "yes"} == readable


def test_every_system_setting_is_documented_with_its_default() -> None:
    lines = read("settings.md").split("## System settings")[1].splitlines()
    documented = [tuple(cell.strip(" `") for cell in line.split("|")[1:4]) for line in lines if line.startswith("| `")]

    defaults = {
        (key, field): json.dumps(value)
        for key, section in SECTIONS.items()
        for field, value in section().model_dump(mode="json").items()
    }
    assert {(key, field): default for key, field, default in documented} == defaults


def test_the_example_environment_names_documented_variables_and_holds_no_values() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    named = [match for line in lines if (match := re.fullmatch(r"#?([A-Z_]+)=(.*)", line))]

    assert all(f"`{match[1]}`" in read("settings.md") for match in named)
    assert not [match[0] for match in named if match[2]]
    assert {"METADATA_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEY"} <= {match[1] for match in named}


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────


def error_classes(base: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Children before their parents, so that a code is described by what is raised."""
    for child in base.__subclasses__():
        yield from error_classes(child)
    yield base


def test_every_error_code_is_documented_with_its_status_and_whether_to_retry() -> None:
    documented = {code: cells[:2] for code, cells in rows(read("errors.md")).items()}

    known: dict[str, list[str]] = {}
    for error in error_classes():
        known.setdefault(error.code, [str(error.status), "yes" if error.retryable else "no"])
    assert documented == known


def test_the_example_of_an_error_has_the_shape_of_one() -> None:
    example = json.loads(read("errors.md").split("```json\n")[1].split("```")[0])

    assert list(example) == list(GatewayError("text", nearest=["gender"]).as_dict())


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def tools() -> dict[str, Tool]:
    return {tool.name: tool for tool in await build_server(Engine()).list_tools()}


async def test_every_tool_is_documented_with_its_arguments(tools: dict[str, Tool]) -> None:
    documented = {name: rows(text) for name, text in sections(read("tools.md")).items()}

    assert {name: set(arguments) for name, arguments in documented.items()} == {
        name: set(tool.parameters["properties"]) for name, tool in tools.items()
    }
    for name, tool in tools.items():
        required = {argument for argument, cells in documented[name].items() if cells[1] == "yes"}
        assert required == set(tool.parameters.get("required", [])), name


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────

OURS = {
    name: app
    for name, app in get_commands().items()
    if app in {"config", "datasets", "querying", "mcp_gateway", "logs_analytics"}
}
INHERITED = {flag for action in BaseCommand().create_parser("", "")._actions for flag in action.option_strings}


def options_of(name: str) -> dict[str, Action]:
    command = load_command_class(OURS[name], name)
    actions = command.create_parser("manage.py", name)._actions
    return {
        flag: action
        for action in actions
        for flag in action.option_strings
        if flag not in INHERITED | {"--json", "--skip-checks"}
    }


def test_every_command_is_documented_and_no_other() -> None:
    assert set(sections(read("commands.md"))) == set(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_options_of_a_command_are_documented(name: str) -> None:
    documented = {option for option in rows(sections(read("commands.md"))[name]) if option.startswith("--")}

    assert documented == set(options_of(name))


def test_the_positional_arguments_of_a_command_stand_in_its_first_line() -> None:
    for name, text in sections(read("commands.md")).items():
        command = load_command_class(OURS[name], name).create_parser("manage.py", name)
        positional = [action.dest for action in command._actions if not action.option_strings]
        written = re.match(rf"\s*`{name}((?: [A-Z_]+)*)`", text)

        assert positional == ([] if written is None else written[1].lower().split()), name


def test_the_fields_of_a_record_of_run_queries_are_documented() -> None:
    # Any: no value
    failed: Answer[Any] = Answer(uuid4(), Outcome.FAILED, 1, error=SqlInvalid("No."))
    listing: Answer[Any] = Answer(uuid4(), Outcome.ANSWERED, 1, shown=Rendered("text", 0, 1))
    documented = {name for name in rows(sections(read("commands.md"))["run_queries"]) if not name.startswith("--")}

    assert documented == set(render_record("id", failed)) | set(render_record("id", listing))


def test_commands_that_pages_name_exist() -> None:
    known = set(OURS) | OTHER_COMMANDS

    for page in PAGES:
        for command in re.findall(r"manage\.py ([a-z_]+)", page.read_text(encoding="utf-8")):
            assert command in known, f"{page.name}: manage.py {command}"


# ── other lists ──────────────────────────────────────────────────────────────────────────────────────────────


def test_every_state_of_a_dataset_is_documented() -> None:
    assert {status.value for status in Status} <= set(rows(read("onboarding.md")))
    assert re.fullmatch(NAME_PATTERN, "a" * 63)


def test_every_check_of_the_preflight_is_documented() -> None:
    source = (PROJECT / "datasets/preflight.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'\b(?:Check|_check_list)\(\s*"([a-z_]+)"', source))
    documented = rows(read("onboarding.md").split("## The preflight checklist")[1].split("\n## ")[0])

    assert codes
    assert set(documented) == codes


def test_every_label_of_weighting_is_documented_with_its_sentence() -> None:
    documented = {
        label: cells[0] for label, cells in rows(read("weighting.md").split("## Bases and errors")[0]).items()
    }

    assert documented == WEIGHTING_SENTENCES


def test_every_part_of_readiness_is_documented() -> None:
    source = (PROJECT / "datasets/health.py").read_text(encoding="utf-8")
    parts = set(re.findall(r'\bPart\(\s*"([a-z_]+)"', source))

    assert parts == set(rows(read("operations.md").split("## Health")[1].split("\n## ")[0]))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(PROJECT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_of_the_docs_is_linked_from_the_readme_or_another_page() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", link)
    }

    assert not [page.name for page in DOCS.rglob("*.md") if page not in linked]


def test_pages_that_the_code_names_exist() -> None:
    for path in CODE:
        for name in re.findall(r"\bdocs/[a-z0-9/-]+(?:\.md)?", path.read_text(encoding="utf-8")):
            found = list(PROJECT.glob(name if name.endswith(".md") else f"{name}*"))
            assert found, f"{path.relative_to(PROJECT)} names {name}"


@pytest.mark.parametrize("record", sorted((DOCS / "decisions").glob("*.md")), ids=lambda path: path.name)
def test_decision_records_are_short_and_numbered(record: Path) -> None:
    assert re.match(r"\d{4}-[a-z0-9-]+\.md", record.name)
    assert len(record.read_text(encoding="utf-8").splitlines()) <= 40


def test_the_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"^make ([a-z]+)", text, flags=re.MULTILINE) + re.findall(r"`make ([a-z]+)", text)
        assert set(named) <= targets, f"{page.name}: {sorted(set(named) - targets)}"


def test_the_readme_shows_the_two_commands() -> None:
    assert {"make run", "make test"} <= set(re.findall(r"^(make [a-z]+)", readme(), flags=re.MULTILINE))


def test_the_json_of_the_readme_is_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", readme(), flags=re.DOTALL)

    assert [list(json.loads(block)) for block in blocks] == [["mcpServers"], ["mcpServers"]]


def readme() -> str:
    return (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_procfile_runs_commands_that_exist() -> None:
    processes = dict(
        line.split(": ", 1) for line in (PROJECT / "Procfile").read_text(encoding="utf-8").splitlines() if line
    )

    assert set(processes) == {"release", "scheduler", "web", "worker"}
    assert "config.asgi:application" in processes["web"]
    assert apps.is_installed("django_dramatiq")


def test_the_page_of_what_sql_may_hold_is_that_of_the_lists() -> None:
    assert allowed_lists.PAGE.read_text(encoding="utf-8") == allowed_lists.render(), "python -m tests.allowed_lists"
