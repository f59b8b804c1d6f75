"""From a service's answer to what a client receives: the model sees the rows exactly once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastmcp.tools import ToolResult

from config.errors import GatewayError
from logs_analytics.records import Client, Outcome
from mcp_gateway.clients import Channel, channel_of
from querying.analysis.rendering import Analysis, structure_of
from querying.batches import BatchAnswer
from querying.evidence import Base
from querying.results import QueryResult, base_name
from querying.services import Answer, T
from querying.sql.raw_rows import RAW
from querying.wording import WITHHELD, describe_flags, describe_weighting

Structured = dict[str, Any]  # Any: JSON


# ── one question ─────────────────────────────────────────────────────────────────────────────────────────────
def render_query(answer: Answer[QueryResult], *, client: Client, show_sql: bool = False) -> ToolResult:
    """Rows as text; columns, status, weighting and ids as structured content."""
    if answer.error is not None:
        return render_failure(answer)
    return _complete(query_text(answer, show_sql=show_sql), query_facts(answer, show_sql=show_sql), client)


def query_text(answer: Answer[QueryResult], *, show_sql: bool = False) -> str:
    """The rows and what has to be said of them, for whichever door shows text."""
    return f"{answer.text}\n\n{_notes(answer)}{_sql(answer, show_sql)}"


def query_facts(answer: Answer[QueryResult], *, show_sql: bool = False) -> Structured:
    """All that is known of an answer beside its rows."""
    return {**_head(answer), **_facts(answer, show_sql)}


def _sql(answer: Answer[T], show_sql: bool) -> str:
    return f"\n\n```sql\n{answer.plan.sql}\n```" if show_sql and answer.plan is not None else ""


def _notes(answer: Answer[QueryResult]) -> str:
    """How many rows, whether there are more, how they were weighted, how old they are."""
    assert answer.plan is not None
    assert answer.value is not None
    rows = answer.shown.rows
    notes = [f"{rows} row{'' if rows == 1 else 's'}."]
    if answer.shown.truncated_by:
        notes.append(_truncation(answer))
    notes.append(describe_weighting(answer.plan))
    notes += _bases(answer.value)
    if any(column.type == "timestamptz" for column in answer.value.columns):
        notes.append("Times are UTC.")
    if answer.age_s is not None:
        notes.append(f"Cached {answer.age_s:.0f} s ago.")
    return " ".join([*notes, *answer.plan.warnings])


def _bases(result: QueryResult) -> list[str]:
    """What the column of bases shows, and its flags."""
    if not result.bases:
        return []
    flags = {base.flag for row in result.bases for base in row if base is not None}
    notes = [f"`{base_name(result)}`: the unweighted base."]
    if any(base.withheld for row in result.bases for base in row if base is not None):
        notes.append(WITHHELD)
        flags.discard("**")
    return notes + describe_flags(flags)


def _base_facts(answer: Answer[QueryResult]) -> list[list[Structured | None]] | None:
    """For each row that is shown and each column: what the number rests on, or null."""
    assert answer.value is not None
    rows = answer.value.bases[: answer.shown.rows]
    return [[None if base is None else _base_fact(base) for base in row] for row in rows] or None


def _base_fact(base: Base) -> Structured:
    if base.withheld:
        return {"withheld": True, "flag": base.flag}
    numbers = {
        name: value for name, value in asdict(base).items() if value is not None and value != "" and name != "withheld"
    }
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in numbers.items()}


def _truncation(answer: Answer[QueryResult]) -> str:
    assert answer.plan is not None
    assert answer.value is not None
    rows, plan = answer.shown.rows, answer.plan
    if answer.shown.truncated_by == "bytes" or rows == 0:
        return "Cut at the size limit: select fewer columns, or shorter ones with left(column, 100)."
    rest = f"page with ORDER BY and OFFSET {rows}"
    if answer.shown.truncated_by == "tokens":
        count = f"{'more than ' if answer.value.truncated else ''}{len(answer.value.cells)}"
        return f"Cut at the token budget, of {count}: select fewer columns, raise max_tokens, or {rest}."
    if plan.query_type == RAW:
        return f"There are more: raw rows are limited to {plan.max_rows}; aggregate (GROUP BY) to see everything."
    return f"There are more than {plan.max_rows} rows: group more coarsely, filter, or {rest}."


def _facts(answer: Answer[QueryResult], show_sql: bool = False) -> Structured:
    """What is known of an answer beside its rows."""
    assert answer.plan is not None
    assert answer.value is not None
    facts = {
        "dataset": answer.dataset,
        "columns": [{"name": column.name, "type": column.type} for column in answer.value.columns],
        "row_count": answer.shown.rows,
        "truncated": bool(answer.shown.truncated_by),
        "query_type": answer.plan.query_type,
        "weighting": answer.plan.weighting,
        "bases": _base_facts(answer),
        "warnings": list(answer.plan.warnings),
    }
    if answer.plan.weight_column:
        facts["weight"] = answer.plan.weight_column
    if any(base.se is not None for row in answer.value.bases for base in row if base is not None):
        assert answer.plan.evidence is not None
        facts["standard_errors"] = "strata and PSUs" if answer.plan.evidence.clustered else "weights only"
    if show_sql:
        facts["sql_executed"] = answer.plan.sql
    if answer.shown.truncated_by:
        facts["truncated_by"] = answer.shown.truncated_by
    return facts if answer.age_s is None else {**facts, "cached": True, "age_s": round(answer.age_s)}


# ── a question without SQL ───────────────────────────────────────────────────────────────────────────────────
def render_analysis(answer: Answer[Analysis], *, client: Client, show_sql: bool = False) -> ToolResult:
    """The table and its notes as text; numbers with their bases, and the question, as structured content."""
    if answer.value is None:
        return render_failure(answer)
    return _complete(analysis_text(answer, show_sql=show_sql), analysis_facts(answer, show_sql=show_sql), client)


def analysis_text(answer: Answer[Analysis], *, show_sql: bool = False) -> str:
    """The table and what is said of it, for whichever door shows text."""
    age = "" if answer.age_s is None else f"\nCached {answer.age_s:.0f} s ago."
    return f"{answer.text}{age}{_sql(answer, show_sql)}"


def analysis_facts(answer: Answer[Analysis], *, show_sql: bool = False) -> Structured:
    """Numbers with their bases, the question, and all that is known of them."""
    assert answer.value is not None
    facts = {**_head(answer), **structure_of(answer.value, shown=answer.shown.rows)}
    if show_sql and answer.plan is not None:
        facts["sql_executed"] = answer.plan.sql
    return facts if answer.age_s is None else {**facts, "cached": True, "age_s": round(answer.age_s)}


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────
def render_batch(made: BatchAnswer, *, client: Client, show_sql: bool = False) -> ToolResult:
    """Each answer under its label; a failure stands in its own place. An error only where everything failed."""
    parts = [_part(answer, show_sql) for answer in made.answers]
    if made.pending:
        parts.append(_pending(made))
    failed = bool(made.answers) and not made.pending and all(answer.error for answer in made.answers)
    body: Structured = {
        "status": "failed" if failed else "partial" if made.pending else "answered",
        "catalog_version": max((answer.catalog_version for answer in made.answers), default=0),
        "queries": [_item(answer, show_sql) for answer in made.answers],
        "pending": list(made.pending),
    }
    if made.handle:
        body["handle"] = made.handle
    result = _complete("\n\n".join(parts), body, client)
    result.is_error = failed
    return result


def _part(answer: Answer[QueryResult], show_sql: bool) -> str:
    title = f"## {answer.label}" + (f" ({answer.dataset})" if answer.dataset else "")
    if answer.error is not None:
        return f"{title}\n{_sentence(answer.error)}"
    # an empty line, or Markdown would take the notes for a row
    shown = f"{answer.text}\n" if answer.text else "Used by combine."
    return f"{title}\n{shown}\n{_notes(answer)}{_sql(answer, show_sql)}"


def _pending(made: BatchAnswer) -> str:
    waiting = f"Not done yet: {', '.join(made.pending)}."
    return (
        f'{waiting} Call get_result(handle="{made.handle}") for the rest.' if made.handle else f"{waiting} {made.note}"
    )


def _item(answer: Answer[QueryResult], show_sql: bool) -> Structured:
    item = {"label": answer.label, "id": str(answer.id), "status": answer.outcome.value, "ms": _duration(answer)}
    if answer.error is not None:
        return {**item, "dataset": answer.dataset, "error": answer.error.as_dict()}
    return {**item, **_facts(answer, show_sql)}


def _duration(answer: Answer[QueryResult]) -> int:
    return round(answer.timings_ms.get("total", 0))


# ── all answers ──────────────────────────────────────────────────────────────────────────────────────────────
def render_text(answer: Answer[T], structured: Structured, *, client: Client) -> ToolResult:
    """An answer whose text is already the whole of it."""
    if answer.outcome is not Outcome.ANSWERED:
        return render_failure(answer)
    return _complete(answer.text, {**_head(answer), **structured}, client)


def _head(answer: Answer[T]) -> Structured:
    return {"id": str(answer.id), "status": answer.outcome.value, "catalog_version": answer.catalog_version}


def _complete(text: str, body: Structured, client: Client) -> ToolResult:
    # a client that drops the text gets it here; one that is unknown gets both complete
    if channel_of(client) in {Channel.STRUCTURED, Channel.UNKNOWN}:
        body = {**body, "markdown": text}
    return ToolResult(content=text, structured_content=body)


def render_failure(answer: Answer[T]) -> ToolResult:
    assert answer.error is not None
    structured = {**_head(answer), "error": answer.error.as_dict()}
    return ToolResult(content=_sentence(answer.error), structured_content=structured, is_error=True)


def _sentence(error: GatewayError) -> str:
    return f"{error.code}: {error.message}" + (f" {error.hint}" if error.hint else "")
