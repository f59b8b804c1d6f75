"""Answers as bytes and back, for those that are handed out later, perhaps by another process. Pure."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any, Final
from uuid import UUID

from config.errors import build_error
from logs_analytics.records import Outcome
from querying.cache import Kept
from querying.evidence import Base
from querying.results import Column, QueryResult
from querying.services import Answer
from querying.sql.plan import QueryPlan

Document = dict[str, Any]  # Any: JSON
PLAN_FIELDS: Final = ("query_type", "weighting", "max_rows", "weight_column", "warnings")


def dump_answer(answer: Answer[QueryResult]) -> bytes:
    plan, result = answer.plan, answer.value
    document = {
        "id": str(answer.id),
        "outcome": answer.outcome.value,
        "catalog_version": answer.catalog_version,
        "dataset": answer.dataset,
        "label": answer.label,
        "plan": {name: getattr(plan, name) for name in PLAN_FIELDS} if plan else None,
        "result": _document_of(result) if result else None,
        "error": answer.error.as_dict() if answer.error else None,
        "age_s": answer.age_s,
        "timings_ms": answer.timings_ms,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def load_answer(payload: bytes) -> Answer[QueryResult]:
    document: Document = json.loads(payload)
    result = _result_of(document["result"]) if document["result"] else None
    return Answer(
        id=UUID(document["id"]),
        outcome=Outcome(document["outcome"]),
        catalog_version=document["catalog_version"],
        dataset=document["dataset"],
        label=document["label"],
        plan=_plan_of(document["plan"]) if document["plan"] else None,
        value=result,
        kept=Kept(result) if result else None,
        error=build_error(document["error"]) if document["error"] else None,
        age_s=document["age_s"],
        timings_ms=document["timings_ms"],
    )


def _document_of(result: QueryResult) -> Document:
    columns = [[column.name, column.type] for column in result.columns]
    bases = [[base and astuple(base) for base in row] for row in result.bases]
    return {"columns": columns, "cells": result.cells, "truncated_by": result.truncated_by, "bases": bases}


def _result_of(document: Document) -> QueryResult:
    columns = tuple(Column(name, kind) for name, kind in document["columns"])
    bases = tuple(tuple(base and Base(*base) for base in row) for row in document["bases"])
    return QueryResult(columns, tuple(map(tuple, document["cells"])), document["truncated_by"], bases=bases)


def _plan_of(document: Document) -> QueryPlan:
    """What the answer says about itself; the SQL stays in the query log."""
    return QueryPlan(sql="", fingerprint="", tables=(), **{**document, "warnings": tuple(document["warnings"])})
