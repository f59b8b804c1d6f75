"""The page on which a person writes, checks and confirms a survey design, and what the dataset's page shows of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin_base import GatewayAdmin, actor_of, ago, badge, show_error
from config.errors import DesignInvalid, GatewayError
from datasets.admin.profiles import describe_proposal
from datasets.design_document import MAX_BYTES
from datasets.design_report import DesignReport, describe_unit, parse_report
from datasets.models import Dataset, DesignDecision
from datasets.survey_designs import check_survey_design, is_live, set_survey_design, show_survey_design

Context = dict[str, Any]  # Any: a template's context
TONES = {
    DesignDecision.OPEN: "warning",
    DesignDecision.NONE: "plain",
    DesignDecision.RECORDED: "warning",
    DesignDecision.CONFIRMED: "success",
}
EXAMPLE = """\
units:
  - table: public.panel_users
    key: [user_id]                # [] where each row is one unit and there is no key column
    weight: weight
    level: person                 # person | household | event
    scale: 1000                   # one unit of weight stands for a thousand people
    kind: projected               # projected | normalised
    strata: null
    psu: null
    attributes: [gender, age_group]
    carried_by: {}                # {public.calls: [user_id]}; foreign keys are found by themselves
    period_weights: null
low_base: {action: flag, minimum: 30, very_low: 50, low: 100}   # action: flag | suppress
"""


class SurveyDesignForm(forms.Form):
    text = forms.CharField(
        label="Survey design",
        strip=False,
        max_length=MAX_BYTES,
        widget=UnfoldAdminTextareaWidget(
            {"rows": 22, "class": "ma-json ma-yaml", "spellcheck": "false", "wrap": "off"}
        ),
        error_messages={"required": "Write the design, or go back: nothing is changed."},
    )


def render_design_page(page: GatewayAdmin[Dataset], request: HttpRequest, dataset: Dataset) -> HttpResponse:
    """`check` shows what confirming would find, `confirm` confirms; both stay here where there are faults."""
    written = show_survey_design(dataset)
    proposed = describe_proposal(dataset)
    found_text = proposed["proposal"]["text"] if proposed["proposal"] else ""
    form = SurveyDesignForm(request.POST or None, initial={"text": written or found_text or EXAMPLE})
    found: Context = {}
    if form.is_valid():
        text = form.cleaned_data["text"]
        try:
            if "confirm" in request.POST:
                return _confirm(page, request, dataset, text)
            found = {"checked": True, "report": describe_report(check_survey_design(dataset.pk, text).report)}
        except DesignInvalid as error:
            found = {"faults": error.context["faults"], "lines": mark_lines(text, error.context["faults"])}
        except GatewayError as error:
            show_error(request, error)
    context = {
        **page.admin_site.each_context(request),
        **describe_design(dataset),
        **proposed,
        **found,
        "title": f"Survey design of {dataset}",
        "dataset": dataset,
        "form": form,
        "is_example": not written and not found_text and not form.is_bound,
        "is_proposal": bool(found_text) and not written and not form.is_bound,
        "opts": page.opts,
        "original": dataset,
    }
    return render(request, "admin/datasets/dataset/survey_design.html", context)


def _confirm(page: GatewayAdmin[Dataset], request: HttpRequest, dataset: Dataset, text: str) -> HttpResponse:
    done = set_survey_design(dataset.pk, text, actor=actor_of(request))
    page.log_change(request, dataset, "Confirmed the survey design.")
    when = "with the next approval" if done.catalog_version is None else "from now on"
    messages.success(request, f"{dataset}: the survey design is confirmed; answers are weighted by it {when}.")
    return HttpResponseRedirect(reverse("admin:datasets_dataset_change", args=[dataset.pk]))


def describe_design(dataset: Dataset) -> Context:
    """What a page says of the dataset's present design."""
    decision = DesignDecision(dataset.design_decision)
    confirmed = decision == DesignDecision.CONFIRMED
    stored = dataset.design_report if confirmed else None
    return {
        "design_badge": design_badge(decision),
        "design_text": show_survey_design(dataset),
        "design_confirmed": confirmed,
        "design_confirmed_at": ago(dataset.design_confirmed_at, never=""),
        "design_live": is_live(dataset),
        "design_report": describe_report(parse_report(stored)) if stored else None,
    }


def design_badge(decision: DesignDecision) -> SafeString:
    return badge(decision.label, TONES[decision])


def describe_report(report: DesignReport) -> Context:
    return {
        "units": [{"table": unit.table, "lines": describe_unit(unit)} for unit in report.units],
        "warnings": report.warnings,
    }


def mark_lines(text: str, faults: list[dict[str, Any]]) -> list[Context]:  # Any: JSON, a fault's line and text
    """The text line by line with what is wrong there."""
    by_line: dict[int, list[str]] = defaultdict(list)
    for fault in faults:
        by_line[fault["line"]].append(fault["text"])
    lines = text.splitlines() or [""]
    return [{"number": number, "text": line, "faults": by_line[number]} for number, line in enumerate(lines, start=1)]
