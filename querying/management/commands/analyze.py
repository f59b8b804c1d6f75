from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from config.errors import GatewayError, InvalidRequest
from config.management.base import GatewayCommand, operator_name
from querying import services
from querying.analyses import analyze
from querying.analysis.question import parse_question
from querying.analysis.rendering import Analysis, structure_of
from querying.engine import Engine
from querying.management.running import build_call, run_with_engine
from querying.services import Answer, Call

EXAMPLE = 'A question is {"metrics": [{"kind": "people"}], "by": ["gender"]}; see docs/analyze.md.'


class Command(GatewayCommand):
    help = "Ask a question without SQL, as the tool analyze answers it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("--question", help="a file with the question as JSON, - for standard input")
        parser.add_argument(
            "--metric", action="append", default=[], help="a kind, kind:column or share:column=value; repeatable"
        )
        parser.add_argument("--by", action="append", default=[], help="a column, day, week, month, quarter; repeatable")
        parser.add_argument("--where", action="append", default=[], help="column=value, or a persona; repeatable")
        parser.add_argument("--period", help="2026-01-01..2026-03-31, last_month or all")
        parser.add_argument("--compare", help="previous_period or columns")
        parser.add_argument("--sort", help="a metric's label, the highest first")
        parser.add_argument("--limit", type=int)
        parser.add_argument("--total", action="store_true")
        parser.add_argument("--weighting", choices=["auto", "off"])
        parser.add_argument("--as", dest="key_name", default="", help="under this API key's policy")
        parser.add_argument("--show-sql", action="store_true", help="also print the SQL that ran")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        call = build_call(options["key_name"], tool="analyze", person=operator_name())
        answer = run_with_engine(lambda engine: ask(call, options, engine=engine))
        if answer.value is None:
            assert answer.error is not None
            raise answer.error
        body = {"id": str(answer.id), "status": answer.outcome.value, **structure_of(answer.value)}
        sql = answer.plan.sql if options["show_sql"] and answer.plan is not None else ""
        text = f"{answer.text}\n\n{sql}" if sql else answer.text
        self.show({**body, "sql_executed": sql} if sql else body, text, as_json=options["json"])


async def ask(call: Call, options: dict[str, Any], *, engine: Engine) -> Answer[Any]:  # Any: parsed arguments, no value
    """Also a question that cannot be read is on the record."""
    try:
        question = parse_question(build_document(options))
    except GatewayError as error:
        return await services.refuse(call, error, engine=engine)
    answer: Answer[Analysis] = await analyze(call, question, engine=engine)
    return answer


def build_document(options: dict[str, Any]) -> dict[str, Any]:  # Any: parsed arguments, JSON
    """The question of the file, with what the options say in its place."""
    document = read_question_file(options["question"]) if options["question"] else {}
    said = {
        "dataset": options["dataset"],
        "metrics": [metric_of(text) for text in options["metric"]],
        "by": options["by"],
        "where": [condition_of(text) for text in options["where"]],
        "period": period_of(options["period"]),
        **{name: options[name] for name in ("compare", "sort", "limit", "total", "weighting")},
    }
    return {**document, **{name: value for name, value in said.items() if value not in (None, [], False)}}


def read_question_file(name: str) -> dict[str, Any]:  # Any: JSON
    try:
        document = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise InvalidRequest(f"{name} is not JSON.", hint=EXAMPLE) from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"{name} is not a JSON object.", hint=EXAMPLE)
    return document


def metric_of(text: str) -> dict[str, Any]:  # Any: JSON
    """`people`, `mean:duration_min`, `share:gender=Female`"""
    kind, _, rest = text.partition(":")
    column, sign, value = rest.partition("=")
    said = {"column": column.strip(), "value": value_of(value.strip()) if sign else None}
    return {"kind": kind, **{name: one for name, one in said.items() if one not in (None, "")}}


def condition_of(text: str) -> dict[str, Any] | str:  # Any: JSON
    """`gender=Female`, `age=30`, `app!=YouTube`; without a sign it is a persona."""
    column, sign, value = text.partition("=")
    if not sign:
        return text
    op = "!=" if column.endswith("!") else "="
    return {"column": column.rstrip("!").strip(), "op": op, "value": value_of(value.strip())}


def value_of(text: str) -> Any:  # Any: a JSON scalar
    """A number or a truth value where it reads as one; in quotes it is a text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def period_of(text: str | None) -> dict[str, str] | str | None:
    if text is None or ".." not in text:
        return text
    first, _, last = text.partition("..")
    return {name: day for name, day in (("from", first), ("to", last)) if day}
