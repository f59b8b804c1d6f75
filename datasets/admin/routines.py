"""The functions that databases add: which of them callers may run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.admin_base import GatewayAdmin, actor_of, ago, badge
from datasets.admin.catalogue import TableOf, dataset_link
from datasets.models import Dataset, DatasetRoutine
from datasets.routines import approve_routines, decidable_routines, withdraw_routines

VOLATILE = "A call may change data or give another answer each time."
SECURITY_DEFINER = "It runs with the rights of its owner, not of the read-only role."


@admin.register(DatasetRoutine)
class DatasetRoutineAdmin(GatewayAdmin[DatasetRoutine]):
    list_display = (
        "signature",
        "dataset_shown",
        "returns_shown",
        "kind",
        "language",
        "volatility_shown",
        "owner_shown",
        "extension",
        "comment_shown",
        "approved_shown",
    )
    list_filter = (TableOf, "schema", "extension", "approved", "volatility", "security_definer")
    search_fields = ("schema", "name", "comment", "extension", "dataset__name")
    search_help_text = "Function, schema, extension, dataset, comment"
    ordering = ("dataset__name", "schema", "name", "arguments")
    actions = ("approve", "withdraw")
    list_before_template = "admin/datasets/datasetroutine/note.html"
    fields = (
        "signature",
        "dataset_shown",
        "returns_shown",
        "kind",
        "language",
        "volatility_shown",
        "owner_shown",
        "extension",
        "comment",
        "approved_shown",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetRoutine]:
        return decidable_routines().select_related("dataset")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DatasetRoutine | None = None) -> bool:
        return False

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────
    @admin.display(description="Function", ordering="name")
    def signature(self, routine: DatasetRoutine) -> str:
        return str(routine)

    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, routine: DatasetRoutine) -> SafeString | str:
        return dataset_link(routine.dataset)

    @admin.display(description="Returns", ordering="returns")
    def returns_shown(self, routine: DatasetRoutine) -> str:
        return f"setof {routine.returns}" if routine.returns_set else routine.returns

    @admin.display(description="Volatility", ordering="volatility")
    def volatility_shown(self, routine: DatasetRoutine) -> SafeString | str:
        if routine.volatility != "volatile":
            return routine.volatility
        return badge("volatile", "warning", title=VOLATILE)

    @admin.display(description="Owner", ordering="owner")
    def owner_shown(self, routine: DatasetRoutine) -> SafeString:
        definer = badge("SECURITY DEFINER", "danger", title=SECURITY_DEFINER) if routine.security_definer else ""
        return format_html("{} {}", routine.owner, definer)

    @admin.display(description="Comment", ordering="comment")
    def comment_shown(self, routine: DatasetRoutine) -> str:
        return routine.comment if len(routine.comment) <= 80 else f"{routine.comment[:79]}…"

    @admin.display(description="Approved", ordering="approved")
    def approved_shown(self, routine: DatasetRoutine) -> SafeString:
        if routine.approved:
            when = ago(routine.approved_at)
            return format_html(
                '{}<span class="ma-second">{} {}</span>', badge("Approved", "success"), routine.approved_by, when
            )
        return format_html('{}<span class="ma-second">{}</span>', badge("No", "plain"), routine.approval_note)

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────
    @admin.action(description="Approve for callers", permissions=["change"])
    def approve(self, request: HttpRequest, chosen: QuerySet[DatasetRoutine]) -> None:
        self._decide(request, chosen, approve_routines, "Approved for callers.")

    @admin.action(description="Withdraw approval", permissions=["change"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[DatasetRoutine]) -> None:
        self._decide(request, chosen, withdraw_routines, "Approval withdrawn.")

    def _decide(
        self,
        request: HttpRequest,
        chosen: QuerySet[DatasetRoutine],
        service: Callable[..., list[DatasetRoutine]],
        done: str,
    ) -> None:
        decided = service(list(chosen.values_list("pk", flat=True)), actor=actor_of(request))
        if not decided:
            messages.info(request, "Nothing changed: that had been decided already.")
            return
        self._log(request, decided, done)
        datasets = Dataset.objects.filter(pk__in={row.dataset_id for row in decided}).values_list("name", flat=True)
        messages.success(
            request, f"{done} Functions: {len(decided)}. Live once approved again: {', '.join(sorted(datasets))}."
        )

    def _log(self, request: HttpRequest, decided: Collection[DatasetRoutine], done: str) -> None:
        # Any: the stubs ask for a queryset where Django iterates, and for a user that may be nobody
        rows: Any = decided
        user_id: Any = request.user.pk
        LogEntry.objects.log_actions(user_id, rows, CHANGE, change_message=done)
