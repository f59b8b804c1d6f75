from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from config.errors import InvalidRequest
from config.management.base import GatewayCommand, operator_name
from querying.engine import Engine
from querying.management.lines import Json, Line, parse_line, run_line
from querying.management.running import build_call, run_with_engine
from querying.results import dump_json

SIDE_BY_SIDE = 30


class Command(GatewayCommand):
    help = "Ask the questions of a JSON Lines file; prints one JSON record for each, in the same order."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help='lines of {"id", "dataset", "sql"}; - reads standard input')
        parser.add_argument("--as", dest="key_name", default="", help="under this API key's policy")
        parser.add_argument("--reveal-all-rows", action="store_true", help="lift the limit on raw rows")

    def run(self, **options: Any) -> None:  # Any: parsed arguments
        lines = [parse_line(number, text) for number, text in read_lines(options["file"])]
        call = build_call(options["key_name"], tool="execute_query", person=operator_name())

        async def work(engine: Engine) -> None:
            places = asyncio.Semaphore(min(SIDE_BY_SIDE, engine.catalog.settings.query_limits.parallel_queries))
            # no more at once than one caller has connections: waiting here never ends in gateway_busy
            per_dataset: defaultdict[str, asyncio.Semaphore] = defaultdict(
                lambda: asyncio.Semaphore(engine.pools.caller_size)
            )

            async def ask(line: Line) -> Json:
                async with per_dataset[line.dataset], places:
                    return await run_line(line, call=call, engine=engine, reveal_all_rows=options["reveal_all_rows"])

            for record in [asyncio.create_task(ask(line)) for line in lines]:
                self.stdout.write(dump_json(await record))

        run_with_engine(work)


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, without the empty ones."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read.", hint="Name a file, or - for standard input.") from error
    text = raw.decode("utf-8-sig", errors="replace")
    return ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
