from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from config.management.base import GatewayCommand, operator_name
from querying import services
from querying.management.lines import render_record
from querying.management.running import build_call, run_with_engine
from querying.results import render_markdown
from querying.sql.plan import QueryRequest


class Command(GatewayCommand):
    help = "Ask one question in SQL through the same pipeline as every client."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("dataset")
        parser.add_argument("sql")
        parser.add_argument("--weighting", choices=["auto", "off"], default="auto")
        parser.add_argument("--uncertainty", choices=["auto", "off"], default="auto")
        parser.add_argument("--max-rows", type=int)
        parser.add_argument("--as", dest="key_name", default="", help="under this API key's policy")
        parser.add_argument("--reveal-all-rows", action="store_true", help="lift the limit on raw rows")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        call = build_call(options["key_name"], tool="run_query", person=operator_name())
        request = QueryRequest(
            dataset=options["dataset"],
            sql=options["sql"],
            weighting=options["weighting"],
            uncertainty=options["uncertainty"],
            max_rows=options["max_rows"],
            reveal_all_rows=options["reveal_all_rows"],
        )
        (answer,) = run_with_engine(lambda engine: services.answer(call, [request], engine=engine))
        if options["json"]:
            self.show(render_record(options["dataset"], answer), "", as_json=True)
        if answer.error is not None:
            if options["json"]:
                raise SystemExit(1)
            raise answer.error
        if not options["json"] and answer.value is not None and answer.plan is not None:
            more = ", truncated" if answer.value.truncated else ""
            weighting = answer.plan.weighting.replace("_", " ")
            notes = [f"{len(answer.value.rows)} rows{more}; weighting: {weighting}", *answer.plan.warnings]
            self.stdout.write("\n".join([render_markdown(answer.value), "", *notes]))
