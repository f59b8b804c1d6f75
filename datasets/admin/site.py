"""What surrounds every page: navigation, assets and the dashboard. Named in settings.UNFOLD, called by the theme."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone

from config.admin_base import ago, has_any_permission
from datasets.admin.badges import run_badge, status_badge
from datasets.credentials import keys_fit
from datasets.health import State, check_redis, check_worker
from datasets.lifecycle import Status
from datasets.models import Dataset, ProfilingRun
from datasets.publishing import read_version
from logs_analytics.models import QueryLog
from logs_analytics.records import first_id_at

Context = dict[str, Any]  # Any: a template's context

# group: (title, icon, app, model)
NAVIGATION: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "Datasets",
        (
            ("Datasets", "database", "datasets", "dataset"),
            ("Tables", "table", "datasets", "datasettable"),
            ("Columns", "view_column", "datasets", "datasetcolumn"),
            ("Functions", "function", "datasets", "datasetroutine"),
            ("Personas", "group_work", "datasets", "persona"),
            ("Findings", "notification_important", "datasets", "finding"),
            ("Profiling runs", "manage_search", "datasets", "profilingrun"),
            ("Published versions", "published_with_changes", "datasets", "catalogentry"),
        ),
    ),
    (
        "Access",
        (
            ("API keys", "key", "datasets", "apikey"),
            ("Users", "person", "auth", "user"),
            ("Groups", "group", "auth", "group"),
        ),
    ),
    ("Records", (("Query log", "receipt_long", "logs_analytics", "querylog"),)),
    (
        "System",
        (
            ("Settings", "tune", "datasets", "systemconfig"),
            ("Catalog version", "tag", "datasets", "catalogversion"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[Context]:
    groups: list[Context] = [
        {
            "title": None,
            "items": [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}],
        }
    ]
    for title, items in NAVIGATION:
        shown = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{app}_{model}_changelist")}
            for name, icon, app, model in items
            if has_any_permission(request, app, model)
        ]
        if shown:
            groups.append({"title": title, "separator": True, "items": shown})
    return groups


def stylesheet(request: HttpRequest) -> str:
    return static("admin_pages/admin.css")


def script(request: HttpRequest) -> str:
    return static("admin_pages/admin.js")


def favicon(request: HttpRequest) -> str:
    return static("admin_pages/favicon.svg")


# ── the dashboard ────────────────────────────────────────────────────────────────────────────────────────────
def dashboard(request: HttpRequest, context: Context) -> Context:
    """What a person of the staff wants to know first, as far as they may see it."""
    context["title"] = "Overview"
    context["endpoint"] = request.build_absolute_uri("/mcp")
    if has_any_permission(request, "datasets", "dataset"):
        context |= _datasets()
    if has_any_permission(request, "logs_analytics", "querylog"):
        context |= _questions()
    return context


def _datasets() -> Context:
    live = Dataset.objects.filter(deleted_at=None)
    by_status = dict(live.values_list("status").annotate(Count("pk")).order_by())
    waiting = live.filter(status__in=[Status.HUMAN_REVIEW, Status.APPROVED, Status.ERROR]).order_by("-updated_at")[:8]
    runs = ProfilingRun.objects.filter(dataset__deleted_at=None).select_related("dataset")[:5]
    return {
        "keys_fit": keys_fit(),
        "catalog_version": read_version(),
        "datasets_total": sum(by_status.values()),
        "by_status": [
            {"badge": status_badge(status), "count": by_status[status], "status": status}
            for status in Status.values
            if status in by_status
        ],
        "waiting": [
            {"dataset": dataset, "badge": status_badge(dataset.status), "reason": dataset.status_reason}
            for dataset in waiting
        ],
        "runs": [{"run": run, "badge": run_badge(run), "when": ago(run.requested_at)} for run in runs],
        "troubles": [part for part in (check_redis(), check_worker()) if part.state is not State.OK],
    }


def _questions() -> Context:
    day = QueryLog.objects.filter(id__gte=first_id_at(timezone.now() - timedelta(days=1)))
    counts = dict(day.values_list("outcome").annotate(Count("pk")).order_by())
    failures = day.filter(outcome__in=[QueryLog.Outcome.FAILED, QueryLog.Outcome.REFUSED]).only(
        "id", "created_at", "outcome", "error_code", "error_text", "datasets", "api_key", "person"
    )[:6]
    return {
        "questions": [
            {"label": label, "count": counts.get(value, 0), "value": value} for value, label in QueryLog.Outcome.choices
        ],
        "failures": [{"row": row, "when": ago(row.created_at)} for row in failures],
    }
