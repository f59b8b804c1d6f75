"""How far a profile is, and what it proposes, as a dataset's pages show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from datasets.design_document import render_design
from datasets.models import Dataset, ProfilingRun
from datasets.profiling.progress import progress_of
from datasets.profiling.report import describe_answer
from datasets.profiling.service import OPEN

Context = dict[str, Any]  # Any: a template's context
QUANTILES = (("0.0", "least"), ("0.05", "5 %"), ("0.5", "middle"), ("0.95", "95 %"), ("1.0", "most"))


def describe_run(dataset: Dataset) -> Context:
    """The run that waits or works, if there is one."""
    run = ProfilingRun.objects.filter(dataset=dataset, state__in=OPEN).first()
    return {"run": run, "progress": progress_of(run) if run else None}


def describe_proposal(dataset: Dataset) -> Context:
    """The design that the newest profile puts forward, with what a person needs to decide."""
    proposal = dataset.proposal
    if proposal is None:
        return {"proposal": None}
    return {
        "proposal": {
            "text": render_design(proposal["document"]),
            "percent": round(100 * proposal["confidence"]),
            "reasons": proposal["reasons"],
            "evidence": [{**one, "facts": list(_facts(one))} for one in proposal["evidence"]],
            "checks": [{**check, "told": describe_answer(check["answer"])} for check in proposal["checks"]],
            "questions": proposal["questions"],
            "alternatives": [
                {"why": one["why"], "text": render_design(one["document"])} for one in proposal["alternatives"]
            ],
        }
    }


def _facts(evidence: dict[str, Any]) -> Iterator[tuple[str, str]]:  # Any: JSON
    """A weight in figures; those worked out from quantiles are said to be about so much."""
    if evidence["rows"] is not None:
        yield "Rows", f"{evidence['rows']:,}"
    for name, label in (("null_share", "Without a weight"), ("zero_share", "Weight 0")):
        if evidence[name] is not None:
            yield label, f"{evidence[name]:.1%}".replace("%", " %")
    for share, label in QUANTILES:
        if share in evidence["quantiles"]:
            yield f"Weight, {label}", f"{evidence['quantiles'][share]:,.4g}"
    for name, label in (("mean", "Mean"), ("total", "Total")):
        if evidence[name] is not None:
            yield label, f"about {evidence[name]:,.0f}" if evidence[name] >= 100 else f"about {evidence[name]:,.3g}"
    if evidence["efficiency"] is not None:
        yield "Efficiency (Kish)", f"about {evidence['efficiency']:.0f} %"
