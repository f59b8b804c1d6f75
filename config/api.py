"""The REST door: the questions of the MCP door over plain HTTP, under the same keys, rules, limits and log."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Schema
from ninja.decorators import decorate_view
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import ConfigDict, Field

from config.rest import (
    ApiKeyAuth,
    ExactJson,
    GatewayApi,
    Problem,
    StrictParser,
    build_call,
    engine_of,
    on_record,
    refuse,
    render_failure,
)
from mcp_gateway.arguments import (
    Compared,
    Conditions,
    DatasetName,
    Groups,
    Metrics,
    PeriodAsked,
    RowsAsked,
    ShowSql,
    Sorted,
    TokenBudget,
    TotalAsked,
    Weighting,
)
from mcp_gateway.rendering import analysis_facts, analysis_text, query_facts, query_text
from mcp_gateway.server import VERSION
from querying import services
from querying.analyses import analyze as answer_question
from querying.analysis.question import parse_question
from querying.results import QueryResult
from querying.services import Answer
from querying.sql.plan import QueryRequest

Json = dict[str, Any]  # Any: JSON
FAILURES: Final = frozenset({400, 401, 403, 404, 422, 500, 502, 503, 504})
DESCRIPTION: Final = (
    "Questions to panel and survey data in PostgreSQL, over plain HTTP. Send an API key as `Authorization: Bearer "
    "<key>`. Answers say whether they are weighted and what they rest on; errors are problem documents (RFC 9457) "
    "with a code, a message and a hint."
)

api = GatewayApi(
    title="MCP Analytics Server",
    version=VERSION,
    description=DESCRIPTION,
    auth=ApiKeyAuth(),
    parser=StrictParser(),
    renderer=ExactJson(),
    urls_namespace="api",
)


# ninja has handlers of its own for the first three, which answer in another form
for kind in (AuthenticationError, HttpError, ValidationError, Exception):
    api.add_exception_handler(kind, refuse)


# ── analyze ──────────────────────────────────────────────────────────────────────────────────────────────────
class Analysis(Schema):
    model_config = ConfigDict(extra="forbid")

    dataset: DatasetName
    metrics: Metrics
    by: Groups = None
    where: Conditions = None
    period: PeriodAsked = None
    compare: Compared = None
    sort: Sorted = None
    limit: RowsAsked = None
    total: TotalAsked = False
    weighting: Weighting = "auto"
    max_tokens: TokenBudget = None
    show_sql: ShowSql = False


class Heading(Schema):
    name: str
    role: Annotated[str, Field(description="group, value, before (of the other side) or difference")]
    metric: str | None = None
    unit: Annotated[str | None, Field(description="number, or share: between 0 and 1.")] = None


class AnalysisRow(Schema):
    groups: Annotated[list[str | None], Field(description="As PostgreSQL writes them; of a total without the last.")]
    cells: Annotated[
        list[Json], Field(description="For each column of numbers `value`, and what it rests on as far as it is known.")
    ]


class AnalysisAnswer(Schema):
    id: Annotated[str, Field(description="The row in the query log.")]
    status: Literal["answered"]
    catalog_version: int
    dataset: str
    question: Annotated[Json, Field(description="The question as it can be asked again.")]
    understood: str
    columns: list[Heading]
    rows: list[AnalysisRow]
    total: list[AnalysisRow] | None = None
    row_count: int
    truncated: bool
    period: Annotated[Json | None, Field(description="from, to, whether it follows the data, partial periods.")]
    comparison: Json | None = None
    letters: Annotated[dict[str, str | None] | None, Field(description="By letter, the group that it stands for.")] = (
        None
    )
    merges: Annotated[dict[str, dict[str, list[str]]], Field(description="Classes that are shown as one.")]
    chart: Literal["bar", "line", "table"]
    weighting: str
    weight: str | None = None
    standard_errors: str | None = None
    warnings: list[str]
    next: Annotated[str, Field(description="What to ask next.")]
    cached: bool = False
    age_s: int | None = None
    sql_executed: str | None = None
    markdown: Annotated[str, Field(description="The whole answer as text for a model.")]


@api.post(
    "/v1/analyze",
    response={200: AnalysisAnswer, FAILURES: Problem},
    operation_id="analyze",
    summary="Analyze without SQL",
    tags=["query"],
)
@decorate_view(on_record("analyze"))
async def analyze(request: HttpRequest, asked: Analysis) -> Json | HttpResponse:
    """Answer a question about people without SQL: numbers weighted to the population, each with its base.

    Metrics, conditions, periods and comparisons are those of docs/analyze.md. What does not fit is refused, and the
    hint says what does.
    """
    call = replace(build_call(request, "analyze"), max_tokens=asked.max_tokens)
    question = parse_question(asked.dict(exclude={"max_tokens", "show_sql"}))
    answer = await answer_question(call, question, engine=engine_of(request))
    if answer.value is None:
        return render_failure(answer)
    facts = analysis_facts(answer, show_sql=asked.show_sql)
    return {**facts, "markdown": analysis_text(answer, show_sql=asked.show_sql)}


# ── execute_query ────────────────────────────────────────────────────────────────────────────────────────────
class Question(Schema):
    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[str, Field(description="The dataset's name.", examples=["panel_in"])]
    sql: Annotated[
        str,
        Field(
            description="One SELECT in PostgreSQL's dialect, without weights: estimates are made of it.",
            examples=["SELECT gender, count(*) AS n FROM panel_users GROUP BY gender"],
        ),
    ]
    apply_weights: Annotated[
        bool, Field(description="false: unweighted figures of the sample, and the answer says so.")
    ] = True
    max_rows: Annotated[
        int | None, Field(ge=1, description="At most this many rows; it can lower the limit, never raise it.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=200, description="Size of the answer's Markdown, estimated; rows beyond it are left out.")
    ] = None


class Column(Schema):
    name: str
    type: Annotated[str, Field(description="As PostgreSQL names it.")]


class QueryAnswer(Schema):
    id: Annotated[str, Field(description="The row in the query log.")]
    status: Literal["answered"]
    catalog_version: int
    dataset: str
    columns: list[Column]
    rows: Annotated[
        list[list[Any]],  # Any: JSON scalars
        Field(description="In column order. Numbers and truth values are JSON's, all else is PostgreSQL's text."),
    ]
    row_count: int
    truncated: bool
    truncated_by: Annotated[str | None, Field(description="rows, bytes or tokens")] = None
    query_type: str
    weighting: Annotated[str, Field(description="How the numbers were weighted; see docs/weighting.md.")]
    weight: Annotated[str | None, Field(description="The columns used as weights.")] = None
    bases: Annotated[
        list[list[Json | None]] | None,
        Field(
            description="What each number rests on, row by row and column by column; null where nothing is estimated."
        ),
    ] = None
    standard_errors: Annotated[
        str | None, Field(description="weights only, or strata and PSUs; where there are errors.")
    ] = None
    warnings: list[str]
    cached: bool = False
    age_s: int | None = None
    markdown: Annotated[str, Field(description="The whole answer as text for a model.")]


@api.post(
    "/v1/query/execute",
    response={200: QueryAnswer, FAILURES: Problem},
    operation_id="execute_query",
    summary="Run a query",
    tags=["query"],
)
@decorate_view(on_record("execute_query"))
async def execute_query(request: HttpRequest, question: Question) -> Json | HttpResponse:
    """Run one SELECT: rows, how they were weighted, and what each number rests on.

    Refuses what `execute_query` of the MCP door refuses; the problem's hint says what to write instead.
    """
    call = build_call(request, "execute_query")
    (answer,) = await services.answer(
        replace(call, max_tokens=question.max_tokens), [_request(question)], engine=engine_of(request)
    )
    return _render(answer)


def _request(question: Question) -> QueryRequest:
    return QueryRequest(
        dataset=question.dataset,
        sql=question.sql,
        weighting="auto" if question.apply_weights else "off",
        max_rows=question.max_rows,
    )


def _render(answer: Answer[QueryResult]) -> Json | HttpResponse:
    if answer.value is None:
        return render_failure(answer)
    rows = answer.value.rows[: answer.shown.rows]
    return {**query_facts(answer), "rows": rows, "markdown": query_text(answer)}
