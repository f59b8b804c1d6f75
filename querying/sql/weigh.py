"""The weighting pass: so far it only says why an answer is unweighted. Pure."""

from __future__ import annotations

from dataclasses import replace

from querying.sql.draft import Draft


def weigh(draft: Draft) -> Draft:
    """off: the caller declined; none: nothing to weight; design_not_confirmed: nobody has said how to weight."""
    if draft.request.weighting == "off":
        return replace(draft, weighting="off")
    open_design = draft.tables and draft.dataset.design_decision != "none"
    return replace(draft, weighting="design_not_confirmed" if open_design else "none")
