"""Milliseconds that a question without SQL takes over HTTP, beside asyncpg running the statements that it sends.

Starts a product of its own with its demo datasets and stops it again. Each round asks with another condition, so
that no result is kept; asyncpg runs the same statements side by side over a pool of 4, in turns. Prints a
table for docs/performance.md; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import httpx2

from benchmarks.product import POOL_SIZE, Product, start_product
from querying.sessions import session_settings

Json = dict[str, Any]  # Any: JSON
QUESTIONS: Final[Mapping[str, Json]] = {
    "reach by app": {"metrics": ["people"], "by": ["app"], "period": "all"},
    "reach by app and month, no period given": {"metrics": ["people"], "by": ["app", "month"]},
    "penetration and frequency by app, with a total": {
        "metrics": ["penetration", "frequency"], "by": ["app"], "period": "last_month", "total": True,
    },
    "minutes per person, with the month before": {
        "metrics": [{"kind": "per_person", "column": "duration_min"}], "by": ["gender"], "period": "last_month",
        "compare": "previous_period",
    },
    "reach by app, letters between classes": {
        "metrics": ["people"], "by": ["app", "gender"], "period": "all", "compare": "columns",
    },
}  # fmt: skip


@dataclass
class Case:
    name: str
    question: Json
    ours_ms: list[float] = field(default_factory=list)
    direct_ms: list[float] = field(default_factory=list)
    statements: int = 0

    def asked(self, number: int) -> Json:
        """The same question of other rows each time, of as good as all of them."""
        everything = {"column": "duration_min", "op": "between", "value": [0, 100_000 + number]}
        return {"dataset": "panel_in", **self.question, "where": [everything], "show_sql": True}


async def measure(client: httpx2.AsyncClient, pool: asyncpg.Pool, case: Case, number: int) -> None:
    started = time.perf_counter()
    response = await client.post("/api/v1/analyze", json=case.asked(number))
    case.ours_ms.append(1000 * (time.perf_counter() - started))
    response.raise_for_status()
    statements = response.json()["sql_executed"].split(";\n")
    case.statements = len(statements)
    started = time.perf_counter()
    await asyncio.gather(*(pool.fetch(statement) for statement in statements))
    case.direct_ms.append(1000 * (time.perf_counter() - started))


def line_of(case: Case) -> str:
    ours, direct = statistics.median(case.ours_ms), statistics.median(case.direct_ms)
    return f"| {case.name} | {case.statements} | {direct:.0f} | {ours:.0f} | {ours / direct:.1f} |"


async def run(product: Product, cases: Sequence[Case], *, rounds: int) -> None:
    url = f"http://127.0.0.1:{product.environment['PORT']}"
    key = product.create_key()
    await asyncio.sleep(2)  # until every process knows the key
    settings = session_settings(60_000)
    async with (
        httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client,
        asyncpg.create_pool(
            product.reader_dsn("demo_panel_in"), min_size=POOL_SIZE, max_size=POOL_SIZE, server_settings=settings
        ) as pool,
    ):
        for number in range(-2, rounds):  # two to warm up
            for case in cases:
                await measure(client, pool, case, number)
                if number < 0:
                    case.ours_ms.clear()
                    case.direct_ms.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    cases = [Case(name, question) for name, question in QUESTIONS.items()]
    with start_product() as product:
        asyncio.run(run(product, cases, rounds=options.rounds))
    print(f"Python {platform.python_version()}; medians of {options.rounds} rounds, ms\n")
    print("| question | statements | asyncpg | analyze | ratio |\n|---|---:|---:|---:|---:|")
    print("\n".join(map(line_of, cases)))


if __name__ == "__main__":
    main()
