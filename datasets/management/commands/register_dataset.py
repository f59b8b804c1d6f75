from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, operator_name, read_design_file
from datasets.approval import approve_dataset
from datasets.design_document import Document, build_design_document, read_form
from datasets.design_fit import refuse_faults
from datasets.models import (
    DataCategory,
    DatasetColumn,
    DatasetType,
    DesignDecision,
    PersonalData,
    ProfilingRun,
    Shown,
)
from datasets.profiling.waiting import WAIT_S, check_run, wait_for_run
from datasets.registration import register_dataset

NAMED_MOST = 10


class Command(GatewayCommand):
    help = "Register a database as a dataset: check the connection, store it encrypted, profile it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="a to z, 0 to 9, _ and -, starting with a letter")
        parser.add_argument("dsn", help="postgresql://user:password@host:port/database?sslmode=require")
        parser.add_argument("--title", default="")
        parser.add_argument("--description", default="")
        parser.add_argument("--category", choices=DataCategory.values, default=DataCategory.MIXED)
        parser.add_argument("--type", choices=DatasetType.values, default=DatasetType.MIXED)
        parser.add_argument("--owner", default="")
        parser.add_argument("--approve", action="store_true", help="approve it once it is profiled (implies --wait)")
        parser.add_argument("--wait", action="store_true", help=f"wait for the profile, {WAIT_S} s at most")
        parser.add_argument(
            "--allow-unsafe-role", action="store_true", help="activate although the role may write; not in production"
        )
        parser.add_argument(
            "--design", default="none", help="a survey design's YAML file, or none; recorded, not confirmed"
        )
        parser.add_argument("--personal-data", choices=PersonalData.values, default=PersonalData.HIDDEN)

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        document = read_design(options["design"])
        registration = register_dataset(
            options["name"],
            options["dsn"],
            title=options["title"],
            description=options["description"],
            data_category=options["category"],
            dataset_type=options["type"],
            owner=options["owner"],
            design_decision=DesignDecision.NONE if document is None else DesignDecision.RECORDED,
            design_document=document,
            personal_data=options["personal_data"],
            allow_unsafe_role=options["allow_unsafe_role"],
            actor=operator_name(),
        )
        check_run(ProfilingRun.objects.get(pk=registration.profiling_run_id))
        if options["wait"] or options["approve"]:
            wait_for_run(registration.profiling_run_id)
        if options["approve"]:
            approve_dataset(registration.dataset_id, actor=operator_name())
        status = "active" if options["approve"] else "profiled" if options["wait"] else "registered"
        lines = [f"[{check.state}] {check.label}: {check.detail}" for check in registration.checks]
        if options["wait"] or options["approve"]:
            lines += describe_protected(registration.dataset_id)
        if registration.blocked and not options["allow_unsafe_role"]:
            lines.append("It cannot be activated until the blocked checks are mended.")
        self.show(
            {
                "name": options["name"],
                "dataset_id": registration.dataset_id,
                "status": status,
                "checks": [{"code": c.code, "state": c.state, "detail": c.detail} for c in registration.checks],
            },
            "\n".join([*lines, f"{options['name']}: {status}."]),
            as_json=options["json"],
        )


def describe_protected(dataset_id: int) -> list[str]:
    """What clients do not see as it is, since it looks like personal data and nobody has decided."""
    columns = DatasetColumn.objects.filter(table__dataset_id=dataset_id, shown_by="", present=True)
    found = columns.exclude(shown=Shown.VISIBLE).select_related("table").order_by("table__name", "position")
    if not found:
        return []
    named = ", ".join(f"{column.table}.{column.name} ({column.shown})" for column in found[:NAMED_MOST])
    more = f" and {len(found) - NAMED_MOST:,} more" if len(found) > NAMED_MOST else ""
    return [f"They look like personal data: {named}{more}. Decide in the admin (Columns), then approve."]


def read_design(path: str) -> Document | None:
    """The design's document, checked as far as can be without its tables, or None for `none`."""
    if path.lower() == "none":
        return None
    form, faults = read_form(read_design_file(path))
    refuse_faults(faults)
    return build_design_document(form)
