from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.errors import InvalidRequest
from config.management.base import GatewayCommand, find_dataset, operator_name
from datasets.routines import approve_routines, find_routines, withdraw_routines


class Command(GatewayCommand):
    help = "Let callers run functions that a database adds to PostgreSQL's own, once the dataset is approved again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("name", nargs="*", help="schema.name or name; every function of that name")
        parser.add_argument("--all-of-extension", default="", metavar="EXT", help="every function of this extension")
        parser.add_argument("--withdraw", action="store_true", help="let callers run them no more")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        dataset = find_dataset(options["dataset"])
        if not options["name"] and not options["all_of_extension"]:
            raise InvalidRequest("No function is named.", hint="Name functions, or an extension: --all-of-extension.")
        ids = find_routines(dataset, options["name"], extension=options["all_of_extension"])
        decide = withdraw_routines if options["withdraw"] else approve_routines
        changed = decide(ids, actor=operator_name())
        done = "no longer approved" if options["withdraw"] else "approved"
        self.show(
            {"name": dataset.name, "found": len(ids), "changed": [str(row) for row in changed]},
            "\n".join(
                [
                    *(f"{row}: {done}." for row in changed),
                    f"{dataset.name}: {len(changed)} of {len(ids)} changed. Live once it is approved again: "
                    f"`manage.py approve_dataset {dataset.name}`.",
                ]
            ),
            as_json=options["json"],
        )
