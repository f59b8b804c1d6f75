"""What every page of the admin shares: the theme, errors as messages, badges, forms that call a service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db import models
from django.db.models import Model
from django.forms import BaseModelFormSet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.forms import AdminForm
from unfold.widgets import UnfoldAdminTextareaWidget

from config.errors import GatewayError

M = TypeVar("M", bound=Model)
Parent = TypeVar("Parent", bound=Model)

if TYPE_CHECKING:  # the theme ships no types; its classes are Django's with another look
    from django.contrib.admin import ModelAdmin as ThemedAdmin
    from django.contrib.admin import TabularInline as ThemedInline
    from django.contrib.admin.options import _FieldsetSpec

    Fieldsets: TypeAlias = _FieldsetSpec
else:
    from unfold.admin import ModelAdmin, TabularInline

    Fieldsets = Any  # Any: a tuple at run time

    class ThemedAdmin(ModelAdmin):
        def __class_getitem__(cls, model: object) -> type:
            return cls

    class ThemedInline(TabularInline):
        def __class_getitem__(cls, models: object) -> type:
            return cls


PageFieldsets = Sequence[tuple[Any, Mapping[str, Any]]]  # Any: titles and options of Django's fieldsets
NOTHING = "–"


# ── words and colours ────────────────────────────────────────────────────────────────────────────────────────
def badge(text: str, tone: str, *, title: str = "") -> SafeString:
    """A coloured label; its text alone says everything, for who cannot tell the colours."""
    return format_html('<span class="ma-badge ma-badge--{}" title="{}">{}</span>', tone, title, text)


def ago(moment: datetime | None, *, never: str = "never") -> SafeString | str:
    if moment is None:
        return never
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S}",
        naturaltime(moment),
    )


def count(number: int | None) -> str:
    return NOTHING if number is None else f"{number:,}"


def show_error(request: HttpRequest, error: GatewayError, *, about: str = "") -> None:
    messages.error(request, " ".join(part for part in (about and f"{about}:", error.message, error.hint) if part))


def attempt(request: HttpRequest, service: Callable[[], object], *, about: str = "") -> bool:
    """Whether the service did its work; what it refused to do is shown to the person who asked."""
    try:
        service()
    except GatewayError as error:
        show_error(request, error, about=about)
        return False
    return True


def actor_of(request: HttpRequest) -> str:
    return request.user.get_username()


def has_any_permission(request: HttpRequest, app_label: str, model_name: str) -> bool:
    return any(request.user.has_perm(f"{app_label}.{verb}_{model_name}") for verb in ("view", "change"))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────
class GatewayAdmin(ThemedAdmin[M]):
    """An admin page over services: their errors become messages, and only edited fields are written."""

    list_per_page = 50
    show_full_result_count = False
    list_filter_sheet = True
    warn_unsaved_form = True
    change_form_outer_before_template = "admin/form_page.html"
    formfield_overrides: ClassVar = {models.TextField: {"widget": UnfoldAdminTextareaWidget({"rows": 4})}}

    def save_model(self, request: HttpRequest, obj: M, form: forms.ModelForm[M], change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        # a worker may have written other fields of this row since the page was opened
        write_fields(obj, self.edited_fields(form))

    def edited_fields(self, form: forms.ModelForm[M]) -> set[str]:
        known = {field.name for field in form.instance._meta.concrete_fields}
        return known.intersection(form.changed_data)

    def save_formset(
        self, request: HttpRequest, form: forms.ModelForm[M], formset: BaseModelFormSet[Any, Any], change: bool
    ) -> None:  # Any: rows of whichever inline
        formset.save(commit=False)
        for row, fields in formset.changed_objects:
            write_fields(row, fields)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,  # Any: a template's context
    ) -> HttpResponse:
        return self._shown(
            request,
            # the theme's mixins answer with Any
            lambda: super(GatewayAdmin, self).changeform_view(request, object_id, form_url, extra_context),
        )

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,  # Any: a template's context
    ) -> HttpResponse:
        return self._shown(request, lambda: super(GatewayAdmin, self).delete_view(request, object_id, extra_context))

    def _shown(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return view()
        except GatewayError as error:
            if request.method != "POST":
                raise
            show_error(request, error)
            return HttpResponseRedirect(request.get_full_path())

    def render_form_page(
        self,
        request: HttpRequest,
        form: forms.BaseForm,
        *,
        title: str,
        fieldsets: PageFieldsets,
        obj: M | None = None,
        extra_context: dict[str, Any] | None = None,  # Any: a template's context
    ) -> HttpResponse:
        """A page of the admin around a form that calls a service instead of saving a row."""
        admin_form = AdminForm(form, list(fieldsets), {}, (), model_admin=self)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "subtitle": str(obj) if obj else None,
            "adminform": admin_form,
            "object_id": str(obj.pk) if obj else None,
            "original": obj,
            "is_popup": False,
            "to_field": None,
            "media": self.media + form.media,
            "inline_admin_formsets": [],
            "errors": form.errors,
            "preserved_filters": self.get_preserved_filters(request),
            "form_page": True,
            "show_save": True,
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
            "show_delete": False,
            **(extra_context or {}),
        }
        return self.render_change_form(request, context, add=obj is None, change=obj is not None, obj=obj)


class ReadOnlyAdmin(GatewayAdmin[M]):
    """Rows that services own: to be looked at."""

    warn_unsaved_form = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class GatewayInline(ThemedInline[M, Parent]):
    """Rows in place. They come and go with the profile, so none is added or removed by hand."""

    extra = 0
    can_delete = False
    tab = True
    hide_title = True
    show_count = True
    per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Parent | None = None) -> bool:
        return False


class ReadOnlyInline(GatewayInline[M, Parent]):
    def has_change_permission(self, request: HttpRequest, obj: Parent | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Parent | None = None) -> bool:
        return has_any_permission(request, self.opts.app_label, self.opts.model_name or "")


def write_fields(row: Model, fields: Collection[str]) -> None:
    """Write these fields and no others; a row that is gone meanwhile stays gone."""
    if fields:
        values = {name: getattr(row, name) for name in fields}
        type(row)._default_manager.filter(pk=row.pk).update(**values)
