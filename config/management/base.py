"""What all commands share: `--json`, and errors with their code and hint instead of a traceback."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, ProgrammingError

from config.errors import DatasetNotFound, GatewayError, InvalidRequest, NotConfigured
from datasets.models import Dataset
from querying.results import dump_json

DOCTOR = "Run `manage.py doctor`."
MIGRATE = "Run `manage.py migrate`."


class GatewayCommand(BaseCommand):
    """A thin door: parse, call one service, print. Subclasses implement `run`."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's own signature
        try:
            self.run(**options)
        except GatewayError as error:
            self.fail(error, as_json=options["json"])
        except OperationalError:
            self.fail(NotConfigured("The metadata database cannot be reached.", hint=DOCTOR), as_json=options["json"])
        except ProgrammingError:
            self.fail(NotConfigured("The metadata database is not up to date.", hint=MIGRATE), as_json=options["json"])

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        raise NotImplementedError

    def fail(self, error: GatewayError, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(dump_json({"error": error.as_dict()}))
        else:
            self.stderr.write(f"error ({error.code}): {error.message}\n{error.hint}".rstrip())
        sys.exit(1)

    def show(self, value: dict[str, Any], text: str, *, as_json: bool) -> None:  # Any: a JSON object
        self.stdout.write(dump_json(value) if as_json else text)


def operator_name() -> str:
    """The person at the shell, as far as the system knows."""
    try:
        return f"operator ({getpass.getuser()})"
    except (KeyError, OSError):
        return "operator"


def find_dataset(name: str) -> Dataset:
    dataset = Dataset.objects.filter(name=name, deleted_at=None).first()
    if dataset is None:
        raise DatasetNotFound(f"There is no dataset named {name!r}.", hint="`manage.py list_datasets` shows them.")
    return dataset


def read_design_file(path: str) -> str:
    """The text of a survey design's file; `-` is standard input."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The design file {path} cannot be read.", hint="Name a YAML file in UTF-8.") from error
