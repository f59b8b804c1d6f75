from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset
from datasets.conditions import document_of, render_conditions
from datasets.models import Dataset
from datasets.personas import PersonaFacts, Suggestion, list_personas, suggest_personas


class Command(GatewayCommand):
    help = "List a dataset's personas, or suggest combinations of attributes that the sample carries."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("--suggest", action="store_true", help="suggest some, with their unweighted bases")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        dataset = find_dataset(options["dataset"])
        if options["suggest"]:
            self._suggest(dataset, as_json=options["json"])
        else:
            self._list(dataset, as_json=options["json"])

    def _list(self, dataset: Dataset, *, as_json: bool) -> None:
        kept = list_personas(dataset)
        lines = [f"{one.name:<32} {_standing(one):<8} {render_conditions(one.where)}  {one.fault}" for one in kept]
        empty = f"No persona yet. `manage.py list_personas {dataset.name} --suggest` suggests some."
        shown = [
            {
                "name": one.name,
                "where": document_of(one.where),
                "description": one.description,
                "live": one.live,
                "fault": one.fault or None,
            }
            for one in kept
        ]
        text = "\n".join(line.rstrip() for line in lines) or empty
        self.show({"dataset": dataset.name, "personas": shown}, text, as_json=as_json)

    def _suggest(self, dataset: Dataset, *, as_json: bool) -> None:
        found = suggest_personas(dataset)
        empty = "No combination of two or three attributes has enough persons, or all of them are kept."
        shown = [{"name": one.name, "where": document_of(one.where), "base": one.base} for one in found]
        text = "\n".join(map(_line, found)) or empty
        self.show({"dataset": dataset.name, "suggestions": shown}, text, as_json=as_json)


def _standing(persona: PersonaFacts) -> str:
    return "live" if persona.live else "not live"


def _line(one: Suggestion) -> str:
    return f"{one.base:>8,}  {one.name:<32} {render_conditions(one.where)}"
