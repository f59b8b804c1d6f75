"""Rows in place: tables, runs and versions on a dataset's page, columns on a table's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from config.admin_base import NOTHING, GatewayInline, ReadOnlyInline, ago, badge, count
from datasets.admin.badges import run_badge
from datasets.models import CatalogEntry, Dataset, DatasetColumn, DatasetTable, ProfilingRun
from datasets.profiling.report import describe_values


class OneRowText:
    """Descriptions in a list of rows: a field that grows with its text."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:  # Any: Django's
        if db_field.name == "description":
            options["widget"] = UnfoldAdminExpandableTextareaWidget()
        return super().formfield_for_dbfield(db_field, request, **options)  # type: ignore[misc]  # a mixin's super


class TablesInline(OneRowText, GatewayInline[DatasetTable, Dataset]):
    model = DatasetTable
    verbose_name_plural = "tables"
    fields = ("table", "kind", "columns_count", "rows", "size", "included", "description")
    readonly_fields = ("table", "kind", "columns_count", "rows", "size")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetTable]:
        return super().get_queryset(request).annotate(columns_total=Count("columns")).order_by("schema", "name")

    @admin.display(description="Table")
    def table(self, row: DatasetTable) -> SafeString:
        url = reverse("admin:datasets_datasettable_change", args=[row.pk])
        return format_html(
            '<a class="ma-link" href="{}">{}</a><span class="ma-second">{}</span>', url, row, row.comment
        )

    @admin.display(description="Columns")
    def columns_count(self, row: DatasetTable) -> str:
        return count(getattr(row, "columns_total", None))

    @admin.display(description="Rows")
    def rows(self, row: DatasetTable) -> str:
        return count(row.row_estimate)

    @admin.display(description="Size")
    def size(self, row: DatasetTable) -> str:
        return NOTHING if row.size_bytes is None else filesizeformat(row.size_bytes)


class RunsInline(ReadOnlyInline[ProfilingRun, Dataset]):
    model = ProfilingRun
    verbose_name_plural = "profiling runs"
    per_page = 10
    fields = ("requested", "state_shown", "requested_by", "attempts", "tables_found", "columns_found", "error_message")
    readonly_fields = fields

    @admin.display(description="Asked for")
    def requested(self, run: ProfilingRun) -> SafeString | str:
        return ago(run.requested_at)

    @admin.display(description="State")
    def state_shown(self, run: ProfilingRun) -> SafeString:
        return run_badge(run)


class EntriesInline(ReadOnlyInline[CatalogEntry, Dataset]):
    model = CatalogEntry
    verbose_name_plural = "published versions"
    per_page = 10
    fields = ("published", "created", "created_by")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogEntry]:
        return super().get_queryset(request).defer("document", "connection").select_related("dataset")

    @admin.display(description="Version")
    def published(self, entry: CatalogEntry) -> SafeString:
        url = reverse("admin:datasets_catalogentry_change", args=[entry.pk])
        live = badge("Live", "success") if entry.dataset.live_entry_id == entry.pk else ""
        return format_html('<a class="ma-link" href="{}">Version {}</a> {}', url, entry.version, live)

    @admin.display(description="Published")
    def created(self, entry: CatalogEntry) -> SafeString | str:
        return ago(entry.created_at)


def describe_column(column: DatasetColumn) -> SafeString | str:
    """What the newest profile found: what it is for, how much is missing, its values; personal data first."""
    known = column.statistics
    role = (column.role or {}).get("role", "none").replace("_", " ")
    parts = [] if role == "none" else [role]
    if known.get("distinct") is not None:
        parts.append(f"{known['distinct']:,} distinct")
    if known.get("null_share"):
        parts.append(f"{known['null_share']:.1%} NULL".replace("%", " %"))
    personal = badge((column.personal or {}).get("kind", "").replace("_", " "), "warning") if column.personal else ""
    if not (parts or personal):
        return NOTHING
    return format_html('{} {}<span class="ma-second">{}</span>', personal, ", ".join(parts), describe_values(known))


class ColumnsInline(OneRowText, GatewayInline[DatasetColumn, DatasetTable]):
    model = DatasetColumn
    verbose_name_plural = "columns"
    tab = False
    per_page = 100
    fields = ("name", "data_type", "null", "found", "comment", "shown", "description")
    readonly_fields = ("name", "data_type", "null", "found", "comment")

    @admin.display(description="Found in it")
    def found(self, column: DatasetColumn) -> SafeString | str:
        return describe_column(column)

    @admin.display(description="Empty values")
    def null(self, column: DatasetColumn) -> str:
        return "possible" if column.nullable else "never"
