"""The system's settings: one row a section, its fields made from the section's own types."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from config.admin_base import GatewayAdmin, actor_of, ago
from config.errors import InvalidRequest
from datasets.admin.json_fields import Pretty
from datasets.configuration import update_config
from datasets.models import SystemConfig
from datasets.system_config import SECTIONS, default_of

TITLES = {
    "weighting_rules": "Weighting rules",
    "query_limits": "Query limits",
    "llm_config": "Language model",
    "cache_ttl": "Cache lifetimes",
}
LABELS = {
    "merges": "Merged classes",
    "apply": "Weights apply",
    "raw_rows": "Rows of raw data",
    "aggregated_rows": "Rows of aggregated data",
    "parallel_queries": "Queries side by side in one call",
    "answer_tokens": "Tokens of an answer",
    "significant_digits": "Significant digits, 0 for all",
    "result_ttl_s": "Seconds that results are kept",
    "error_rows": "Rows of events with standard errors",
    "model": "Model",
    "temperature": "Temperature",
    "max_tokens": "Tokens at most",
    **{f"level_{level}": f"Level {level}, seconds" for level in range(4)},
}
EXAMPLES = {"merges": 'By column: {"nccs": {"A": ["A", "A1"]}} shows A1 as A.'}


class SectionForm(forms.Form):
    """The fields of one section; what the service finds wrong stands at the field."""

    def __init__(self, key: str, *args: Any, **options: Any) -> None:  # Any: arguments of forms.Form
        super().__init__(*args, **options)
        self.key = key
        defaults = default_of(key)
        for name, info in SECTIONS[key].model_fields.items():
            self.fields[name] = _field_of(name, info, defaults[name])

    def add_faults(self, error: InvalidRequest) -> None:
        cause = error.__cause__
        if not isinstance(cause, ValidationError):
            self.add_error(None, error.message)
            return
        for fault in cause.errors():
            name, *inner = (str(part) for part in fault["loc"] or ("",))
            where = f"{' › '.join(inner)}: " if inner else ""
            self.add_error(name if name in self.fields else None, f"{where}{fault['msg']}.")


def _field_of(name: str, info: FieldInfo, default: Any) -> forms.Field:  # Any: JSON
    options: dict[str, Any] = {"label": LABELS.get(name, name), "help_text": _help(name, info, default)}
    kind: Any = info.annotation  # Any: a type or a typing construct
    if get_origin(kind) is Literal:
        choices = [(choice, str(choice)) for choice in get_args(kind)]
        return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget(), **options)
    if kind is int:
        return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget(), **options)
    if kind is float:
        return forms.FloatField(widget=UnfoldAdminIntegerFieldWidget({"step": "any"}), **options)
    if kind is str:
        return forms.CharField(widget=UnfoldAdminTextInputWidget(), **options)
    return forms.JSONField(
        widget=UnfoldAdminTextareaWidget({"rows": 14, "class": "ma-json"}), encoder=Pretty, **options
    )


def _help(name: str, info: FieldInfo, default: Any) -> SafeString:  # Any: JSON
    bounds = {
        key: value for item in info.metadata for key in ("ge", "le") if (value := getattr(item, key, None)) is not None
    }
    between = f" From {bounds['ge']:,} to {bounds['le']:,}." if len(bounds) == 2 else ""
    # the theme shows help texts unescaped
    return format_html("{}{} Default: <code>{}</code>.", EXAMPLES.get(name, ""), escape(between), _plain(default))


def _plain(value: Any) -> str:  # Any: JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@admin.register(SystemConfig)
class SystemConfigAdmin(GatewayAdmin[SystemConfig]):
    list_display = ("section", "about", "now", "changed", "updated_by")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SystemConfig | None = None) -> bool:
        return False

    @admin.display(description="Setting", ordering="key")
    def section(self, row: SystemConfig) -> str:
        return TITLES.get(row.key, row.key)

    @admin.display(description="What it is for")
    def about(self, row: SystemConfig) -> str:
        return SECTIONS[row.key].help_text if row.key in SECTIONS else "Not used by this version."

    @admin.display(description="Now")
    def now(self, row: SystemConfig) -> SafeString:
        shown = " · ".join(f"{LABELS.get(name, name)}: {_plain(value)}" for name, value in dict(row.value).items())
        return format_html('<span class="ma-clip" title="{}">{}</span>', shown, shown)

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, row: SystemConfig) -> SafeString | str:
        return ago(row.updated_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,  # Any: a template's context
    ) -> HttpResponse:
        if object_id not in SECTIONS:
            raise Http404
        # a section that is new in this version has no row before it is saved
        row = self.get_object(request, object_id) or SystemConfig(key=object_id, value=default_of(object_id))
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        # what a newer version brought in is not in the row yet
        form = SectionForm(row.key, request.POST or None, initial=default_of(row.key) | row.value)
        if request.method == "POST":
            if not self.has_change_permission(request, row):
                raise PermissionDenied
            if form.is_valid() and self._store(request, row, form):
                return HttpResponseRedirect(reverse("admin:datasets_systemconfig_changelist"))
        help_text = SECTIONS[row.key].help_text
        fieldsets = ((None, {"fields": tuple(form.fields), "description": help_text}),)
        return self.render_form_page(request, form, title=TITLES.get(row.key, row.key), fieldsets=fieldsets, obj=row)

    def _store(self, request: HttpRequest, row: SystemConfig, form: SectionForm) -> bool:
        try:
            update_config(row.key, form.cleaned_data, actor=actor_of(request))
        except InvalidRequest as error:
            form.add_faults(error)
            return False
        self.log_change(request, row, [{"changed": {"fields": form.changed_data}}])
        messages.success(request, f"{TITLES.get(row.key, row.key)}: saved, and used by every process from now on.")
        return True
