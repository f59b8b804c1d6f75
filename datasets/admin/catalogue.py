"""Tables, columns, profiling runs and published versions."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import BaseModelFormSet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin_base import NOTHING, GatewayAdmin, ReadOnlyAdmin, actor_of, ago, badge, count
from datasets.admin.badges import run_badge
from datasets.admin.inlines import ColumnsInline, OneRowText
from datasets.columns import decide_shown
from datasets.models import CatalogEntry, CatalogVersion, Dataset, DatasetColumn, DatasetTable, ProfilingRun


def dataset_link(dataset: Dataset) -> SafeString | str:
    if dataset.deleted_at:
        return format_html("{} {}", dataset.name, badge("Deleted", "plain"))
    url = reverse("admin:datasets_dataset_change", args=[dataset.pk])
    return format_html('<a class="ma-link" href="{}">{}</a>', url, dataset.name)


class TableOf(admin.SimpleListFilter):
    """The datasets that have tables, without those that were deleted."""

    title = "dataset"
    parameter_name = "dataset"
    path = "dataset"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # Any: Django's own
        return [(str(pk), name) for pk, name in Dataset.objects.filter(deleted_at=None).values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # Any: tables or columns
        chosen = self.value()
        return queryset.filter(**{self.path: chosen}) if chosen and chosen.isdigit() else queryset


class ColumnOf(TableOf):
    path = "table__dataset"


@admin.register(DatasetTable)
class DatasetTableAdmin(GatewayAdmin[DatasetTable]):
    list_display = ("qualified", "dataset_shown", "kind", "columns_count", "rows", "size", "included")
    list_filter = (TableOf, "included", "kind")
    search_fields = ("name", "schema", "comment", "description", "dataset__name")
    search_help_text = "Table, dataset, description"
    ordering = ("dataset__name", "schema", "name")
    fields = ("dataset_shown", "kind", "comment", "keys", "rows", "size", "included", "description")
    readonly_fields = ("dataset_shown", "kind", "comment", "keys", "rows", "size")
    inlines = (ColumnsInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetTable]:
        rows = super().get_queryset(request).filter(dataset__deleted_at=None).select_related("dataset")
        return rows.annotate(columns_total=Count("columns"))

    def save_formset(
        self,
        request: HttpRequest,
        form: forms.ModelForm[DatasetTable],
        formset: BaseModelFormSet[Any, Any],  # Any: rows of whichever inline
        change: bool,
    ) -> None:
        super().save_formset(request, form, formset, change)
        for column, fields in formset.changed_objects:
            if "shown" in fields:
                decide_shown([column.pk], column.shown, actor=actor_of(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DatasetTable | None = None) -> bool:
        return False

    @admin.display(description="Table", ordering="name")
    def qualified(self, table: DatasetTable) -> str:
        return str(table)

    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, table: DatasetTable) -> SafeString | str:
        return dataset_link(table.dataset)

    @admin.display(description="Columns")
    def columns_count(self, table: DatasetTable) -> str:
        return count(getattr(table, "columns_total", None))

    @admin.display(description="Rows", ordering="row_estimate")
    def rows(self, table: DatasetTable) -> str:
        return count(table.row_estimate)

    @admin.display(description="Size", ordering="size_bytes")
    def size(self, table: DatasetTable) -> str:
        return NOTHING if table.size_bytes is None else filesizeformat(table.size_bytes)

    @admin.display(description="Keys")
    def keys(self, table: DatasetTable) -> str:
        lines = [f"primary key ({', '.join(table.primary_key)})"] if table.primary_key else []
        lines += [f"unique ({', '.join(key)})" for key in table.unique_keys]
        lines += [
            f"({', '.join(key['columns'])}) refers to {key['references_schema']}.{key['references_table']}"
            f" ({', '.join(key['references_columns'])})"
            for key in table.foreign_keys
        ]
        return "\n".join(lines) or NOTHING


@admin.register(DatasetColumn)
class DatasetColumnAdmin(OneRowText, GatewayAdmin[DatasetColumn]):
    list_display = ("name", "table_shown", "dataset_shown", "data_type", "shown", "described")
    list_filter = (ColumnOf, "shown")
    search_fields = ("name", "table__name", "comment", "description", "table__dataset__name")
    search_help_text = "Column, table, dataset, description"
    ordering = ("table__dataset__name", "table__schema", "table__name", "position")
    fields = ("dataset_shown", "table_shown", "data_type", "nullable", "comment", "shown", "description")
    readonly_fields = ("dataset_shown", "table_shown", "data_type", "nullable", "comment")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetColumn]:
        rows = super().get_queryset(request).filter(table__dataset__deleted_at=None)
        return rows.select_related("table__dataset")

    def save_model(
        self, request: HttpRequest, obj: DatasetColumn, form: forms.ModelForm[DatasetColumn], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if "shown" in form.changed_data:
            decide_shown([obj.pk], obj.shown, actor=actor_of(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DatasetColumn | None = None) -> bool:
        return False

    @admin.display(description="Table", ordering="table__name")
    def table_shown(self, column: DatasetColumn) -> SafeString:
        url = reverse("admin:datasets_datasettable_change", args=[column.table_id])
        return format_html('<a class="ma-link" href="{}">{}</a>', url, column.table)

    @admin.display(description="Dataset", ordering="table__dataset__name")
    def dataset_shown(self, column: DatasetColumn) -> SafeString | str:
        return dataset_link(column.table.dataset)

    @admin.display(description="Description")
    def described(self, column: DatasetColumn) -> str:
        text = column.description or column.comment
        return text if len(text) <= 80 else f"{text[:79]}…"


@admin.register(ProfilingRun)
class ProfilingRunAdmin(ReadOnlyAdmin[ProfilingRun]):
    list_display = ("requested", "dataset_shown", "state_shown", "attempts", "found", "requested_by", "error_code")
    list_filter = ("state",)
    search_fields = ("dataset__name", "requested_by", "error_code")
    search_help_text = "Dataset, person, error code"
    fields = (
        "dataset_shown",
        "state_shown",
        "requested_by",
        "requested_at",
        "started_at",
        "finished_at",
        "attempts",
        "tables_found",
        "tables_read",
        "table_at_hand",
        "columns_found",
        "cancelled_by",
        "probed_at",
        "error_code",
        "error_message",
    )
    readonly_fields = ("dataset_shown", "state_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProfilingRun]:
        return super().get_queryset(request).select_related("dataset")

    @admin.display(description="Asked for", ordering="requested_at")
    def requested(self, run: ProfilingRun) -> SafeString | str:
        return ago(run.requested_at)

    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, run: ProfilingRun) -> SafeString | str:
        return dataset_link(run.dataset)

    @admin.display(description="State", ordering="state")
    def state_shown(self, run: ProfilingRun) -> SafeString:
        return run_badge(run)

    @admin.display(description="Found")
    def found(self, run: ProfilingRun) -> str:
        if run.state != ProfilingRun.State.SUCCEEDED:
            return NOTHING
        return f"{count(run.tables_found)} tables, {count(run.columns_found)} columns"


@admin.register(CatalogEntry)
class CatalogEntryAdmin(ReadOnlyAdmin[CatalogEntry]):
    list_display = ("version", "dataset_shown", "live", "created", "created_by")
    search_fields = ("dataset__name", "created_by")
    search_help_text = "Dataset, person"
    ordering = ("-version",)
    fields = ("dataset_shown", "version", "live", "created", "created_by", "document_shown")
    readonly_fields = ("dataset_shown", "live", "created", "document_shown")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogEntry]:
        return super().get_queryset(request).select_related("dataset").defer("document", "connection")

    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, entry: CatalogEntry) -> SafeString | str:
        return dataset_link(entry.dataset)

    @admin.display(description="State")
    def live(self, entry: CatalogEntry) -> SafeString:
        if entry.dataset.live_entry_id != entry.pk or entry.dataset.deleted_at:
            return badge("Earlier", "plain")
        return badge("Live", "success") if entry.dataset.status == "active" else badge("Latest, inactive", "plain")

    @admin.display(description="Published", ordering="created_at")
    def created(self, entry: CatalogEntry) -> SafeString | str:
        return ago(entry.created_at)

    @admin.display(description="Document")
    def document_shown(self, entry: CatalogEntry) -> SafeString:
        text = json.dumps(entry.document, indent=2, ensure_ascii=False)
        return format_html('<pre class="ma-code">{}</pre>', text)


@admin.register(CatalogVersion)
class CatalogVersionAdmin(ReadOnlyAdmin[CatalogVersion]):
    list_display = ("version", "changed")
    fields = ("version", "changed")
    readonly_fields = ("changed",)

    @admin.display(description="Changed")
    def changed(self, version: CatalogVersion) -> SafeString | str:
        return ago(version.changed_at)
