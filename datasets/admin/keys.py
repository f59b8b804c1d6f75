"""API keys: made by the service, shown once, revoked instead of deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from config.admin_base import Fieldsets, GatewayAdmin, actor_of, ago, attempt, badge
from config.errors import GatewayError
from datasets.keys import create_api_key, revoke_api_key, update_api_key
from datasets.models import ApiKey, Dataset

if TYPE_CHECKING:
    RowForm = forms.ModelForm[ApiKey]
else:  # Django's forms take type arguments only in their stubs
    RowForm = forms.ModelForm


class ApiKeyForm(RowForm):
    datasets = forms.ModelMultipleChoiceField(
        Dataset.objects.filter(deleted_at=None),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text="Used where “every dataset” is off.",
    )

    class Meta:
        model = ApiKey
        fields: ClassVar = ["name", "owner", "organisation", "all_datasets", "datasets", "expires_at"]
        labels: ClassVar = {"all_datasets": "Every dataset", "expires_at": "Expires"}
        help_texts: ClassVar = {
            "name": "Where it is used, for example “claude-desktop of Asha”. It stands in the query log.",
            "all_datasets": "Also those that are approved later.",
            "expires_at": "UTC. Empty: never.",
        }

    def clean(self) -> dict[str, Any]:  # Any: Django's cleaned_data
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("all_datasets") and not cleaned.get("datasets") and "datasets" not in self.errors:
            self.add_error("datasets", "Choose the datasets that this key may ask, or turn “every dataset” on.")
        return cleaned

    @property
    def grants(self) -> dict[str, Any]:  # Any: keyword arguments of the services
        given = self.cleaned_data
        return {
            "all_datasets": given["all_datasets"],
            "datasets": [] if given["all_datasets"] else [dataset.name for dataset in given["datasets"]],
            "owner": given["owner"],
            "organisation": given["organisation"],
            "expires_at": given["expires_at"],
        }


class KeyStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # Any: Django's own
        return [("active", "Active"), ("expired", "Expired"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        expired = Q(expires_at__lte=timezone.now())
        match self.value():
            case "active":
                return queryset.filter(revoked_at=None).exclude(expired)
            case "expired":
                return queryset.filter(expired, revoked_at=None)
            case "revoked":
                return queryset.exclude(revoked_at=None)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(GatewayAdmin[ApiKey]):
    form = ApiKeyForm
    list_display = ("name", "state", "prefix", "owner", "organisation", "may_ask", "expires")
    list_filter = (KeyStateFilter, "all_datasets")
    search_fields = ("name", "prefix", "owner", "organisation")
    search_help_text = "Name, prefix, owner, organisation"
    actions = ("revoke",)
    conditional_fields: ClassVar = {"datasets": "all_datasets == false"}
    change_form_outer_before_template = "admin/datasets/apikey/panel.html"
    fieldsets: ClassVar[Fieldsets] = (
        ("Key", {"fields": ("name", "owner", "organisation")}),
        ("What it may do", {"fields": ("all_datasets", "datasets", "expires_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).prefetch_related("datasets")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False  # the query log names keys, so they are revoked and stay

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge("Revoked", "danger", title=f"{key.revoked_at:%Y-%m-%d %H:%M} UTC")
        if key.expires_at and key.expires_at <= timezone.now():
            return badge("Expired", "warning")
        return badge("Active", "success")

    @admin.display(description="Datasets")
    def may_ask(self, key: ApiKey) -> str:
        if key.all_datasets:
            return "every dataset"
        names = [dataset.name for dataset in key.datasets.all() if dataset.deleted_at is None]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more or "none"

    @admin.display(description="Expires", ordering="expires_at")
    def expires(self, key: ApiKey) -> SafeString | str:
        return ago(key.expires_at)

    # ── making one ───────────────────────────────────────────────────────────────────────────────────────────
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request, None, change=False)(request.POST or None)
        assert isinstance(form, ApiKeyForm)
        if form.is_valid():
            try:
                token = create_api_key(form.cleaned_data["name"], created_by=actor_of(request), **form.grants)
            except GatewayError as error:
                form.add_error("name", f"{error.message} {error.hint}".strip())
            else:
                return self._show_token(request, form.cleaned_data["name"], token)
        return self.render_form_page(request, form, title="Create an API key", fieldsets=self.fieldsets)

    def _show_token(self, request: HttpRequest, name: str, token: str) -> HttpResponse:
        # in the answer itself: a message or a session would keep it, and a redirect needs one of them
        key = ApiKey.objects.get(name=name)
        self.log_addition(request, key, "Created.")
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "opts": self.opts,
            "key": key,
            "token": token,
            "endpoint": request.build_absolute_uri("/mcp"),
        }
        response = TemplateResponse(request, "admin/datasets/apikey/token.html", context)
        response["Cache-Control"] = "no-store"
        return response

    # ── changing and revoking ────────────────────────────────────────────────────────────────────────────────
    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool) -> None:
        assert isinstance(form, ApiKeyForm)
        update_api_key(obj.pk, **form.grants)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # Any: Django's own
        """Nothing: the service has set the datasets."""

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],  # Any: a template's context
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: ApiKey | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                "key": obj,
                "state": self.state(obj),
                "created": ago(obj.created_at),
                "may_revoke": obj.revoked_at is None and self.has_change_permission(request, obj),
            }
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:key_id>/revoke/", wrap(never_cache(self.revoke_view)), name="datasets_apikey_revoke"),
            *super().get_urls(),
        ]

    def revoke_view(self, request: HttpRequest, key_id: int) -> HttpResponse:
        key = self.get_object(request, str(key_id))
        if key is None:
            raise Http404
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        if request.method == "POST":
            self._revoke(request, key)
        return HttpResponseRedirect(reverse("admin:datasets_apikey_change", args=[key.pk]))

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen:
            self._revoke(request, key)

    def _revoke(self, request: HttpRequest, key: ApiKey) -> None:
        if attempt(request, lambda: revoke_api_key(key.pk), about=key.name):
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key.name} is revoked; no process accepts it any more.")
