"""Forms of a dataset. A connection string goes in and never comes back, not even after an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from config.errors import DsnInvalid, GatewayError, InvalidRequest, NameTaken, PreflightError, RoleUnsafe
from datasets.admin.json_fields import JsonField
from datasets.models import NAME_PATTERN, DataCategory, Dataset, DatasetType, DataSource, DesignDecision, PersonalData
from datasets.policies import parse_policies
from datasets.system_config import QueryLimits, parse_section

if TYPE_CHECKING:
    RowForm = forms.ModelForm[Dataset]
else:  # Django's forms take type arguments only in their stubs
    RowForm = forms.ModelForm

DSN_HELP = (
    "postgresql://user:password@host:5432/database?sslmode=require, for a role that may only read. "
    "It is checked when you save, stored encrypted and never shown again."
)
UNSAFE_LABEL = "Allow a role that may write"
UNSAFE_HELP = (
    "Not recommended: whoever finds a way around the gateway's checks could then change data. "
    "Recorded with your name and shown on the dataset."
)
# the others say what was done with a design, not what somebody chose
CHOOSABLE = (DesignDecision.OPEN, DesignDecision.NONE)
PERSONAL_DATA_HELP = (
    "How columns that look like personal data start, until somebody decides about each on its table's page."
)


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    def __init__(self, **options: Any) -> None:  # Any: options of forms.CharField
        super().__init__(widget=UnfoldAdminTextareaWidget({"rows": 3}), required=False, **options)

    def prepare_value(self, value: Any) -> Any:  # Any: a list from the row, or text as it was typed
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:  # Any: Django's signature says str
        if isinstance(value, list):
            return value
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:  # Any: as above
        return bool(self.to_python(data) != (initial or []))


def dsn_field(label: str) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(
        {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "data-1p-ignore": ""},
        render_value=False,
    )
    # strip=True: what is pasted often ends in a line break; the parser refuses the rest
    return forms.CharField(label=label, widget=widget, help_text=DSN_HELP, max_length=4096)


def unsafe_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=UNSAFE_LABEL, required=False, help_text=UNSAFE_HELP, widget=UnfoldBooleanSwitchWidget()
    )


class ServiceForm(forms.Form):
    """A form whose service may refuse; the refusal stands at the field that it is about."""

    def add_refusal(self, error: GatewayError) -> None:
        field = self.field_of(error)
        self.add_error(field if field in self.fields else None, f"{error.message} {error.hint}".strip())

    def field_of(self, error: GatewayError) -> str | None:
        if isinstance(error, DsnInvalid | PreflightError):
            return "connection_string"
        if isinstance(error, NameTaken | InvalidRequest):
            return "name"
        return "allow_unsafe_role" if isinstance(error, RoleUnsafe) else None


class ConnectionForm(ServiceForm):
    connection_string = dsn_field("New connection string")
    allow_unsafe_role = unsafe_field()

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: arguments of forms.Form
        super().__init__(*args, **options)
        if not settings.ALLOW_UNSAFE_ROLES:
            del self.fields["allow_unsafe_role"]


class RegisterForm(ConnectionForm):
    name = forms.RegexField(
        NAME_PATTERN,
        max_length=63,
        error_messages={"invalid": "Use a to z, 0 to 9, _ and -, starting with a letter, 63 characters at most."},
        help_text="The name by which every client asks for it; it cannot be changed later.",
        widget=UnfoldAdminTextInputWidget({"autocapitalize": "off", "spellcheck": "false"}),
    )
    connection_string = dsn_field("Connection string")
    title = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget())
    description = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="What is in it and what it is good for; clients choose a dataset by this text.",
    )
    data_category = forms.ChoiceField(
        label="Category", choices=DataCategory.choices, initial=DataCategory.MIXED, widget=UnfoldAdminSelectWidget()
    )
    dataset_type = forms.ChoiceField(
        label="Type", choices=DatasetType.choices, initial=DatasetType.MIXED, widget=UnfoldAdminSelectWidget()
    )
    data_source = forms.ChoiceField(
        label="Source", choices=DataSource.choices, initial=DataSource.POSTGRES, widget=UnfoldAdminSelectWidget()
    )
    owner = forms.CharField(
        max_length=150,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Who answers questions about this data.",
    )
    use_cases = LinesField(label="Use cases", help_text="Questions that it can answer, one a line.")
    personal_data = forms.ChoiceField(
        label="Personal data",
        choices=PersonalData.choices,
        initial=PersonalData.HIDDEN,
        help_text=PERSONAL_DATA_HELP,
        widget=UnfoldAdminSelectWidget(),
    )
    design_decision = forms.ChoiceField(
        label="Survey design",
        choices=[choice for choice in DesignDecision.choices if choice[0] in CHOOSABLE],
        initial=DesignDecision.OPEN,
        widget=UnfoldAdminSelectWidget(),
        help_text="Whether answers need weights. The design itself is confirmed once the dataset is profiled.",
    )


def _refuse_faults(parse: Callable[[], object]) -> None:
    try:
        parse()
    except InvalidRequest as error:
        raise forms.ValidationError(error.message) from error


def _limit_field(label: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, widget=UnfoldAdminIntegerFieldWidget(), help_text="Empty: the system's."
    )


class DatasetForm(RowForm):
    """What people say about a dataset. Clients see it once it is approved."""

    use_cases = LinesField(label="Use cases", help_text="Questions that it can answer, one a line.")
    policies = JsonField(
        empty={}, label="Policies", help_text="Masks, hidden columns and row rules; see docs/policies.md."
    )
    merges = JsonField(
        label="Merged classes",
        help_text="Classes shown as one, by column, e.g. <code>{&quot;nccs&quot;: {&quot;A&quot;: [&quot;A&quot;, "
        "&quot;A1&quot;]}}</code>; empty: as the system setting says, <code>{}</code>: none.",
    )
    raw_rows = _limit_field("Raw rows")
    aggregated_rows = _limit_field("Aggregated rows")
    answer_tokens = _limit_field("Tokens of an answer")
    significant_digits = _limit_field("Significant digits")
    result_ttl_s = _limit_field("Seconds that results are kept")
    error_rows = _limit_field("Rows of events with standard errors")
    LIMITS: ClassVar = (
        "raw_rows",
        "aggregated_rows",
        "answer_tokens",
        "significant_digits",
        "result_ttl_s",
        "error_rows",
    )

    class Meta:
        model = Dataset
        fields: ClassVar = [
            "title",
            "description",
            "data_category",
            "dataset_type",
            "data_source",
            "owner",
            "use_cases",
            "date_column",
            "date_range_start",
            "date_range_end",
            "personal_data",
            "policies",
            "merges",
            "design_decision",
        ]
        labels: ClassVar = {
            "data_category": "Category",
            "dataset_type": "Type",
            "data_source": "Source",
            "design_decision": "Survey design",
        }
        help_texts: ClassVar = {
            "description": "What is in it and what it is good for; clients choose a dataset by this text.",
            "owner": "Who answers questions about this data.",
            "personal_data": PERSONAL_DATA_HELP,
            "design_decision": "Whether answers need weights. A design is confirmed on its own page, at once; "
            "taking the decision back is live once the dataset is approved.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: arguments of forms.ModelForm
        super().__init__(*args, **options)
        for field in self.fields.values():
            # changed means changed in this page: what a profile wrote since it was opened is not overwritten
            field.show_hidden_initial = True
        for name in self.LIMITS:
            if name in self.fields:
                self.initial[name] = (self.instance.query_limits or {}).get(name)
        decision = self.fields.get("design_decision")
        if isinstance(decision, forms.ChoiceField):
            offered = self._decisions()
            decision.choices = [choice for choice in DesignDecision.choices if choice[0] in offered]

    def _decisions(self) -> set[str]:
        recorded = {DesignDecision.RECORDED} if self.instance.design_document is not None else set()
        return {*CHOOSABLE, *recorded, self.instance.design_decision}

    def clean_policies(self) -> Any:  # Any: JSON
        policies = self.cleaned_data["policies"]
        _refuse_faults(lambda: parse_policies(policies))
        return policies

    def clean_merges(self) -> Any:  # Any: JSON
        merges = self.cleaned_data["merges"]
        if merges is not None:
            _refuse_faults(lambda: parse_section("weighting_rules", {"merges": merges}))
        return merges

    def clean(self) -> dict[str, Any]:  # Any: Django's cleaned_data
        cleaned = super().clean() or self.cleaned_data
        start, end = cleaned.get("date_range_start"), cleaned.get("date_range_end")
        if start and end and end < start:
            self.add_error("date_range_end", "The end lies before the start.")
        limits = {name: cleaned[name] for name in self.LIMITS if cleaned.get(name) is not None}
        for name, value in limits.items():
            try:
                parse_section("query_limits", {**QueryLimits().model_dump(), name: value})
            except InvalidRequest as error:
                self.add_error(name, error.message)
        if any(name in self.fields for name in self.LIMITS):
            kept = {name: value for name, value in self.instance.query_limits.items() if name not in self.LIMITS}
            self.instance.query_limits = {**kept, **limits}
        return cleaned
