"""The query log: who asked what, and what became of it. Read only, and never counted to the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from config.admin_base import NOTHING, Fieldsets, ReadOnlyAdmin, ago, badge, count
from logs_analytics.models import QueryLog
from logs_analytics.records import first_id_at
from mcp_gateway.clients import NAMES

TONES = {
    QueryLog.Outcome.ANSWERED: "success",
    QueryLog.Outcome.REFUSED: "warning",
    QueryLog.Outcome.FAILED: "danger",
    QueryLog.Outcome.CANCELLED: "plain",
}
SHOWN_CHARACTERS = 160


class ChoiceFilter(admin.SimpleListFilter):
    """A filter with fixed choices: reading them from the rows would read all the rows."""

    choices_shown: ClassVar[tuple[tuple[str, str], ...]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:  # Any: Django's own
        return self.choices_shown

    def queryset(self, request: HttpRequest, queryset: QuerySet[QueryLog]) -> QuerySet[QueryLog]:
        chosen = self.value()
        return queryset.filter(**{str(self.parameter_name): chosen}) if chosen is not None else queryset


class TimeFilter(ChoiceFilter):
    """By the id, whose leading bits are the time, so that only the partitions of that time are read."""

    title = "time"
    parameter_name = "since"
    spans: ClassVar = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(30)}
    choices_shown = (("1h", "Past hour"), ("1d", "Past 24 hours"), ("7d", "Past 7 days"), ("30d", "Past 30 days"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[QueryLog]) -> QuerySet[QueryLog]:
        span = self.spans.get(self.value() or "")
        return queryset.filter(id__gte=first_id_at(timezone.now() - span)) if span else queryset


class ClientFilter(ChoiceFilter):
    title = "client"
    parameter_name = "client"
    choices_shown = (*((name, name) for name in sorted({name for _, name in NAMES})), ("unknown", "unknown"))


class QueryTypeFilter(ChoiceFilter):
    title = "query type"
    parameter_name = "query_type"
    choices_shown = (("aggregated", "Aggregated"), ("raw", "Raw rows"), ("explain", "Explain"))


class WeightingFilter(ChoiceFilter):
    title = "weighting"
    parameter_name = "weighting"
    choices_shown = tuple(
        (value, value.replace("_", " ").capitalize())
        for value in ("weighted", "by_query", "sample", "mixed", "off", "none", "design_not_confirmed")
    )


class DoorFilter(ChoiceFilter):
    title = "door"
    parameter_name = "door"
    choices_shown = (("mcp", "MCP"), ("command", "Command line"), ("rest", "REST"), ("web", "Pages"))


@admin.register(QueryLog)
class QueryLogAdmin(ReadOnlyAdmin[QueryLog]):
    list_display = ("asked", "outcome_shown", "question", "datasets_shown", "caller", "client", "answer", "took")
    list_display_links = ("asked", "question")
    list_filter = (TimeFilter, "outcome", ClientFilter, QueryTypeFilter, WeightingFilter, DoorFilter)
    search_fields = ("query_text", "person", "api_key", "error_code")
    search_help_text = "SQL, person, key, error code"
    list_per_page = 50
    list_fullwidth = True
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    ordering = ("-id",)
    sortable_by = ()
    fieldsets: ClassVar[Fieldsets] = (
        (
            None,
            {"fields": ("outcome_shown", "moment", "datasets_shown", "error", "answer_long", "weighting_shown")},
        ),
        ("SQL", {"fields": ("sql_asked", "sql_run")}),
        ("Time", {"fields": ("timings",)}),
        ("Who", {"fields": ("person", "api_key", "organisation", "client_shown", "user_agent", "session", "address")}),
        ("Call", {"fields": ("door", "tool", "query_type", "request_id", "catalog_version", "fingerprint", "id")}),
    )
    readonly_fields = (
        "outcome_shown",
        "moment",
        "datasets_shown",
        "error",
        "answer_long",
        "weighting_shown",
        "sql_asked",
        "sql_run",
        "timings",
        "client_shown",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueryLog]:
        rows = super().get_queryset(request).annotate(question_start=Left("query_text", SHOWN_CHARACTERS))
        # a page of the list would otherwise read megabytes of SQL
        return rows.defer("query_text", "sql_executed", "error_text", "user_agent", "timings_ms")

    # ── the list ─────────────────────────────────────────────────────────────────────────────────────────────
    @admin.display(description="Time")
    def asked(self, row: QueryLog) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="Outcome")
    def outcome_shown(self, row: QueryLog) -> SafeString:
        shown = badge(row.get_outcome_display(), TONES[QueryLog.Outcome(row.outcome)])
        return format_html('{} <span class="ma-second">{}</span>', shown, row.error_code)

    @admin.display(description="Question")
    def question(self, row: QueryLog) -> SafeString:
        text: str = getattr(row, "question_start", "") or row.tool
        return format_html('<code class="ma-clip">{}</code>', " ".join(text.split()))

    @admin.display(description="Datasets")
    def datasets_shown(self, row: QueryLog) -> str:
        return ", ".join(row.datasets) or NOTHING

    @admin.display(description="Caller")
    def caller(self, row: QueryLog) -> SafeString:
        return format_html('{}<span class="ma-second">{}</span>', row.person or row.api_key or NOTHING, row.api_key)

    @admin.display(description="Rows")
    def answer(self, row: QueryLog) -> str:
        return count(row.row_count) if row.success else NOTHING

    @admin.display(description="Time taken")
    def took(self, row: QueryLog) -> str:
        return f"{row.total_ms:,.0f} ms"

    # ── one question ─────────────────────────────────────────────────────────────────────────────────────────
    @admin.display(description="Time")
    def moment(self, row: QueryLog) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"

    @admin.display(description="Error")
    def error(self, row: QueryLog) -> SafeString | str:
        return format_html("<code>{}</code> {}", row.error_code, row.error_text) if row.error_code else NOTHING

    @admin.display(description="Answer")
    def answer_long(self, row: QueryLog) -> str:
        if not row.success:
            return NOTHING
        notes = [
            f"{row.row_count:,} rows",
            f"{row.answer_bytes:,} bytes",
            f"{row.answer_tokens:,} tokens",
            row.response_format,
            "truncated" if row.truncated else "",
            "from the cache" if row.cached else "",
        ]
        return ", ".join(note for note in notes if note)

    @admin.display(description="Weighting")
    def weighting_shown(self, row: QueryLog) -> str:
        return " · ".join(part for part in (row.weighting.replace("_", " "), row.weight_column) if part) or NOTHING

    @admin.display(description="Asked")
    def sql_asked(self, row: QueryLog) -> SafeString | str:
        return _code(row.query_text)

    @admin.display(description="Run")
    def sql_run(self, row: QueryLog) -> SafeString | str:
        return _code(row.sql_executed)

    @admin.display(description="Stages")
    def timings(self, row: QueryLog) -> SafeString:
        longest = max([row.total_ms, *row.timings_ms.values(), 0.001])
        stages = [*row.timings_ms.items(), ("total", row.total_ms)]
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td><progress max="{}" value="{}"></progress></td><td>{} ms</td></tr>',
            ((name.removesuffix("_ms"), f"{longest:.3f}", f"{value:.3f}", f"{value:,.1f}") for name, value in stages),
        )
        return format_html('<table class="ma-timings">{}</table>', rows)

    @admin.display(description="Client")
    def client_shown(self, row: QueryLog) -> str:
        parts = (row.client, row.client_version, f"confidence: {row.client_confidence}" if row.client else "")
        return " · ".join(part for part in parts if part) or NOTHING


def _code(sql: str) -> SafeString | str:
    return format_html('<pre class="ma-code">{}</pre>', sql) if sql else NOTHING
