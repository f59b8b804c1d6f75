"""Random small worlds with what real ones have (no weight, no gender, nobody's events): answers person by person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from datasets.catalog import DatasetSpec
from querying.analysis.tests.worlds import Json, answer_of, publish, serve
from querying.engine import Engine
from querying.sql.weights.tests.demos import confirm
from querying.tests.one_dataset import database_made

pytestmark = pytest.mark.django_db(transaction=True)
WORLDS = 4
QUESTIONS = 12
DESIGN = """
units:
  - table: public.persons_{world}
    key: [{person_key}]
    weight: weight
    scale: 10
    attributes: [gender, smoker]
    carried_by: {{public.uses_{world}: [{use_key}]}}
"""
Record = dict[str, Any]  # Any: a value of any type
Rows = list[Record]


@dataclass(frozen=True)
class World:
    """Every second one has a key of two columns."""

    number: int
    persons: Rows
    uses: Rows

    @property
    def is_wide(self) -> bool:
        return self.number % 2 == 1

    @property
    def design(self) -> str:
        person_key, use_key = ("home, id", "home, person_id") if self.is_wide else ("id", "person_id")
        return DESIGN.format(world=self.number, person_key=person_key, use_key=use_key)


def make_world(number: int) -> World:
    random = Random(number)
    homes = (1, 2) if number % 2 == 1 else (1,)
    persons = [
        {
            "home": home,
            "id": person,
            "weight": random.choice([None, 0.0, -1.0, 0.5, 1.0, 2.5, 7.25]),
            "gender": random.choice(["f", "m", None]),
            "smoker": random.choice([True, False, None]),
            "age": random.choice([None, *range(15, 80)]),
        }
        for home in homes
        for person in range(random.randint(3, 25))
    ]
    uses = [
        {
            "home": random.choice([*homes, homes[0]]),
            "person_id": random.choice([None, *range(28)]),
            "at": date(2026, 1, 1) + timedelta(days=random.randrange(90)),
            "app": random.choice(["a", "b", "it's", None]),
            "minutes": random.choice([None, 0.0, 1.5, 4.0, 30.0]),
        }
        for _ in range(random.randint(5, 80))
    ]
    return World(number, persons, uses)


def script_of(world: World) -> str:
    number = world.number
    key = "PRIMARY KEY (home, id)" if world.is_wide else "PRIMARY KEY (id)"
    return f"""
        CREATE TABLE persons_{number} (home int, id int, weight float8, gender text, smoker boolean, age int, {key});
        CREATE TABLE uses_{number} (home int, person_id int, at date, app text, minutes float8);
        {insert(f"persons_{number}", world.persons)} {insert(f"uses_{number}", world.uses)}
    """


def insert(table: str, rows: Rows) -> str:
    written = ", ".join("(" + ", ".join(map(literal, row.values())) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES {written};"


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


WORLDS_MADE = [make_world(number) for number in range(WORLDS)]


@pytest.fixture(scope="module")
def worlds(postgres_superuser_dsn: str) -> Iterator[dict[str, DatasetSpec]]:
    script = "".join(map(script_of, WORLDS_MADE))
    with database_made(postgres_superuser_dsn, script) as (url, dsn):
        made = {}
        for world in WORLDS_MADE:
            tables = (f"persons_{world.number}", f"uses_{world.number}")
            name = f"world_{world.number}"
            made[name] = publish(confirm(url, tables, world.design), url, dsn, name, 50 + world.number)
        yield made


@pytest_asyncio.fixture
async def world_engine(transactional_db: None, worlds: dict[str, DatasetSpec]) -> AsyncIterator[Engine]:
    started = Engine()
    await started.start(watching=False)
    yield serve(started, worlds)
    await started.stop()


# ── what the answer must be ──────────────────────────────────────────────────────────────────────────────────
def person_of(world: World, use: Record) -> Record | None:
    key = (use["home"] if world.is_wide else 1, use["person_id"])
    return next((one for one in world.persons if (one["home"], one["id"]) == key), None)


def weigh(person: Record) -> float:
    return float(person["weight"])


def valid(rows: Rows) -> Rows:
    return [row for row in rows if row["weight"] is not None and row["weight"] > 0]


def joined(world: World) -> Rows:
    """Each use of a person with a valid weight, with what is known of the person."""
    pairs = ((use, person_of(world, use)) for use in world.uses)
    return valid([{**use, **person, "home": person["home"]} for use, person in pairs if person is not None])


def once(rows: Rows) -> Rows:
    return list({(row["home"], row["id"]): row for row in rows}.values())


def holds(condition: Json, row: Record) -> bool:
    value, wanted, op = row[condition["column"]], condition["value"], condition.get("op", "=")
    if op == "is_null" or value is None:
        return op == "is_null" and (value is None) is wanted
    if op == "in":
        return value in wanted
    if op == "between":
        return bool(wanted[0] <= value <= wanted[1])
    return (value == wanted) is (op == "=")


def fraction(upper: float, lower: float) -> float | None:
    return upper / lower if lower else None


def total(rows: Rows, column: str) -> float:
    return sum(weigh(row) * float(row[column]) for row in rows if row[column] is not None)


def mean(rows: Rows, column: str) -> float | None:
    known = [row for row in rows if row[column] is not None]
    return fraction(total(known, column), sum(map(weigh, known)))


def share(rows: Rows) -> float | None:
    known = [row for row in rows if row["gender"] is not None]
    return fraction(sum(weigh(row) for row in known if row["gender"] == "f"), sum(map(weigh, known)))


def median(rows: Rows) -> float | None:
    known = sorted((row["minutes"], weigh(row)) for row in rows if row["minutes"] is not None)
    whole, below = sum(weight for _, weight in known), 0.0
    for value, weight in known:
        below += weight
        if below >= whole / 2 - 1e-9:
            return float(value)
    return None


# Of the uses of a group, and of everybody of the same attributes.
EXPECTED: dict[str, tuple[Json | str, Callable[[Rows, Rows], float | None]]] = {
    "people": ({"kind": "people", "column": "{uses}"}, lambda rows, _: 10 * sum(map(weigh, once(rows)))),
    "events": ("events", lambda rows, _: 10 * sum(map(weigh, rows))),
    "sum": (
        {"kind": "sum", "column": "minutes"},
        lambda rows, _: 10 * total(rows, "minutes") if any(row["minutes"] is not None for row in rows) else None,
    ),
    "mean": ({"kind": "mean", "column": "minutes"}, lambda rows, _: mean(rows, "minutes")),
    "median": ({"kind": "median", "column": "minutes"}, lambda rows, _: median(rows)),
    "share": ({"kind": "share", "column": "gender", "value": "f"}, lambda rows, _: share(once(rows))),
    "smokers": ({"kind": "share", "column": "smoker"}, lambda rows, _: mean(once(rows), "smoker")),
    "age": ({"kind": "mean", "column": "age"}, lambda rows, _: mean(once(rows), "age")),
    "frequency": ("frequency", lambda rows, _: fraction(sum(map(weigh, rows)), sum(map(weigh, once(rows))))),
    "per person": (
        {"kind": "per_person", "column": "minutes"},
        lambda rows, _: (
            fraction(total(rows, "minutes"), sum(map(weigh, once(rows))))
            if any(row["minutes"] is not None for row in rows)
            else None
        ),
    ),
    "per everyone": (
        {"kind": "per_person", "per": "everyone"},
        lambda rows, everybody: fraction(sum(map(weigh, rows)), sum(map(weigh, everybody))),
    ),
    "penetration": (
        "penetration",
        lambda rows, everybody: fraction(sum(map(weigh, once(rows))), sum(map(weigh, everybody))),
    ),
}
ATTRIBUTES = ("gender", "smoker")
CONDITIONS: list[Json] = [
    {"column": "gender", "value": "f"},
    {"column": "age", "op": "between", "value": [20, 60]},
    {"column": "smoker", "op": "!=", "value": True},
    {"column": "app", "op": "in", "value": ["a", "it's"]},
    {"column": "minutes", "op": "is_null", "value": False},
    {"column": "gender", "op": "is_null", "value": True},
]


def text_of(value: object) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def key_of(row: Record, by: tuple[str, ...]) -> tuple[str | None, ...]:
    return tuple(str(row["at"].replace(day=1)) if name == "month" else text_of(row[name]) for name in by)


@pytest.mark.parametrize("world", WORLDS_MADE, ids=lambda world: str(world.number))
@pytest.mark.parametrize("seed", range(QUESTIONS))
async def test_answers_are_those_counted_person_by_person(world: World, seed: int, world_engine: Engine) -> None:
    random = Random(1000 * world.number + seed)
    by = tuple(random.sample(["gender", "smoker", "app", "month"], random.randint(0, 2)))
    where = random.sample(CONDITIONS, random.randint(0, 2))
    names = random.sample(list(EXPECTED), 4)
    metrics = [EXPECTED[name][0] for name in names]
    days = (date(2026, 1, 10), date(2026, 3, 5))
    question: Json = {
        "dataset": f"world_{world.number}",
        "metrics": [
            {**metric, "column": f"uses_{world.number}"}
            if isinstance(metric, dict) and metric.get("column") == "{uses}"
            else metric
            for metric in metrics
        ],
        "by": list(by),
        "where": where,
        "period": {"from": str(days[0]), "to": str(days[1])},
    }

    analysis = await answer_of(world_engine, question)

    rows = [
        row
        for row in joined(world)
        if days[0] <= row["at"] <= days[1] and all(holds(condition, row) for condition in where)
    ]
    of_people = [condition for condition in where if condition["column"] in ("gender", "age", "smoker")]
    everybody = [row for row in valid(world.persons) if all(holds(condition, row) for condition in of_people)]
    groups: dict[tuple[str | None, ...], Rows] = defaultdict(list)
    for row in rows:
        groups[key_of(row, by)].append(row)
    found = {row.groups: dict(zip(names, row.numbers, strict=True)) for row in analysis.grid.rows}
    assert groups.keys() <= found.keys()
    for key, uses in groups.items():
        attributes = [(name, value) for name, value in zip(by, key, strict=True) if name in ATTRIBUTES]
        same = [row for row in everybody if all(text_of(row[name]) == value for name, value in attributes)]
        for name in names:
            expected = EXPECTED[name][1](uses, same)
            number = found[key][name]
            assert number.value == (None if expected is None else pytest.approx(expected)), (name, key)
            if name == "people":
                assert number.n == len(once(uses))
            if name == "penetration":
                assert number.n == len(same)
