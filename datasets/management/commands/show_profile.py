from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset
from datasets.profiling.report import build_report, render_report


class Command(GatewayCommand):
    help = "Print what the newest profile found: tables, findings, personal data, the proposed survey design."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("--table", default="", help="one table, with its columns")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        report = build_report(find_dataset(options["dataset"]), table=options["table"])
        self.show(report, render_report(report, with_columns=bool(options["table"])), as_json=options["json"])
