from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, operator_name
from datasets.keys import create_api_key


class Command(GatewayCommand):
    help = "Create an API key for MCP clients. It is printed once and kept nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="who or what will use it")
        parser.add_argument("--owner", default="", help="the person who answers for it")
        parser.add_argument("--organisation", default="")
        parser.add_argument("--dataset", action="append", default=[], help="grant only this dataset (may be repeated)")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        token = create_api_key(
            options["name"],
            all_datasets=not options["dataset"],
            datasets=options["dataset"],
            owner=options["owner"],
            organisation=options["organisation"],
            created_by=operator_name(),
        )
        self.show({"name": options["name"], "key": token}, token, as_json=options["json"])
