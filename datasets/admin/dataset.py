"""The pages of a dataset: the list, registering, and the object page from checklist to approval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from config.admin_base import (
    NOTHING,
    Fieldsets,
    GatewayAdmin,
    PageFieldsets,
    actor_of,
    ago,
    attempt,
    badge,
    count,
)
from config.errors import GatewayError
from datasets.admin.badges import check_badge, status_badge
from datasets.admin.changes import describe_changes
from datasets.admin.dataset_forms import ConnectionForm, DatasetForm, RegisterForm
from datasets.admin.findings import describe_findings
from datasets.admin.inlines import EntriesInline, RunsInline, TablesInline
from datasets.admin.personas import describe_personas, render_personas_page
from datasets.admin.profiles import describe_run
from datasets.admin.steps import STEPS, Step
from datasets.admin.survey_design import describe_design, render_design_page
from datasets.credentials import keys_fit
from datasets.findings import dismiss_finding
from datasets.lifecycle import Status
from datasets.models import Dataset
from datasets.preflight import State
from datasets.profiling.service import cancel_run
from datasets.publishing import build_document
from datasets.registration import delete_dataset, register_dataset, update_connection
from datasets.routines import decidable_routines

NEXT = {
    Status.DRAFT: "Profile it: the server reads which tables and columns there are.",
    Status.PROFILING: "Its tables and columns are being read. This page shows the result by itself.",
    Status.METADATA_PENDING: "Its data dictionary is being drafted.",
    Status.HUMAN_REVIEW: "Look through the tables and descriptions, then approve it.",
    Status.APPROVED: "It is approved, but its connection failed. Mend the cause, then approve again.",
    Status.ACTIVE: "Clients can ask it.",
    Status.INACTIVE: "No client can ask it. Bring it back as it was, or approve it as it is now.",
    Status.ERROR: "Mend the cause, then profile it again.",
}
ActionFunction = Callable[["DatasetAdmin", HttpRequest, QuerySet[Dataset]], None]


def list_action(name: str, step: Step) -> ActionFunction:
    @admin.action(description=step.label, permissions=["change"])
    def run(page: DatasetAdmin, request: HttpRequest, chosen: QuerySet[Dataset]) -> None:
        for dataset in chosen:
            page.take_step(request, dataset, step)

    run.__name__ = name
    return run


class UnsafeRoleFilter(admin.SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # Any: Django's own
        return [("unsafe", "Unsafe role allowed"), ("safe", "Read-only role")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> QuerySet[Dataset]:
        if self.value() == "unsafe":
            return queryset.exclude(unsafe_role_allowed_by="")
        return queryset.filter(unsafe_role_allowed_by="") if self.value() == "safe" else queryset


@admin.register(Dataset)
class DatasetAdmin(GatewayAdmin[Dataset]):
    form = DatasetForm
    list_display = ("shown_name", "state", "connection_shown", "category", "rows", "profiled", "owner")
    list_filter = ("status", "data_category", "dataset_type", UnsafeRoleFilter)
    search_fields = ("name", "title", "description", "owner", "host", "database", "username")
    search_help_text = "Name, title, owner, host, database"
    ordering = ("name",)
    actions = [list_action(name, step) for name, step in STEPS.items()]
    inlines = (TablesInline, RunsInline, EntriesInline)
    change_form_outer_before_template = "admin/datasets/dataset/panel.html"
    list_before_template = "admin/keys_banner.html"
    fieldsets: ClassVar[Fieldsets] = (
        ("What clients read", {"fields": ("title", "description", "use_cases", "data_category", "dataset_type")}),
        ("Where it comes from", {"fields": ("owner", "data_source")}),
        ("Time", {"fields": ("date_column", "date_range_start", "date_range_end")}),
        (
            "Rules",
            {"fields": ("personal_data", "policies", "merges", "design_decision")},
        ),
        ("Limits of answers", {"fields": DatasetForm.LIMITS}),
    )
    register_fieldsets: ClassVar[PageFieldsets] = (
        ("Connection", {"fields": ("name", "connection_string", "allow_unsafe_role")}),
        ("What clients read", {"fields": ("title", "description", "use_cases", "data_category", "dataset_type")}),
        ("Where it comes from", {"fields": ("owner", "data_source")}),
        ("Rules", {"fields": ("personal_data", "design_decision")}),
    )

    # ── the list ─────────────────────────────────────────────────────────────────────────────────────────────
    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        return super().get_queryset(request).filter(deleted_at=None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "keys_fit": keys_fit()})

    @admin.display(description="Dataset", ordering="name")
    def shown_name(self, dataset: Dataset) -> SafeString:
        unsafe = badge("Unsafe role", "danger") if dataset.unsafe_role_allowed_by else ""
        title = dataset.title if dataset.title != dataset.name else ""
        return format_html('<strong>{}</strong> {}<span class="ma-second">{}</span>', dataset.name, unsafe, title)

    @admin.display(description="State", ordering="status")
    def state(self, dataset: Dataset) -> SafeString:
        return status_badge(dataset.status, title=dataset.status_reason)

    @admin.display(description="Connection", ordering="host")
    def connection_shown(self, dataset: Dataset) -> SafeString:
        place = f"{dataset.host}:{dataset.port}/{dataset.database}"
        return format_html('<span class="ma-place">{}<span class="ma-second">{}</span></span>', place, dataset.username)

    @admin.display(description="Category", ordering="data_category")
    def category(self, dataset: Dataset) -> str:
        return dataset.get_data_category_display()

    @admin.display(description="Rows", ordering="estimated_row_count")
    def rows(self, dataset: Dataset) -> str:
        return count(dataset.estimated_row_count)

    @admin.display(description="Profiled", ordering="last_profiled_at")
    def profiled(self, dataset: Dataset) -> SafeString | str:
        return ago(dataset.last_profiled_at)

    # ── registering ──────────────────────────────────────────────────────────────────────────────────────────
    @method_decorator(sensitive_post_parameters("connection_string"))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # not Django's add view: it would hold a transaction open while the connection is tried, and the
        # profiling run that the service queues would reach the worker before it is committed
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RegisterForm(request.POST or None)
        if form.is_valid():
            try:
                return self._register(request, form)
            except GatewayError as error:
                form.add_refusal(error)
        return self._form_page(request, form, title="Register a dataset", fieldsets=self.register_fieldsets)

    def _register(self, request: HttpRequest, form: RegisterForm) -> HttpResponse:
        asked = form.cleaned_data
        registration = register_dataset(
            asked["name"],
            asked["connection_string"],
            title=asked["title"],
            description=asked["description"],
            data_category=asked["data_category"],
            dataset_type=asked["dataset_type"],
            data_source=asked["data_source"],
            use_cases=asked["use_cases"],
            owner=asked["owner"],
            design_decision=asked["design_decision"],
            personal_data=asked["personal_data"],
            allow_unsafe_role=asked.get("allow_unsafe_role", False),
            actor=actor_of(request),
        )
        dataset = Dataset.objects.get(pk=registration.dataset_id)
        self.log_addition(request, dataset, "Registered.")
        messages.success(request, f"{dataset.name} is registered; its tables and columns are being read.")
        if registration.blocked and not dataset.unsafe_role_allowed_by:
            messages.warning(request, "Its role may do more than read, so it cannot be approved. See the checklist.")
        return self._to_page(dataset.pk)

    def _form_page(
        self,
        request: HttpRequest,
        form: ConnectionForm,
        *,
        title: str,
        fieldsets: PageFieldsets,
        dataset: Dataset | None = None,
    ) -> HttpResponse:
        shown = [
            (name, {**options, "fields": [field for field in options["fields"] if field in form.fields]})
            for name, options in fieldsets
        ]
        if form.is_bound:
            form["connection_string"].help_text = "Enter it again: what was typed is not sent back."
        return self.render_form_page(request, form, title=title, fieldsets=shown, obj=dataset)

    def _to_page(self, dataset_id: int) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:datasets_dataset_change", args=[dataset_id]))

    # ── the object page ──────────────────────────────────────────────────────────────────────────────────────
    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:dataset_id>/step/<slug:name>/", wrap(self.step_view), name="datasets_dataset_step"),
            path(
                "<int:dataset_id>/connection/",
                # an error report must not show what was typed either
                wrap(sensitive_post_parameters("connection_string")(self.connection_view)),
                name="datasets_dataset_connection",
            ),
            path("<int:dataset_id>/design/", wrap(self.design_view), name="datasets_dataset_design"),
            path("<int:dataset_id>/cancel/<int:run_id>/", wrap(self.cancel_view), name="datasets_dataset_cancel"),
            path(
                "<int:dataset_id>/dismiss/<int:finding_id>/", wrap(self.dismiss_view), name="datasets_dataset_dismiss"
            ),
            path("<int:dataset_id>/personas/", wrap(self.personas_view), name="datasets_dataset_personas"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: Dataset, form: forms.ModelForm[Dataset], change: bool) -> None:
        obj.updated_by = actor_of(request)
        super().save_model(request, obj, form, change)

    def edited_fields(self, form: forms.ModelForm[Dataset]) -> set[str]:
        edited = super().edited_fields(form)
        if set(DatasetForm.LIMITS).intersection(form.changed_data):
            edited.add("query_limits")
        return edited | {"updated_by"} if edited else edited

    def response_change(self, request: HttpRequest, obj: Dataset) -> HttpResponse:
        if "_save" in request.POST:
            messages.success(request, f"{obj.name} is saved.")
            return HttpResponseRedirect(request.get_full_path())
        return super().response_change(request, obj)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],  # Any: a template's context
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Dataset | None = None,
    ) -> HttpResponse:
        context["keys_fit"] = keys_fit()
        if obj is not None and not context.get("form_page"):
            # "Save" stays on the page, where the buttons for what comes next are
            context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
            context |= self._panel(request, obj)
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)

    def _panel(self, request: HttpRequest, dataset: Dataset) -> dict[str, Any]:  # Any: a template's context
        status, may_change = Status(dataset.status), self.has_change_permission(request, dataset)
        unpublished = self._unpublished(dataset)
        checks = [{**check, "badge": check_badge(check["state"])} for check in dataset.preflight]
        blocked = sum(check["state"] == State.BLOCKED for check in dataset.preflight)
        return {
            "dataset": dataset,
            "state": status_badge(status),
            "reason": dataset.status_reason,
            "next": NEXT[status],
            "steps": list(self._offered(dataset, has_changes=bool(unpublished))) if may_change else [],
            "unpublished": unpublished if status in {Status.ACTIVE, Status.INACTIVE} else [],
            "checks": checks,
            "blocked": blocked,
            "warnings": sum(check["state"] == State.WARNING for check in dataset.preflight),
            "checked": ago(dataset.preflight_at),
            "profiled": ago(dataset.last_profiled_at),
            "approved": ago(dataset.approved_at, never=""),
            "rows": count(dataset.estimated_row_count),
            "size": NOTHING if dataset.estimated_size_bytes is None else filesizeformat(dataset.estimated_size_bytes),
            "routines": decidable_routines()
            .filter(dataset=dataset)
            .aggregate(total=Count("pk"), approved=Count("pk", filter=Q(approved=True))),
            "connection_form": ConnectionForm() if may_change else None,
            "may_change": may_change,
            **describe_run(dataset),
            **describe_findings(dataset),
            "proposal": dataset.proposal,
            **describe_design(dataset),
            **describe_personas(dataset, request),
        }

    def _offered(self, dataset: Dataset, *, has_changes: bool) -> Iterable[dict[str, Any]]:  # Any: a template's context
        for name, step in STEPS.items():
            if dataset.status not in step.offered:
                continue
            if name == "approve" and dataset.status == Status.ACTIVE and not has_changes:
                continue
            url = reverse("admin:datasets_dataset_step", args=[dataset.pk, name])
            yield {"name": name, "url": url, "step": step}

    def _unpublished(self, dataset: Dataset) -> Sequence[str]:
        if dataset.live_entry is None:
            return []
        return describe_changes(dataset.live_entry.document, build_document(dataset))

    def step_view(self, request: HttpRequest, dataset_id: int, name: str) -> HttpResponse:
        dataset = self._require(request, dataset_id)
        if name not in STEPS:
            raise Http404
        if request.method == "POST":  # a link must never change anything
            self.take_step(request, dataset, STEPS[name])
        return self._to_page(dataset.pk)

    def take_step(self, request: HttpRequest, dataset: Dataset, step: Step) -> None:
        actor = actor_of(request)
        if attempt(request, lambda: step.run(dataset.pk, actor), about=dataset.name):
            self.log_change(request, dataset, f"{step.label}.")
            messages.success(request, f"{dataset.name}: {step.done}.")

    def connection_view(self, request: HttpRequest, dataset_id: int) -> HttpResponse:
        dataset = self._require(request, dataset_id)
        form = ConnectionForm(request.POST or None)
        if form.is_valid():
            try:
                preflight = update_connection(
                    dataset.pk,
                    form.cleaned_data["connection_string"],
                    allow_unsafe_role=form.cleaned_data.get("allow_unsafe_role", False),
                    actor=actor_of(request),
                )
            except GatewayError as error:
                form.add_refusal(error)
            else:
                self.log_change(request, dataset, "Changed the connection.")
                messages.success(request, f"{dataset.name} is reached by the new connection from now on.")
                if preflight.blocked and not form.cleaned_data.get("allow_unsafe_role"):
                    messages.warning(request, "Its role may do more than read. See the checklist.")
                return self._to_page(dataset.pk)
        fieldsets = ((None, {"fields": ("connection_string", "allow_unsafe_role")}),)
        return self._form_page(
            request, form, title=f"New connection of {dataset}", fieldsets=fieldsets, dataset=dataset
        )

    def cancel_view(self, request: HttpRequest, dataset_id: int, run_id: int) -> HttpResponse:
        dataset = self._require(request, dataset_id)
        run = get_object_or_404(dataset.profiling_runs, pk=run_id)
        if request.method == "POST":
            actor = actor_of(request)
            if attempt(request, lambda: cancel_run(run.pk, actor=actor), about=dataset.name):
                messages.success(request, f"{dataset.name}: the profile is cancelled.")
        return self._to_page(dataset.pk)

    def dismiss_view(self, request: HttpRequest, dataset_id: int, finding_id: int) -> HttpResponse:
        dataset = self._require(request, dataset_id)
        finding = get_object_or_404(dataset.findings, pk=finding_id)
        if request.method == "POST":
            actor = actor_of(request)
            if attempt(request, lambda: dismiss_finding(finding.pk, actor=actor), about=dataset.name):
                self.log_change(request, dataset, f"Dismissed a finding: {finding.code}.")
        return self._to_page(dataset.pk)

    def design_view(self, request: HttpRequest, dataset_id: int) -> HttpResponse:
        return render_design_page(self, request, self._require(request, dataset_id))

    def personas_view(self, request: HttpRequest, dataset_id: int) -> HttpResponse:
        return render_personas_page(self, request, self._require(request, dataset_id))

    def _require(self, request: HttpRequest, dataset_id: int) -> Dataset:
        dataset = self.get_object(request, str(dataset_id))
        if dataset is None:
            raise Http404
        if not self.has_change_permission(request, dataset):
            raise PermissionDenied
        return dataset

    # ── taking away ──────────────────────────────────────────────────────────────────────────────────────────
    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:  # Any: Django's own signature
        """What the confirmation names: the datasets alone, since their history stays."""
        names = [f"{dataset}: no client can ask it any more, its name is free, its history stays" for dataset in objs]
        return names, {"datasets": len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Dataset) -> None:
        delete_dataset(obj.pk, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> None:
        actor = actor_of(request)
        for dataset in queryset:
            attempt(request, partial(delete_dataset, dataset.pk, actor=actor), about=dataset.name)
