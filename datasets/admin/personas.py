"""Personas: written as conditions, kept by the service, suggested from the sample."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget

from config.admin_base import Fieldsets, GatewayAdmin, actor_of, ago, attempt, badge, show_error
from config.errors import GatewayError, NameTaken
from datasets.admin.catalogue import TableOf, dataset_link
from datasets.admin.json_fields import JsonField
from datasets.conditions import document_of, parse_conditions, render_conditions
from datasets.models import Dataset, Persona
from datasets.personas import check_written, delete_persona, list_personas, save_persona, suggest_personas

if TYPE_CHECKING:
    RowForm = forms.ModelForm[Persona]
else:  # Django's forms take type arguments only in their stubs
    RowForm = forms.ModelForm

Context = dict[str, Any]  # Any: a template's context
EXAMPLE = '[\n  {"column": "gender", "op": "=", "value": "Female"}\n]'
HELP = (
    "A list of conditions that hold together. op is =, !=, in, between, is_null or like; columns are attributes of the "
    "survey design that callers see."
)


class ConditionsField(JsonField):
    """Conditions as JSON, one a line."""

    def prepare_value(self, value: Any) -> Any:  # Any: JSON, or text as it was typed
        try:
            lines = [json.dumps(each, ensure_ascii=False) for each in document_of(parse_conditions(value))]
        except GatewayError:
            return super().prepare_value(value)
        return "[\n  " + ",\n  ".join(lines) + "\n]"


class PersonaForm(RowForm):
    prefix = "persona"  # the theme takes a field that is sent as "dataset" for one of its own
    dataset = forms.ModelChoiceField(Dataset.objects.filter(deleted_at=None), widget=UnfoldAdminSelectWidget())
    where = ConditionsField(label="Conditions", help_text=HELP, empty=[], rows=8)

    class Meta:
        model = Persona
        fields: ClassVar = ["dataset", "name", "where", "description"]

    def clean(self) -> dict[str, Any]:  # Any: Django's cleaned_data
        cleaned = super().clean() or self.cleaned_data
        dataset = self.instance.dataset if self.instance.pk else cleaned.get("dataset")
        if dataset is None or self.errors:
            return cleaned
        try:
            check_written(dataset, cleaned["name"], cleaned["where"], replaces=self.instance.pk)
        except GatewayError as error:
            self.add_error(_field_of(error), f"{error.message} {error.hint}".strip())
        return cleaned


def _field_of(error: GatewayError) -> str:
    return "name" if isinstance(error, NameTaken) or "name of a persona" in error.message else "where"


@admin.register(Persona)
class PersonaAdmin(GatewayAdmin[Persona]):
    form = PersonaForm
    list_display = ("name", "dataset_shown", "conditions", "state", "changed")
    list_filter = (TableOf,)
    search_fields = ("name", "description", "dataset__name")
    search_help_text = "Persona, description, dataset"
    ordering = ("dataset__name", "name")
    fieldsets: ClassVar[Fieldsets] = (
        ("Persona", {"fields": ("dataset", "name", "description")}),
        ("Who belongs to it", {"fields": ("where",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Persona]:
        rows = super().get_queryset(request).filter(dataset__deleted_at=None).select_related("dataset")
        return rows.annotate(published=F("dataset__live_entry__document__personas"))

    def get_readonly_fields(self, request: HttpRequest, obj: Persona | None = None) -> tuple[str, ...]:
        return ("dataset",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:  # Any: a form's initial data
        return {"where": EXAMPLE, **super().get_changeform_initial_data(request)}

    # ── the list ─────────────────────────────────────────────────────────────────────────────────────────────
    @admin.display(description="Dataset", ordering="dataset__name")
    def dataset_shown(self, persona: Persona) -> SafeString | str:
        return dataset_link(persona.dataset)

    @admin.display(description="Who belongs to it")
    def conditions(self, persona: Persona) -> str:
        return render_conditions(parse_conditions(persona.where))

    @admin.display(description="State")
    def state(self, persona: Persona) -> SafeString:
        return state_badge(live=(getattr(persona, "published", None) or {}).get(persona.name) == persona.where)

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, persona: Persona) -> SafeString:
        return format_html('{}<span class="ma-second">{}</span>', ago(persona.updated_at), persona.updated_by)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────
    def save_model(self, request: HttpRequest, obj: Persona, form: forms.ModelForm[Persona], change: bool) -> None:
        given = form.cleaned_data
        saved = save_persona(
            obj.dataset_id,
            given["name"],
            given["where"],
            description=given["description"],
            replaces=obj.pk,
            actor=actor_of(request),
        )
        obj.pk, obj.name = saved.persona_id, saved.name

    def delete_model(self, request: HttpRequest, obj: Persona) -> None:
        delete_persona(obj.pk, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Persona]) -> None:
        actor = actor_of(request)
        for persona in queryset:
            attempt(request, partial(delete_persona, persona.pk, actor=actor), about=persona.name)


def state_badge(*, live: bool, fault: str = "") -> SafeString:
    if fault:
        return badge("Does not fit", "warning", title=fault)
    return badge("Live", "success") if live else badge("Not live", "plain")


# ── the page of a dataset's personas ─────────────────────────────────────────────────────────────────────────
class KeepForm(forms.Form):
    name = forms.CharField()
    where = forms.JSONField()


def render_personas_page(page: GatewayAdmin[Dataset], request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """What is kept, and what the sample carries, each with a button to keep it."""
    if request.method == "POST":
        return _keep(request, dataset)
    context = {
        **page.admin_site.each_context(request),
        **describe_personas(dataset, request),
        **_suggestions(request, dataset),
        "title": f"Personas of {dataset}",
        "dataset": dataset,
        "opts": page.opts,
        "original": dataset,
    }
    return render(request, "admin/datasets/dataset/personas.html", context)


def _suggestions(request: HttpRequest, dataset: Dataset) -> Context:
    try:
        found = suggest_personas(dataset)
    except GatewayError as error:
        show_error(request, error)
        return {"suggestions": [], "failed": True}
    shown = [
        {
            "name": one.name,
            "conditions": render_conditions(one.where),
            "where": json.dumps(document_of(one.where)),
            "base": f"{one.base:,}",
        }
        for one in found
    ]
    return {"suggestions": shown}


def _keep(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    if not request.user.has_perm("datasets.add_persona"):
        raise PermissionDenied
    form = KeepForm(request.POST)
    if form.is_valid():
        name, where, actor = form.cleaned_data["name"], form.cleaned_data["where"], actor_of(request)
        if attempt(request, lambda: save_persona(dataset.pk, name, where, actor=actor), about=name):
            _log_addition(request, dataset, name)
            messages.success(request, f"{name} is kept; questions can use it now.")
    return HttpResponseRedirect(reverse("admin:datasets_dataset_personas", args=[dataset.pk]))


def _log_addition(request: HttpRequest, dataset: Dataset, name: str) -> None:
    # Any: the stubs ask for a queryset where Django iterates, and for a user that may be nobody
    rows: Any = dataset.personas.filter(name=name)
    user_id: Any = request.user.pk
    LogEntry.objects.log_actions(user_id, rows, ADDITION, change_message="Kept a suggestion.")


def describe_personas(dataset: Dataset, request: HttpRequest) -> Context:
    """What a page says of the dataset's personas."""
    urls = dict(dataset.personas.values_list("name", "pk"))
    add = reverse("admin:datasets_persona_add")
    return {
        "personas": [
            {
                "name": one.name,
                "url": reverse("admin:datasets_persona_change", args=[urls[one.name]]),
                "conditions": render_conditions(one.where),
                "badge": state_badge(live=one.live, fault=one.fault),
                "fault": one.fault,
            }
            for one in list_personas(dataset)
        ],
        "add_persona_url": f"{add}?{urlencode({'dataset': dataset.pk})}",
        "may_add_personas": request.user.has_perm("datasets.add_persona"),
    }
