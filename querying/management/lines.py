"""The JSON lines of `run_queries`: one question in, one record out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.errors import GatewayError, InvalidRequest
from logs_analytics.records import Outcome
from querying import services
from querying.batches import answer_batch, build_batch
from querying.engine import Engine
from querying.results import QueryResult
from querying.services import Answer, Call
from querying.sql.plan import QueryRequest

Json = dict[str, Any]  # Any: JSON


class Query(BaseModel):
    """The arguments of one query, as a line of its own or as a tool's arguments."""

    model_config = ConfigDict(extra="forbid")
    dataset: str
    sql: str
    weighting: Literal["auto", "off"] = "auto"
    uncertainty: Literal["auto", "off"] = "auto"
    max_rows: int | None = Field(default=None, ge=1)


class Description(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dataset: str
    tables: list[str] = []


class LabelledQuery(Query):
    label: str = ""


class Queries(BaseModel):
    model_config = ConfigDict(extra="forbid")
    queries: list[LabelledQuery]
    combine: str = ""


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


ARGUMENTS: Mapping[str, type[BaseModel]] = {
    "describe_dataset": Description,
    "execute_multi_query": Queries,
    "execute_query": Query,
    "list_datasets": Nothing,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line, or the error that it is; `id` is the caller's own, else the line's number."""

    id: Any  # Any: whatever JSON value the caller chose
    tool: str
    arguments: BaseModel | None = None
    error: GatewayError | None = None

    @property
    def dataset(self) -> str:
        return str(getattr(self.arguments, "dataset", ""))


def parse_line(number: int, text: str) -> Line:
    try:
        fields = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(fields, ensure_ascii=False).encode()  # a half of a surrogate pair is no text
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Line(number, "execute_query", error=InvalidRequest(f"Line {number} is not a JSON object.", hint=FORM))
    identifier = fields.pop("id", number)
    tool = fields.pop("tool", "execute_query")
    arguments = fields.pop("arguments", None)
    if arguments is not None and fields:
        fault = InvalidRequest(f"Line {number} has arguments and also {', '.join(fields)}.", hint=FORM)
        return Line(identifier, str(tool), error=fault)
    if not isinstance(tool, str) or tool not in ARGUMENTS:
        fault = InvalidRequest(f"There is no tool named {str(tool)[:60]!r}.", hint=f"Tools: {', '.join(ARGUMENTS)}.")
        return Line(identifier, str(tool)[:60], error=fault)
    try:
        return Line(identifier, tool, ARGUMENTS[tool].model_validate(fields if arguments is None else arguments))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return Line(identifier, tool, error=InvalidRequest(f"Line {number} is not valid: {faults}.", hint=FORM))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


FORM = 'A line is {"id": ..., "dataset": "...", "sql": "..."}, or {"id": ..., "tool": "...", "arguments": {...}}.'


async def run_line(line: Line, *, call: Call, engine: Engine, reveal_all_rows: bool) -> Json:
    """The record of one line; it never raises for what a line asks."""
    call = replace(call, tool=line.tool)
    if line.error is not None:
        return render_record(line.id, await services.refuse(call, line.error, engine=engine), failed=True)
    if isinstance(line.arguments, Query):
        request = QueryRequest(**line.arguments.model_dump(), reveal_all_rows=reveal_all_rows)
        (answer,) = await services.answer(call, [request], engine=engine)
        return render_record(line.id, answer)
    if isinstance(line.arguments, Queries):
        return await run_batch(line.id, line.arguments, call=call, engine=engine, reveal_all_rows=reveal_all_rows)
    if isinstance(line.arguments, Description):
        described = await services.describe_dataset(
            call, line.arguments.dataset, tables=line.arguments.tables, engine=engine
        )
        return render_record(line.id, described)
    return render_record(line.id, await services.list_datasets(call, engine=engine))


async def run_batch(
    identifier: Any, asked: Queries, *, call: Call, engine: Engine, reveal_all_rows: bool
) -> Json:  # Any: the caller's id
    requests = [QueryRequest(**query.model_dump(), reveal_all_rows=reveal_all_rows) for query in asked.queries]
    try:
        batch = build_batch(requests, combine=asked.combine)
    except GatewayError as error:
        return render_record(identifier, await services.refuse(call, error, engine=engine))
    made = await answer_batch(call, batch, engine=engine)
    records = [render_record(answer.label, answer) for answer in made.answers]
    return {"id": identifier, "answers": records, "pending": list(made.pending), "handle": made.handle or None}


def render_record(
    identifier: Any, answer: Answer[Any], *, failed: bool = False
) -> Json:  # Any: the caller's id and value
    plan, error = answer.plan, answer.error
    result = answer.value if isinstance(answer.value, QueryResult) else None
    record: Json = {
        "id": identifier,
        "status": Outcome.FAILED.value if failed else answer.outcome.value,
        "code": error.code if error else None,
        "message": error.message if error else None,
        "hint": (error.hint or None) if error else None,
        "columns": [{"name": column.name, "type": column.type} for column in result.columns] if result else [],
        "rows": [list(row) for row in result.rows] if result else [],
        "bases": [[base and asdict(base) for base in row] for row in result.bases]
        if result and result.bases
        else [None] * len(result.rows)
        if result
        else [],
        "truncated": result.truncated if result else False,
        "cached": answer.age_s is not None,
        "weighting": plan.weighting if plan else None,
        "warnings": list(plan.warnings) if plan else [],
        "sql_executed": plan.sql if plan else None,
        "query_id": str(answer.id),
        "timings_ms": answer.timings_ms,
    }
    return record if plan or error else {**record, "text": answer.text}
