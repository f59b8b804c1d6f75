"""What profiles noticed: on a dataset's page, and as a list of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from config.admin_base import ReadOnlyAdmin, actor_of, ago, attempt, badge, count
from datasets.admin.catalogue import TableOf, dataset_link
from datasets.findings import RANK, dismiss_finding, open_findings
from datasets.models import Dataset, Finding

Context = dict[str, Any]  # Any: a template's context
TONES = {Finding.Severity.ALARM: "danger", Finding.Severity.WARNING: "warning", Finding.Severity.NOTE: "plain"}
SHOWN = 12


def severity_badge(severity: str) -> SafeString:
    known = Finding.Severity(severity)
    return badge(known.label, TONES[known])


def place_of(finding: Finding) -> str:
    return ".".join(part for part in (finding.table, finding.column) if part)


def describe_findings(dataset: Dataset) -> Context:
    """The gravest open ones, and how many there are of each severity."""
    found = open_findings(dataset.pk)
    counts = dict(found.order_by().values_list("severity").annotate(Count("pk")))
    total = sum(counts.values())
    told = [
        f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
        for severity in TONES
        if severity in counts
    ]
    shown = list(found[:SHOWN])
    tables = {
        str(table): table.pk for table in dataset.tables.filter(name__in={f.table.rpartition(".")[2] for f in shown})
    }
    url = reverse("admin:datasets_finding_changelist")
    return {
        "findings": [
            {
                "row": finding,
                "badge": severity_badge(finding.severity),
                "place": place_of(finding),
                "table_id": tables.get(finding.table),
            }
            for finding in shown
        ],
        "findings_told": ", ".join(told) or "none",
        "findings_more": max(0, total - SHOWN),
        "findings_url": f"{url}?dataset={dataset.pk}&state__exact=open",
    }


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin[Finding]):
    list_display = ("severity_shown", "place", "message", "number", "dataset_shown", "kind", "state", "seen")
    list_filter = (TableOf, "kind", "severity", "state")
    search_fields = ("message", "table", "column", "code", "dataset__name")
    search_help_text = "Table, column, message, dataset"
    ordering = (RANK, "-found_at")
    actions = ("dismiss",)  # type: ignore[assignment]  # other rows of services offer none
    fields = (
        "dataset_shown",
        "severity_shown",
        "kind",
        "code",
        "table",
        "column",
        "message",
        "number",
        "state",
        "found_at",
        "seen_at",
        "decided_by",
        "decided_at",
        "emailed_at",
        "posted_at",
    )
    readonly_fields = ("dataset_shown", "severity_shown", "number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Finding]:
        return super().get_queryset(request).filter(dataset__deleted_at=None).select_related("dataset")

    def has_dismiss_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("datasets.change_finding")

    @admin.action(description="Dismiss", permissions=["dismiss"])
    def dismiss(self, request: HttpRequest, chosen: QuerySet[Finding]) -> None:
        actor = actor_of(request)
        done = [attempt(request, partial(dismiss_finding, finding.pk, actor=actor)) for finding in chosen]
        if any(done):
            messages.success(request, f"{sum(done)} dismissed. What grows graver, or goes and comes back, opens again.")

    @admin.display(description="Severity", ordering=RANK)
    def severity_shown(self, finding: Finding) -> SafeString:
        return severity_badge(finding.severity)

    @admin.display(description="Where", ordering="table")
    def place(self, finding: Finding) -> str:
        return place_of(finding) or "the dataset"

    @admin.display(description="Count", ordering="count")
    def number(self, finding: Finding) -> str:
        return count(finding.count)

    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, finding: Finding) -> SafeString | str:
        return dataset_link(finding.dataset)

    @admin.display(description="Last seen", ordering="seen_at")
    def seen(self, finding: Finding) -> SafeString | str:
        return ago(finding.seen_at)
