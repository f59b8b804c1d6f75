from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset, operator_name, read_design_file
from datasets.design_report import build_report_document, render_report
from datasets.survey_designs import Confirmation, set_survey_design


class Command(GatewayCommand):
    help = "Check a survey design against a dataset's tables and data, confirm it, and weight by it from then on."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("file", help="the design's YAML file, - for standard input")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        dataset = find_dataset(options["dataset"])
        done = set_survey_design(dataset.pk, read_design_file(options["file"]), actor=operator_name())
        self.show(
            {
                "name": dataset.name,
                "design_decision": "confirmed",
                "catalog_version": done.catalog_version,
                "report": build_report_document(done.report),
            },
            f"{render_report(done.report)}\n{dataset.name}: {_when(done)}",
            as_json=options["json"],
        )


def _when(done: Confirmation) -> str:
    if done.catalog_version is None:
        return "confirmed; it goes live with the next approval."
    return f"confirmed and live, catalog version {done.catalog_version}."
