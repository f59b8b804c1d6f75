from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from config.errors import InvalidRequest
from config.management.base import GatewayCommand, find_dataset, operator_name
from datasets.models import Dataset
from datasets.personas import delete_persona, find_persona, save_persona

EXAMPLE = """--where '[{"column": "gender", "op": "=", "value": "Female"}]'"""


class Command(GatewayCommand):
    help = "Keep a combination of attributes under a name, live at once; or delete it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("name")
        parser.add_argument("--where", help="the conditions as JSON; a persona of that name gets these instead")
        parser.add_argument("--description", help="what it means, for people")
        parser.add_argument("--delete", action="store_true", help="delete the persona of that name")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        dataset = find_dataset(options["dataset"])
        if options["delete"] == (options["where"] is not None):
            raise InvalidRequest("Either --where or --delete is needed.", hint=f"Write {EXAMPLE}.")
        if options["delete"]:
            name, version = _delete(dataset, options["name"])
        else:
            name, version = _save(dataset, options["name"], options["where"], options["description"])
        self.show(
            {"dataset": dataset.name, "name": name, "deleted": options["delete"], "catalog_version": version},
            f"{dataset.name}: persona {name} {'deleted' if options['delete'] else 'kept'}{_when(version)}",
            as_json=options["json"],
        )


def _save(dataset: Dataset, name: str, where: str, description: str | None) -> tuple[str, int | None]:
    kept = dataset.personas.filter(name__iexact=" ".join(name.split())).first()
    saved = save_persona(
        dataset.pk,
        name,
        _read_json(where),
        description=description if description is not None else kept.description if kept else "",
        replaces=kept.pk if kept else None,
        actor=operator_name(),
    )
    return saved.name, saved.catalog_version


def _delete(dataset: Dataset, name: str) -> tuple[str, int | None]:
    persona = find_persona(dataset, name)
    return persona.name, delete_persona(persona.pk, actor=operator_name())


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidRequest("--where is not JSON.", hint=f"Write {EXAMPLE}.") from error


def _when(version: int | None) -> str:
    return "; it is live with the first approval." if version is None else f", catalog version {version}."
