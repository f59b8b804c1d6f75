from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset, operator_name
from datasets.profiling.service import request_profile
from datasets.profiling.waiting import WAIT_S, check_run, wait_for_run


class Command(GatewayCommand):
    help = "Read a dataset's tables, columns, keys and estimates again, beside what is published."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--wait", action="store_true", help=f"wait for the profile, {WAIT_S} s at most")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        run = request_profile(find_dataset(options["name"]).pk, actor=operator_name())
        check_run(run)
        if options["wait"]:
            run = wait_for_run(run.pk)
        self.show(
            {"name": options["name"], "state": run.state, "tables": run.tables_found, "columns": run.columns_found},
            f"{options['name']}: profiling {run.state}"
            + (f", {run.tables_found} tables, {run.columns_found} columns." if options["wait"] else "."),
            as_json=options["json"],
        )
