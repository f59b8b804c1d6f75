"""A survey design against the data: keys, weights, periods, rows without a unit. Knows asyncpg, not Django.

One read-only transaction, and a handful of statements per unit: names come from the profile and are quoted, nothing
of a caller's text is sent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from datasets.check_sessions import STATEMENT_TIMEOUT_MS, open_check
from datasets.connections import ConnectionTarget
from datasets.design import PeriodWeights, SurveyDesign, TableName, Unit
from datasets.design_report import EXTREME, CarriedFacts, DesignReport, PeriodFacts, UnitFacts, WeightFacts

CARRIED_TIMEOUT_MS: Final = 20_000
IF_SLOW: Final = "Put an index on the keys, or name tables that hold fewer rows, then confirm again."
KEY, WEIGHT, PERIODS, STRATA = "key", "weight", "period_weights", "strata"
MOST_STRATA: Final = 2_000  # their sizes stand in every statement

Row = Any  # Any: an asyncpg record


@dataclass(frozen=True, slots=True)
class DataFault:
    """What refuses the design: `part` of the design's unit number `unit` is not as it says."""

    unit: int
    part: str
    text: str


async def check_design(target: ConnectionTarget, design: SurveyDesign) -> tuple[DesignReport, tuple[DataFault, ...]]:
    """What the data say of a design that fits the tables.

    Raises `QueryTimeout`, `SourceUnavailable`, or a `PreflightError` where there is no connection.
    """
    async with open_check(target, what="The check of the survey design", if_slow=IF_SLOW) as connection:
        checks = [_UnitCheck(connection, number, unit) for number, unit in enumerate(design.units)]
        facts = [await check.run() for check in checks]
    return DesignReport(units=tuple(facts)), tuple(fault for check in checks for fault in check.faults)


class _UnitCheck:
    def __init__(self, connection: asyncpg.Connection, number: int, unit: Unit) -> None:
        self.connection = connection
        self.number = number
        self.unit = unit
        self.table = quote_table(unit.table)
        self.faults: list[DataFault] = []

    def fault(self, part: str, text: str) -> None:
        self.faults.append(DataFault(self.number, part, text))

    async def run(self) -> UnitFacts:
        unit = self.unit
        if unit.key:
            await self.check_key()
        weights = await self.weights() if unit.weight else None
        return UnitFacts(
            table=unit.qualified_table,
            level=unit.level,
            key=unit.key,
            scale=unit.scale,
            kind=unit.kind,
            units=await self.connection.fetchval(f"SELECT count(*) FROM ({self.units()}) AS u"),
            weights=weights,
            periods=await self.periods(unit.period_weights) if unit.period_weights else None,
            psus=await self.psus() if (unit.stratum or unit.psu) and unit.weight else None,
            carried=tuple([await self.carried(table, columns) for table, columns in unit.carried_by.items()]),
        )

    def units(self) -> str:
        """One row for each unit."""
        if not self.unit.shares_table:
            return f"SELECT 1 FROM {self.table}"
        return f"SELECT DISTINCT {quote_all(self.unit.key)} FROM {self.table} WHERE {none_null(self.unit.key)}"

    async def check_key(self) -> None:
        nulls = await self.connection.fetchval(
            f"SELECT count(*) FROM {self.table} WHERE NOT ({none_null(self.unit.key)})"
        )
        if nulls:
            self.fault(KEY, f"{rows_of(nulls)} of {self.unit.qualified_table} with NULL in the key")
        if not self.unit.shares_table:
            twice = await self.count_twice(self.table, self.unit.key)
            if twice:
                self.fault(KEY, f"{many(twice, 'key')} of {self.unit.qualified_table} on more than one row")

    async def count_twice(self, table: str, columns: Sequence[str]) -> int:
        names = quote_all(columns)
        repeated = f"SELECT 1 FROM {table} WHERE {none_null(columns)} GROUP BY {names} HAVING count(*) > 1"
        return int(await self.connection.fetchval(f"SELECT count(*) FROM ({repeated}) AS d"))

    # ── weights ──────────────────────────────────────────────────────────────────────────────────────────────
    async def weights(self) -> WeightFacts:
        weight = f"{quote(self.unit.weight)}::float8"
        if not self.unit.shares_table:
            return await self.weigh(f"SELECT {weight} AS w FROM {self.table}", WEIGHT)
        per_unit = (
            f"SELECT min({weight}) AS w, max({weight}) AS w2, count({weight}) AS n, count(*) AS rows"
            f" FROM {self.table} WHERE {none_null(self.unit.key)} GROUP BY {quote_all(self.unit.key)}"
        )
        varying = await self.connection.fetchval(
            f"SELECT count(*) FROM ({per_unit}) AS u WHERE w IS DISTINCT FROM w2 OR n NOT IN (0, rows)"
        )
        if varying:
            text = f"{many(varying, self.unit.level)} of {self.unit.qualified_table} with more than one weight"
            self.fault(WEIGHT, text)
        return await self.weigh(f"SELECT w FROM ({per_unit}) AS u", WEIGHT)

    async def psus(self) -> dict[str, int]:
        """How many PSUs, or units where no PSU is named, each stratum has; none where there are too many strata."""
        unit = self.unit
        stratum = f"{quote(unit.stratum)}::text" if unit.stratum else "''"
        weight = f"{quote(unit.weight)}::float8"
        valid = f"{weight} > 0 AND {weight} < 'Infinity'"
        named = [column for column in (unit.stratum, unit.psu) if column]
        nulls = await self.connection.fetchval(
            f"SELECT count(*) FROM {self.table} WHERE {valid} AND NOT ({none_null(named)})"
        )
        if nulls:
            self.fault(STRATA, f"{rows_of(nulls)} of {unit.qualified_table} with a weight and no {' or '.join(named)}")
        apart = f"DISTINCT {quote(unit.psu)}" if unit.psu else f"DISTINCT ({quote_all(unit.key)})" if unit.key else "*"
        rows = await self.connection.fetch(
            f"SELECT {stratum} AS stratum, count({apart}) AS psus FROM {self.table}"
            f" WHERE {valid} AND {stratum} IS NOT NULL GROUP BY 1 LIMIT {MOST_STRATA + 1}"
        )
        return {row["stratum"]: row["psus"] for row in rows} if len(rows) <= MOST_STRATA else {}

    async def weigh(self, weights: str, part: str) -> WeightFacts:
        row = await self.connection.fetchrow(WEIGHTS.format(weights=weights))
        if not row["valid"]:
            self.fault(part, f"not one weight of {self.unit.qualified_table} is valid (above 0 and finite)")
        return build_weight_facts(row, self.unit.scale)

    async def periods(self, weights: PeriodWeights) -> PeriodFacts:
        table, name = quote_table(weights.table), ".".join(weights.table)
        await self.check_periods(weights, table, name)
        first_day = f"{quote(weights.period)}::timestamp"
        row = await self.connection.fetchrow(
            f"SELECT count(DISTINCT {quote(weights.period)}) AS periods,"
            f" coalesce(min({first_day})::date::text, '') AS first, coalesce(max({first_day})::date::text, '') AS last"
            f" FROM {table}"
        )
        return PeriodFacts(
            table=name,
            every=weights.every,
            periods=row["periods"],
            first=row["first"],
            last=row["last"],
            missing=await self.count_missing(weights, table),
            weights=await self.weigh(f"SELECT {quote(weights.weight)}::float8 AS w FROM {table}", PERIODS),
        )

    async def check_periods(self, weights: PeriodWeights, table: str, name: str) -> None:
        columns = (*weights.key, weights.period)
        moment = f"{quote(weights.period)}::timestamp"
        row = await self.connection.fetchrow(
            f"SELECT count(*) FILTER (WHERE NOT ({none_null(columns)})) AS nulls,"
            f" count(*) FILTER (WHERE {moment} <> date_trunc('{weights.every}', {moment})) AS inside FROM {table}"
        )
        if row["nulls"]:
            self.fault(PERIODS, f"{rows_of(row['nulls'])} of {name} with NULL in key or period")
        if row["inside"]:
            self.fault(
                PERIODS, f"{rows_of(row['inside'])} of {name} whose period is not the first day of a {weights.every}"
            )
        twice = await self.count_twice(table, columns)
        if twice:
            self.fault(PERIODS, f"{many(twice, 'key')} of {name} with more than one weight in a period")

    async def count_missing(self, weights: PeriodWeights, table: str) -> int:
        held = equal("p", weights.key, "u", self.unit.key)
        weight = f"p.{quote(weights.weight)}::float8"
        valid = f"SELECT 1 FROM {table} AS p WHERE {held} AND {weight} > 0 AND {weight} < 'Infinity'"
        units = f"SELECT DISTINCT {quote_all(self.unit.key)} FROM {self.table} WHERE {none_null(self.unit.key)}"
        statement = f"SELECT count(*) FROM ({units}) AS u WHERE NOT EXISTS ({valid})"
        return int(await self.connection.fetchval(statement))

    # ── rows that speak of the unit ──────────────────────────────────────────────────────────────────────────
    async def carried(self, table: TableName, columns: Sequence[str]) -> CarriedFacts:
        known = f"SELECT 1 FROM {self.table} AS u WHERE {equal('c', columns, 'u', self.unit.key)}"
        # the one count that may be slow: a semi-join, and a fact that nothing depends on
        statement = (
            f"SELECT (SELECT count(*) FROM {quote_table(table)}) AS rows,"
            f" (SELECT count(*) FROM {quote_table(table)} AS c WHERE NOT EXISTS ({known})) AS unknown"
        )
        name = ".".join(table)
        try:
            async with self.connection.transaction():
                await self.connection.execute(f"SET LOCAL statement_timeout = {CARRIED_TIMEOUT_MS}")
                row = await self.connection.fetchrow(statement)
                await self.connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        except asyncpg.QueryCanceledError:
            return CarriedFacts(name, None, None)
        return CarriedFacts(name, row["rows"], row["unknown"])


def build_weight_facts(row: Row, scale: float) -> WeightFacts:
    total, squares, median = row["total"], row["squares"], row["median"]
    valid = bool(row["valid"]) and math.isfinite(squares)
    return WeightFacts(
        rows=row["rows"],
        valid=row["valid"],
        nulls=row["nulls"],
        zero=row["zero"],
        negative=row["negative"],
        not_finite=row["not_finite"],
        extreme=row["extreme"],
        total=total * scale if valid else None,
        efficiency=100 * total * total / (row["valid"] * squares) if valid and squares else None,
        largest_over_median=row["largest"] / median if valid else None,
    )


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote_all(names: Sequence[str]) -> str:
    return ", ".join(quote(name) for name in names)


def quote_table(table: TableName) -> str:
    return ".".join(quote(part) for part in table)


def none_null(columns: Sequence[str]) -> str:
    return " AND ".join(f"{quote(column)} IS NOT NULL" for column in columns)


def equal(one: str, columns: Sequence[str], other: str, others: Sequence[str]) -> str:
    pairs = zip(columns, others, strict=True)
    return " AND ".join(f"{one}.{quote(column)} = {other}.{quote(its)}" for column, its in pairs)


def many(count: int, word: str) -> str:
    return f"there is 1 {word}" if count == 1 else f"there are {count:,} {word}s"


def rows_of(count: int) -> str:
    return many(count, "row")


# NaN is above Infinity in PostgreSQL's order
WEIGHTS = f"""
WITH all_of AS ({{weights}}), valid AS (SELECT w FROM all_of WHERE w > 0 AND w < 'Infinity'),
middle AS (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY w) AS median FROM valid)
SELECT count(*) AS rows, count(*) FILTER (WHERE w IS NULL) AS nulls, count(*) FILTER (WHERE w = 0) AS zero,
       count(*) FILTER (WHERE w < 0 AND w > '-Infinity') AS negative,
       count(*) FILTER (WHERE w IN ('NaN', 'Infinity', '-Infinity')) AS not_finite,
       (SELECT count(*) FROM valid) AS valid, (SELECT sum(w) FROM valid) AS total,
       (SELECT sum(w * w) FROM valid) AS squares, (SELECT max(w) FROM valid) AS largest,
       (SELECT median FROM middle) AS median,
       (SELECT count(*) FROM valid, middle WHERE w > {EXTREME} * median) AS extreme
FROM all_of
"""
