from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset, operator_name
from datasets.approval import approve_dataset


class Command(GatewayCommand):
    help = "Publish a reviewed dataset: every connected client can query it at once."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        entry = approve_dataset(find_dataset(options["name"]).pk, actor=operator_name())
        self.show(
            {"name": options["name"], "status": "active", "catalog_version": entry.version},
            f"{options['name']}: active, catalog version {entry.version}.",
            as_json=options["json"],
        )
