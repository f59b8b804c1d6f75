"""Services of survey designs: check one against tables and data, confirm it, keep it true to what is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction
from django.utils import timezone

from config.errors import DatasetNotFound, DesignInvalid, TransitionRefused
from datasets.additions import Additions
from datasets.catalog import TableSpec
from datasets.credentials import open_target
from datasets.design import SurveyDesign, Unit
from datasets.design_checks import KEY, STRATA, WEIGHT, DataFault, check_design
from datasets.design_document import DesignForm, Fault, UnitForm, build_design_document, render_design
from datasets.design_fit import Fitted, fit_text, refuse_faults
from datasets.design_published import build_published_design, parse_published_design
from datasets.design_report import DesignReport, build_report_document, counted
from datasets.models import Dataset, DesignDecision
from datasets.publishing import (
    UNREAD,
    Document,
    build_document,
    document_additions,
    parse_tables,
    plain_type,
    publish_design,
)
from datasets.vocabulary import build_vocabulary

FIELDS = [
    "design_document",
    "survey_design",
    "design_report",
    "design_decision",
    "design_confirmed_at",
    "design_confirmed_by",
    "merges",
    "updated_by",
    "updated_at",
]


@dataclass(frozen=True, slots=True)
class CheckedDesign:
    """A design that fits and that the data do not contradict. `goes_live` at once, or with the next approval."""

    dataset_id: int
    connection_id: str
    text: str
    fitted: Fitted
    report: DesignReport
    goes_live: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """`catalog_version` is None where the design goes live with the next approval."""

    report: DesignReport
    catalog_version: int | None


def set_survey_design(dataset_id: int, text: str, *, actor: str) -> Confirmation:
    """Confirm the design that a YAML text describes; where the dataset is live, every process weights by it at once.

    Nothing else of the working copy goes live with it. Raises `DesignInvalid` with each fault and its line (nothing
    is stored), `TransitionRefused` before there is a profile, or the error of a connection that fails.
    """
    return _keep(check_survey_design(dataset_id, text), actor=actor)


def check_survey_design(dataset_id: int, text: str) -> CheckedDesign:
    """All that confirming would check, without storing anything; raises what `set_survey_design` raises."""
    dataset = _get(dataset_id)
    fitted, goes_live = _fit(dataset, text)
    report, found = async_to_sync(check_design)(open_target(dataset.connection), fitted.design)
    refuse_faults(_located(found, fitted.form))
    return CheckedDesign(
        dataset_id=dataset_id,
        connection_id=dataset.connection_id,
        text=text,
        fitted=fitted,
        report=replace(report, warnings=tuple(str(warning) for warning in fitted.warnings)),
        goes_live=goes_live,
    )


@transaction.atomic
def _keep(checked: CheckedDesign, *, actor: str) -> Confirmation:
    dataset = Dataset.objects.select_for_update(of=("self",)).get(pk=checked.dataset_id)
    fitted, goes_live = _fit(dataset, checked.text)
    changed = dataset.connection_id != checked.connection_id or fitted.design != checked.fitted.design
    if changed or dataset.deleted_at is not None:
        raise TransitionRefused(f"{dataset.name} changed while its design was checked.", hint="Confirm it again.")
    document = build_design_document(fitted.form)
    dataset.design_document = document
    dataset.survey_design = build_published_design(counted(fitted.design, checked.report))
    dataset.design_report = build_report_document(checked.report)
    dataset.design_decision = DesignDecision.CONFIRMED
    dataset.design_confirmed_at, dataset.design_confirmed_by = timezone.now(), actor
    dataset.merges = document.get("merges", dataset.merges)
    dataset.updated_by = actor
    dataset.save(update_fields=FIELDS)
    entry = publish_design(dataset, with_merges="merges" in document, actor=actor) if goes_live else None
    return Confirmation(checked.report, entry.version if entry else None)


def refit_survey_design(dataset: Dataset) -> None:
    """Fit a confirmed design to the tables that are about to be published; call it inside the transaction that does.

    Raises `DesignInvalid` where it fits no longer; lines are those of `show_survey_design`.
    """
    if dataset.design_decision != DesignDecision.CONFIRMED:
        return
    document = build_document(dataset)
    try:
        fitted = _fit_to(document, render_design(dataset.design_document or {}))
    except DesignInvalid as error:
        raise DesignInvalid(
            f"The confirmed survey design of {dataset.name} no longer fits its tables. {error.message}",
            hint=f"Correct it: `manage.py set_survey_design {dataset.name} FILE`, or take the decision back in the "
            "admin; then approve again.",
            **error.context,
        ) from error
    earlier = parse_published_design(dataset.survey_design or {})
    dataset.survey_design = build_published_design(_with_counts(fitted.design, earlier))
    dataset.save(update_fields=["survey_design"])


def _with_counts(design: SurveyDesign, earlier: SurveyDesign) -> SurveyDesign:
    """The counts are those of the confirmation, by table and level."""
    known = {(unit.table, unit.level): unit for unit in earlier.units}
    return replace(design, units=tuple(_counted(unit, known) for unit in design.units))


def _counted(unit: Unit, known: Mapping[tuple[tuple[str, str], str], Unit]) -> Unit:
    found = known.get((unit.table, unit.level), unit)
    same = (unit.stratum, unit.psu) == (found.stratum, found.psu)
    return replace(unit, units=found.units, excluded=found.excluded, psus=found.psus if same else {})


def _get(dataset_id: int) -> Dataset:
    dataset = Dataset.objects.select_related("live_entry").filter(pk=dataset_id, deleted_at=None).first()
    if dataset is None:
        raise DatasetNotFound("That dataset does not exist.")
    return dataset


# ── fitting ──────────────────────────────────────────────────────────────────────────────────────────────────
def _fit(dataset: Dataset, text: str) -> tuple[Fitted, bool]:
    """The design over what is live, and whether it fits there; else over the working copy, for the next approval."""
    working = build_document(dataset)
    if not working["tables"] and dataset.live_entry is None:
        raise TransitionRefused(
            f"{dataset.name} has no tables yet to which a design could be fitted.",
            hint=f"Profile it first: `manage.py profile_dataset {dataset.name} --wait`.",
        )
    if dataset.live_entry is None:
        return _fit_to(working, text), False
    try:
        fitted = _fit_to(dataset.live_entry.document, text)
    except DesignInvalid as error:
        return _fit_next(working, text, error), False
    return _warn_of_next(fitted, working, text), True


def _fit_next(working: Document, text: str, error: DesignInvalid) -> Fitted:
    """Over tables that nobody approved yet; the faults shown are those of what is live."""
    try:
        fitted = _fit_to(working, text)
    except DesignInvalid:
        raise error from None
    warning = Fault(1, "it fits the tables as last profiled, not those that are live: it goes live with their approval")
    return replace(fitted, warnings=(warning, *fitted.warnings))


def _warn_of_next(fitted: Fitted, working: Document, text: str) -> Fitted:
    try:
        _fit_to(working, text)
    except DesignInvalid as error:
        faults = [Fault(fault["line"], fault["text"]) for fault in error.context["faults"]]
        told = [
            replace(fault, text=f"{fault.text} (as last profiled: the next approval is refused)") for fault in faults
        ]
        return replace(fitted, warnings=(*fitted.warnings, *told))
    return fitted


def _fit_to(document: Document, text: str) -> Fitted:
    tables = usable_tables(parse_tables(document), document_additions(document))
    return fit_text(text, tables, date_column=document["date_column"])


def usable_tables(tables: tuple[TableSpec, ...], additions: Additions) -> tuple[TableSpec, ...]:
    """Without tables and columns whose reading would run what nobody approved; domains as their base types."""
    vocabulary = build_vocabulary(additions)
    return tuple(
        replace(
            table,
            columns=tuple(
                replace(column, type=vocabulary.base_type(column.type))
                for column in table.columns
                if plain_type(column.type) not in vocabulary.unusable_types
            ),
        )
        for table in tables
        if vocabulary.unknown_routines.isdisjoint(table.routines) and UNREAD not in table.definitions
    )


def _located(found: tuple[DataFault, ...], form: DesignForm) -> Iterator[Fault]:
    for fault in found:
        yield Fault(_line_of(form.units[fault.unit], fault.part), fault.text)


def _line_of(form: UnitForm, part: str) -> int:
    if part == KEY:
        return form.key.line
    if part == WEIGHT:
        return form.weight.line
    if part == STRATA:
        return (form.strata or form.psu).line
    return form.period_weights.line if form.period_weights else form.line


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────
def show_survey_design(dataset: Dataset) -> str:
    """The dataset's design as YAML, or "" where there is none."""
    return render_design(dataset.design_document) if dataset.design_document else ""


def is_live(dataset: Dataset) -> bool:
    """Whether the entry that clients are answered by holds this very design, confirmed."""
    live: Mapping[str, Any] = dataset.live_entry.document if dataset.live_entry else {}  # Any: JSON
    return bool(
        dataset.design_decision == DesignDecision.CONFIRMED
        and live.get("design_decision") == DesignDecision.CONFIRMED
        and live.get("survey_design") == dataset.survey_design
    )
