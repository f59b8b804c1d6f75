from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.errors import GatewayError
from config.management.base import GatewayCommand, find_dataset, operator_name
from datasets.drift import live_datasets
from datasets.findings import open_findings
from datasets.models import Dataset, Finding
from datasets.profiling.observations import DRIFT
from datasets.profiling.service import request_profile
from datasets.profiling.waiting import WAIT_S, check_run, wait_for_probe, wait_for_run


class Command(GatewayCommand):
    help = "Profile published datasets again and print what changed since they were approved."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("datasets", nargs="*", metavar="dataset", help="all that are active, if none is named")
        parser.add_argument(
            "--no-profile", action="store_true", help="print what is known, without reading the databases again"
        )

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        chosen = [find_dataset(name) for name in options["datasets"]] or list(live_datasets())
        failed = {} if options["no_profile"] else self.profile(chosen)
        found = {dataset.name: list(open_findings(dataset.pk, kinds=[DRIFT])) for dataset in chosen}
        value = {
            "datasets": [
                {
                    "name": name,
                    "error": failed[name].as_dict() if name in failed else None,
                    "findings": [_document(finding) for finding in findings],
                }
                for name, findings in found.items()
            ]
        }
        self.show(value, "\n".join(_lines(found, failed)) or "No dataset is active.", as_json=options["json"])
        if failed or any(finding.severity == Finding.Severity.ALARM for each in found.values() for finding in each):
            raise SystemExit(1)

    def profile(self, datasets: list[Dataset]) -> dict[str, GatewayError]:
        """All are queued before any is waited for: the worker reads several side by side."""
        failed: dict[str, GatewayError] = {}
        runs = {dataset.name: request_profile(dataset.pk, actor=operator_name()) for dataset in datasets}
        for name, run in runs.items():
            try:
                check_run(run)
                wait_for_run(run.pk, wait_s=WAIT_S * len(runs))
                if not wait_for_probe(run.pk):
                    self.stderr.write(f"{name}: what is published has not been asked yet; look again later.")
            except GatewayError as error:
                failed[name] = error
        return failed


def _document(finding: Finding) -> dict[str, Any]:  # Any: a JSON object
    fields = ("severity", "code", "table", "column", "count", "message")
    return {field: getattr(finding, field) for field in fields}


def _lines(found: dict[str, list[Finding]], failed: dict[str, GatewayError]) -> list[str]:
    lines = []
    for name, findings in found.items():
        if name in failed:
            lines.append(f"{name}: error ({failed[name].code}): {failed[name].message}")
        elif not findings:
            lines.append(f"{name}: nothing has changed since it was approved.")
        for finding in findings:
            place = ".".join(part for part in (finding.table, finding.column) if part)
            lines.append(f"{name}: {finding.severity} {finding.code} {place}: {finding.message}")
    return lines
