from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, find_dataset
from datasets.models import Dataset, DesignDecision
from datasets.survey_designs import is_live, show_survey_design


class Command(GatewayCommand):
    help = "Print a dataset's survey design as the YAML that set_survey_design reads, and who confirmed it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        dataset = find_dataset(options["dataset"])
        confirmed = dataset.design_decision == DesignDecision.CONFIRMED
        moment = dataset.design_confirmed_at
        self.show(
            {
                "name": dataset.name,
                "design_decision": dataset.design_decision,
                "confirmed_by": dataset.design_confirmed_by if confirmed else None,
                "confirmed_at": moment.isoformat() if confirmed and moment else None,
                "live": is_live(dataset),
                "design": dataset.design_document,
                "report": dataset.design_report if confirmed else None,
            },
            f"# {_standing(dataset)}\n{show_survey_design(dataset)}".rstrip(),
            as_json=options["json"],
        )


def _standing(dataset: Dataset) -> str:
    """Who decided what, as a comment of YAML."""
    decision = dataset.get_design_decision_display().lower()
    if dataset.design_decision != DesignDecision.CONFIRMED or dataset.design_confirmed_at is None:
        return f"{dataset.name}: {decision}"
    live = "live" if is_live(dataset) else "live with the next approval"
    who = f"{dataset.design_confirmed_by}, {dataset.design_confirmed_at:%Y-%m-%d %H:%M} UTC"
    return f"{dataset.name}: {decision} by {who}, {live}"
