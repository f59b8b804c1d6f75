"""Random designs, data and questions, for the reference and for the product alike.

Everything draws from a `random.Random`: a seeded one for long runs, hypothesis' own for examples that shrink.
Weights and values are multiples of a quarter, so that sums are exact, and ties are ties in whatever order rows come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from datasets.design import HOUSEHOLD, PERSON, PeriodWeights, SurveyDesign, Unit
from querying.sql.weights.tests import reference as ref
from querying.sql.weights.tests.reference import (
    Agg,
    Base,
    Case,
    Coalesce,
    Col,
    Const,
    Derived,
    Exists,
    Expr,
    In,
    IsNull,
    Join,
    Month,
    OneOf,
    Op,
    Over,
    Query,
    Reading,
    Round,
    Rows,
    Scalar,
    Select,
    SetOp,
    Source,
    Style,
    Table,
    Value,
    World,
)

T = TypeVar("T")

EXACT: Final = "exact"  # answered, and right
EITHER: Final = "either"  # right or refused
REFUSED: Final = "refused"
ORDER: Final = [EXACT, EITHER, REFUSED]

MONTHS: Final = (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
ODD_WEIGHTS: Final = (None, 0, -1.5, math.nan)
COUNT: Final = Agg("count")


@dataclass(frozen=True)
class Question:
    """A question, how it is spelled, and what may come back; `readings` are the answers that are right.

    `text` is SQL that the description language does not know; then nothing but a refusal, or `query`'s answer, is.
    """

    name: str
    query: Query
    expect: str
    style: Style = Style()  # noqa: RUF009 frozen
    readings: tuple[Reading, ...] = (Reading(),)
    text: str = ""

    def sql(self, world: World) -> str:
        return self.text or ref.write(self.query, world, self.style)


# Designs and data


def make_world(
    random: Random, *, ones: bool = False, whole: bool = False, complete: bool = False, months: bool | None = None
) -> World:
    """`ones`: every weight is 1; `whole`: a small whole number; `complete`: all events are of known persons."""
    maker = WorldMaker(random, ones=ones, whole=whole, complete=complete)
    return maker.make(months=random.random() < 0.2 if months is None else months)


def populate(world: World) -> World:
    """The population that a sample with whole weights stands for: each person as often as they weigh.

    What is estimated from the sample is what PostgreSQL counts in it, without weights.
    """
    persons, events, survey = (world.tables[name] for name in ("persons", "events", "survey"))
    own, held = world.key_of("persons"), world.key_of("events")
    copies = {key: int(weight) for key, weight in world.weights[PERSON].items()}

    def copied(row: ref.RawRow, key: tuple[str, ...], times: int) -> list[ref.RawRow]:
        last = key[-1]
        return [dict(row) | {last: another(row[last], number)} for number in range(times)]

    def times(row: ref.RawRow, key: tuple[str, ...]) -> int:
        return copies.get(tuple(row[column] for column in key), 0)

    people = [copy for row in persons.rows for copy in copied(row, own, times(row, own))]
    happened = [copy for row in events.rows for copy in copied(row, held, times(row, held))]
    numbered = [dict(row) | {"event_id": number} for number, row in enumerate(happened, 1)]
    answers = [row for row in survey.rows for _ in range(int(ref.effective(row["sw"], 1) or 0))]
    grown = {
        "persons": replace(persons, rows=people),
        "events": replace(events, rows=numbered),
        "survey": replace(survey, rows=answers),
    }
    return replace(world, tables={**world.tables, **grown})


def another(key: Value, number: int) -> Value:
    return key * 10 + number if isinstance(key, int) else f"{key}-{number}"


class WorldMaker:
    def __init__(self, random: Random, *, ones: bool, whole: bool, complete: bool) -> None:
        self.random = random
        self.ones = ones
        self.whole = whole
        self.complete = complete
        self.key = random.choice([("user_id",), ("user_id",), ("user_name",), ("country", "user_no")])
        same = random.random() < 0.6
        self.event_key = self.key if same else tuple(f"e_{column}" for column in self.key)
        self.scale = 1.0 if ones or whole else random.choice([1.0, 1.0, 1000.0, 0.25])
        self.number = random.choice(["numeric", "double precision"])

    def make(self, *, months: bool) -> World:
        random = self.random
        households = "" if months else random.choice(["", "", "shared", "own"])
        keys = self.make_keys(random.randint(0 if random.random() < 0.05 else 3, 9))
        persons = self.persons(keys, households)
        tables = [
            persons,
            self.events(persons),
            self.topics(),
            self.regions(),
            self.survey(),
            *([self.month_weights(keys)] if months else []),
            *([self.homes(persons)] if households == "own" else []),
        ]
        return World({table.name: table for table in tables}, self.design(households, months=months))

    def make_keys(self, count: int) -> list[tuple[Value, ...]]:
        match self.key[0]:
            case "user_id":
                return [(number,) for number in range(1, count + 1)]
            case "user_name":
                return [(f"u{number}",) for number in range(1, count + 1)]
            case _:
                return [("in" if number % 2 else "us", number // 2 + 1) for number in range(count)]

    @property
    def key_types(self) -> list[str]:
        return [
            {"user_id": "integer", "user_name": "text", "country": "text", "user_no": "bigint"}[name]
            for name in self.key
        ]

    def weight(self, chance: float = 0.2) -> Value:
        if self.ones:
            return 1
        if self.random.random() < chance:
            return self.random.choice(ODD_WEIGHTS)
        return self.random.randint(1, 3) if self.whole else self.random.randint(1, 40) / 4

    def maybe(self, value: T, chance: float = 0.12) -> T | None:
        return None if self.random.random() < chance else value

    def persons(self, keys: list[tuple[Value, ...]], households: str) -> Table:
        random = self.random
        columns = dict(zip(self.key, self.key_types, strict=True)) | {
            "weight": self.number,
            "gender": "text",
            "age": "integer",
            "region": "text",
            "score": self.number,
        }
        owners = dict.fromkeys(("gender", "age", "region", "score"), ref.PERSON) | {"weight": ref.WEIGHT}
        owners |= {column: f"key:person:{position}" for position, column in enumerate(self.key)}
        if households:
            columns["home_id"] = "integer"
            owners["home_id"] = "key:household:0"
        if households == "shared":
            columns["home_weight"] = self.number
            owners["home_weight"] = ref.WEIGHT
        home_weights = {number: self.weight() for number in range(1, 5)}
        rows = []
        for key in keys:
            home = random.randint(1, 4)
            row: dict[str, Value] = dict(zip(self.key, key, strict=True)) | {
                "weight": self.weight(),
                "gender": self.maybe(random.choice("fm")),
                "age": self.maybe(random.choice([18, 25, 25, 40, 61])),
                "region": self.maybe(random.choice(["north", "south", "west"])),
                "score": self.maybe(random.randint(-4, 20) / 4),
                "home_id": home,
                "home_weight": home_weights[home],
            }
            rows.append({column: row[column] for column in columns})
        declared = random.random() < 0.7
        return Table("persons", columns, rows, owners, self.key if declared else ())

    def events(self, persons: Table) -> Table:
        random = self.random
        columns = {"event_id": "integer"} | dict(zip(self.event_key, self.key_types, strict=True))
        columns |= {"day": "date", "app": "text", "topic_id": "integer", "minutes": self.number}
        columns |= {"seen_region": "text", "seen_age": "integer"}
        owners = {column: f"key:person:{position}" for position, column in enumerate(self.event_key)}
        owners |= {"seen_region": ref.PERSON, "seen_age": ref.PERSON}
        known: list[ref.RawRow] = list(persons.rows)
        rows = []
        for number in range(1, random.randint(0 if random.random() < 0.05 else 4, 16) + 1 if known else 1):
            person = random.choice(known)
            key = tuple(person[column] for column in self.key)
            stranger = not self.complete and random.random() < 0.12
            if stranger:
                strangers: dict[str, tuple[Value, ...]] = {"user_name": ("u99",), "country": ("in", 99)}
                unknown = strangers.get(self.key[0], (99,))
                key = random.choice([unknown, (None,) * len(self.key)])
            rows.append(
                {"event_id": number}
                | dict(zip(self.event_key, key, strict=True))
                | {
                    "day": MONTHS[random.randint(0, 2)] + timedelta(days=random.randint(0, 27)),
                    "app": self.maybe(random.choice("xyz")),
                    "topic_id": self.maybe(random.randint(1, 4)),
                    "minutes": self.maybe(random.randint(0, 40) / 4),
                    "seen_region": None if stranger else person["region"],
                    "seen_age": None if stranger else person["age"],
                }
            )
        return Table("events", columns, rows, owners, ("event_id",) if random.random() < 0.7 else ())

    def topics(self) -> Table:
        """A dimension of events. Without a declared key a topic may stand there twice."""
        declared = self.random.random() < 0.6
        numbers = [1, 2, 3] if declared else [1, 2, 2, 3]
        rows: list[ref.RawRow] = [
            {"topic_id": number, "title": self.random.choice(["news", "sport"]), "fee": self.random.randint(1, 8) / 4}
            for number in numbers
        ]
        columns = {"topic_id": "integer", "title": "text", "fee": "numeric"}
        return Table("topics", columns, rows, {}, ("topic_id",) if declared else ())

    def regions(self) -> Table:
        """A dimension of persons."""
        declared = self.random.random() < 0.6
        names = ["north", "south", "west"] if declared else ["north", "south", "south", "west"]
        rows = [{"region": name, "zone": self.random.choice(["hot", "cold"])} for name in names]
        return Table("regions", {"region": "text", "zone": "text"}, rows, {}, ("region",) if declared else ())

    def survey(self) -> Table:
        """Each row is a unit, and there is no key."""
        columns = {"grp": "text", "answer": "integer", "amount": self.number, "sw": self.number}
        rows = [
            {
                "grp": self.maybe(self.random.choice("ab")),
                "answer": self.maybe(self.random.randint(0, 1)),
                "amount": self.maybe(self.random.randint(0, 30) / 4),
                "sw": self.weight(),
            }
            for _ in range(self.random.randint(2, 9))
        ]
        owners = dict.fromkeys(("grp", "answer", "amount"), ref.PERSON) | {"sw": ref.WEIGHT}
        return Table("survey", columns, rows, owners)

    def month_weights(self, keys: list[tuple[Value, ...]]) -> Table:
        rows: list[ref.RawRow] = []
        for key in keys:
            valid = self.ones or self.random.random() < 0.8
            for month in MONTHS:
                weight = self.random.randint(1, 40) / 4 if valid else self.random.choice(ODD_WEIGHTS)
                rows.append(
                    dict(zip(self.key, key, strict=True)) | {"month": month, "mweight": 1 if self.ones else weight}
                )
        columns = dict(zip(self.key, self.key_types, strict=True)) | {"month": "date", "mweight": self.number}
        return Table("month_weights", columns, rows, {"mweight": ref.WEIGHT}, (*self.key, "month"))

    def homes(self, persons: Table) -> Table:
        rows = [
            {"home_id": number, "home_weight": self.weight(), "income": self.random.randint(1, 20) / 4}
            for number in range(1, 5)
        ]
        columns = {"home_id": "integer", "home_weight": self.number, "income": self.number}
        owners = {"home_id": "key:household:0", "home_weight": ref.WEIGHT, "income": ref.PERSON}
        return Table("homes", columns, rows, owners, ("home_id",))

    def design(self, households: str, *, months: bool) -> SurveyDesign:
        events, persons = ("public", "events"), ("public", "persons")
        periods = PeriodWeights(
            table=("public", "month_weights"),
            key=self.key,
            period="month",
            weight="mweight",
            rule=self.random.choice(["refuse", "refuse", "mean", "last"]),
            dates={events: "day"},
        )
        person = Unit(
            table=persons,
            key=self.key,
            weight="" if months else "weight",
            level=PERSON,
            scale=self.scale,
            attributes=frozenset({"gender", "age", "region", "score", "seen_region", "seen_age"}),
            carried_by={events: self.event_key},
            period_weights=periods if months else None,
            units=1_000,
            **self.sample("gender", "region"),
        )
        home = Unit(
            table=persons if households == "shared" else ("public", "homes"),
            key=("home_id",),
            weight="home_weight",
            level=HOUSEHOLD,
            scale=self.scale,
            carried_by={} if households == "shared" else {persons: ("home_id",)},
            shares_table=households == "shared",
            units=500,
            **self.sample("", "region") if households == "shared" else {},
        )
        survey = Unit(
            table=("public", "survey"),
            weight="sw",
            scale=self.scale,
            attributes=frozenset({"grp", "answer", "amount"}),
            units=1_000,
            **self.sample("grp", ""),
        )
        return SurveyDesign(units=(person, *([home] if households else []), survey))

    def sample(self, stratum: str, psu: str) -> dict[str, Any]:  # Any: fields of a unit
        """Strata and PSUs, which change no estimate; the numbers of PSUs are not those of the world."""
        if self.random.random() < 0.5:
            return {}
        return {"stratum": stratum, "psu": psu, "psus": {"f": 3, "m": 4, "": 5} if stratum else {"": 7}}


# Questions


@dataclass(frozen=True)
class Scope:
    """A FROM clause and what can be asked of it."""

    source: Source
    key: tuple[Col, ...]
    texts: tuple[Col, ...]  # to group by
    numbers: tuple[Col, ...]  # of rows
    traits: tuple[Col, ...]  # numbers of persons
    events: bool
    day: Col | None = None
    weight: Col | None = None
    expect: str = EXACT
    where: Expr | None = None


def worst(*expectations: str) -> str:
    return max(expectations, key=ORDER.index)


def both(*conditions: Expr | None) -> Expr | None:
    found = [condition for condition in conditions if condition is not None]
    joined = found[0] if found else None
    for condition in found[1:]:
        joined = Op("and", joined, condition)  # type: ignore[arg-type]
    return joined


def pairs(world: World, left: tuple[str, str], right: tuple[str, str]) -> tuple[tuple[Col, Col], ...]:
    """What joins two tables (name, alias) on the person's key."""
    one, other = world.key_of(left[0]), world.key_of(right[0])
    return tuple((Col(a, left[1]), Col(b, right[1])) for a, b in zip(one, other, strict=True))


class Maker:
    """Makes questions about one world."""

    def __init__(self, random: Random, world: World) -> None:
        self.random = random
        self.world = world
        self.aliases = 0
        self.scale = world.unit(PERSON).scale
        self.monthly = any(unit.period_weights for unit in world.design.units)
        self.homes = any(unit.level == HOUSEHOLD for unit in world.design.units)

    def alias(self, start: str) -> str:
        self.aliases += 1
        return f"{start}{self.aliases}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        return self.random.choice(choices)

    def some(self, choices: Iterable[T], least: int, most: int) -> list[T]:
        choices = list(choices)
        return self.random.sample(choices, min(len(choices), self.random.randint(least, most)))

    def style(self) -> Style:
        return Style(*(self.chance(0.5) for _ in range(8)))

    # FROM

    def cols(self, table: str, alias: str, *names: str) -> tuple[Col, ...]:
        return tuple(Col(name, alias) for name in names)

    def key(self, table: str, alias: str) -> tuple[Col, ...]:
        return self.cols(table, alias, *self.world.key_of(table))

    def persons(self) -> Scope:
        p = self.alias("p")
        return Scope(
            Base("persons", p),
            self.key("persons", p),
            self.cols("persons", p, "gender", "region"),
            (),
            self.cols("persons", p, "age", "score"),
            events=False,
            weight=Col("weight", p),
        )

    def persons_by_region(self) -> Scope:
        scope, r = self.persons(), self.alias("r")
        assert isinstance(scope.source, Base)
        on = ((Col("region", scope.source.alias), Col("region", r)),)
        declared = bool(self.world.tables["regions"].primary_key)
        return replace(
            scope,
            source=Join(scope.source, Base("regions", r), on, left_outer=self.chance(0.3)),
            texts=(scope.texts[0], Col("zone", r)),
            events=not declared,
            expect=EXACT if declared else EITHER,
        )

    def events(self) -> Scope:
        e = self.alias("e")
        return Scope(
            Base("events", e),
            self.key("events", e),
            self.cols("events", e, "app", "seen_region"),
            self.cols("events", e, "minutes"),
            self.cols("events", e, "seen_age"),
            events=True,
            day=Col("day", e),
        )

    def events_by_topic(self) -> Scope:
        scope, t = self.events(), self.alias("t")
        assert isinstance(scope.source, Base)
        on = ((Col("topic_id", scope.source.alias), Col("topic_id", t)),)
        return replace(
            scope,
            source=Join(scope.source, Base("topics", t), on, left_outer=self.chance(0.3)),
            texts=(scope.texts[0], Col("title", t)),
            numbers=(*scope.numbers, Col("fee", t)),
        )

    def events_of_persons(self) -> Scope:
        """events JOIN persons, either way round, either side kept whole, perhaps through a dimension."""
        p, e = self.persons(), self.events()
        assert isinstance(p.source, Base)
        assert isinstance(e.source, Base)
        first, second = self.pick([(p, e), (e, p)])
        assert isinstance(first.source, Base)
        assert isinstance(second.source, Base)
        on = pairs(self.world, (first.source.table, first.source.alias), (second.source.table, second.source.alias))
        outer = self.chance(0.35) and not (self.monthly and first is p)
        # not of events that are kept whole: a person's column would be NULL in some of their rows
        odd = outer and first is e
        also = Op("=", e.texts[0], Const(self.pick("xyz"))) if not odd and self.chance(0.25) else None
        source: Source = Join(first.source, second.source, on, left_outer=outer, also=also)
        texts, numbers = (*p.texts, e.texts[0]), e.numbers
        if self.chance(0.2):
            t = self.alias("t")
            topic = (Col("topic_id", e.source.alias), Col("topic_id", t))
            source = Join(source, Base("topics", t), (topic,), left_outer=outer)
            texts, numbers = (*texts, Col("title", t)), (*numbers, Col("fee", t))
        key = self.pick([p.key, e.key])
        if outer and len(key) > 1:
            key = first.key  # a row of two NULLs is a value to COUNT(DISTINCT (a, b))
        return Scope(source, key, texts, numbers, p.traits, events=True, day=e.day, weight=p.weight)

    def survey(self) -> Scope:
        s = self.alias("s")
        return Scope(
            Base("survey", s),
            (),
            self.cols("survey", s, "grp"),
            (),
            self.cols("survey", s, "answer", "amount"),
            events=False,
            weight=Col("sw", s),
        )

    def nested(self, scope: Scope, depth: int = 1) -> Scope:
        """The same rows through a sub-select that drops some columns."""
        for _ in range(depth):
            scope = self.drop_columns(scope)
        return scope

    def drop_columns(self, scope: Scope) -> Scope:
        q = self.alias("q")
        drop_key = bool(scope.key) and self.chance(0.15)
        kept_key = () if drop_key else scope.key
        weight = scope.weight if self.chance(0.3) else None
        texts, numbers = self.some(scope.texts, 1, 2), self.some(scope.numbers, 0, 2)
        traits = self.some(scope.traits, 1, 2)
        day = scope.day if scope.day and (self.monthly or self.chance(0.6)) else None
        kept = [*kept_key, *texts, *numbers, *traits, *([weight] if weight else []), *([day] if day else [])]
        items = tuple((column.name, column) for column in kept)
        where = both(scope.where, self.condition(scope) if self.chance(0.3) else None)
        inner = Select(items, scope.source, where=where)

        def outer(columns: Iterable[Col]) -> tuple[Col, ...]:
            return tuple(Col(column.name, q) for column in columns)

        return Scope(
            Derived(inner, q),
            outer(kept_key),
            outer(texts),
            outer(numbers),
            outer(traits),
            events=scope.events,
            day=Col(day.name, q) if day else None,
            weight=Col(weight.name, q) if weight else None,
            expect=EITHER if drop_key else scope.expect,
        )

    def distinct_keys(self) -> Scope:
        """SELECT DISTINCT key, perhaps with something of the person or of the events beside it."""
        scope, q = self.pick([self.events, self.events_of_persons])(), self.alias("q")
        beside = self.pick(["", "", "person", "event"])
        column = {"person": scope.texts[0], "event": scope.texts[-1]}.get(beside)
        if beside == "person" and scope.texts[0].name == "app":
            column = scope.texts[1] if len(scope.texts) > 1 else None
        kept = [*scope.key, *([column] if column else [])]
        inner = Select(
            tuple((one.name, one) for one in kept), scope.source, where=self.maybe_condition(scope), distinct=True
        )
        return Scope(
            Derived(inner, q),
            tuple(Col(one.name, q) for one in scope.key),
            (Col(column.name, q),) if column else (),
            (),
            (),
            events=beside == "event",
        )

    def set_operation(self) -> Scope:
        """UNION, INTERSECT, EXCEPT of keys, now and then of three."""
        q = self.alias("q")
        query: Query = self.key_list()
        for _ in range(self.random.randint(1, 2)):
            query = SetOp(self.pick(["union", "union", "union all", "intersect", "except"]), query, self.key_list())
        names = ref.output_names(query)
        return Scope(
            Derived(query, q),
            tuple(Col(name, q) for name in names),
            (),
            (),
            (),
            # a branch whose key may be NULL: there is nothing else to tell its rows apart by
            expect=EITHER if "left_outer=True" in repr(query) else EXACT,
            events=isinstance(query, SetOp) and query.sign == "union all",
        )

    def key_list(self) -> Select:
        scope = self.pick([self.events, self.events, self.persons, self.events_of_persons])()
        names = self.world.unit(PERSON).key
        items = tuple(zip(names, scope.key, strict=True))
        return Select(items, scope.source, where=self.maybe_condition(scope, 0.9), distinct=self.chance(0.2))

    def per_person(self) -> Scope:
        """GROUP BY key inside: one row for each person (or person and app)."""
        scope, q = self.pick([self.events, self.events_of_persons, self.events_by_topic])(), self.alias("q")
        beside = self.pick(["", "", "person", "event"])
        own = [column for column in scope.texts if column.name in ("gender", "region")]
        group = {"person": own[0] if own else None, "event": scope.texts[-1]}.get(beside)
        if beside == "event" and group is not None and group.name in ("gender", "region", "seen_region"):
            group = None
        groups = (*scope.key, *([group] if group else []))
        number = scope.numbers[0]
        made: list[tuple[str, Expr]] = [
            ("times", COUNT),
            ("total", Agg("sum", (number,))),
            ("apps", Agg("count", (scope.texts[-1],), distinct=True)),
            ("longest", Agg("max", (number,))),
            ("any_x", Agg("bool_or", (Op("=", self.text_column(scope), Const("x")),))),
        ]
        made = self.some(made, 1, 3)
        having = None
        if self.chance(0.3):
            having = Op(">=", COUNT, Const(2))
        inner = Select(
            tuple((one.name, one) for one in groups) + tuple(made),
            scope.source,
            where=self.maybe_condition(scope),
            groups=groups,
            having=having,
        )
        numbers = tuple(Col(name, q) for name, _ in made if name != "any_x")
        texts = tuple(Col(name, q) for name, _ in made if name == "any_x") + ((Col(group.name, q),) if group else ())
        events = beside == "event" and group is not None
        return Scope(
            Derived(inner, q),
            tuple(Col(one.name, q) for one in scope.key),
            texts,
            numbers if events else (),
            () if events else numbers,
            events=events,
            expect=scope.expect,
        )

    def text_column(self, scope: Scope) -> Col:
        return next((column for column in scope.texts if column.name == "app"), scope.texts[0])

    def per_person_with_persons(self) -> Scope:
        """A roll-up by person joined to the persons (or to their events again)."""
        rolled, other = self.per_person(), self.pick([self.persons, self.persons, self.events])()
        assert isinstance(rolled.source, Derived)
        assert isinstance(other.source, Base)
        on = tuple(zip(rolled.key, other.key, strict=True))
        source: Source = Join(rolled.source, other.source, on)
        if self.chance(0.4):
            flipped = tuple((b, a) for a, b in on)
            source = Join(other.source, rolled.source, flipped, left_outer=self.chance(0.5))
        if rolled.events and other.events:
            # without what a condition might pin: one app's rows are one for each person
            return replace(rolled, source=source, texts=other.texts, expect=REFUSED)
        events = rolled.events or other.events
        numbers, traits = [*rolled.numbers, *other.numbers], [*rolled.traits, *other.traits]
        return Scope(
            source,
            other.key,
            (*other.texts, *rolled.texts),
            tuple(numbers),
            tuple(traits),
            events=events,
            weight=other.weight,
            expect=EITHER if other.events else rolled.expect,
        )

    def scope(self) -> Scope:
        plain = [
            self.persons,
            self.persons,
            self.persons_by_region,
            self.events,
            self.events,
            self.events_by_topic,
            self.events_of_persons,
            self.events_of_persons,
            self.survey,
        ]
        match self.random.randint(0, 9):
            case 0 | 1 | 2 | 3:
                return self.pick(plain)()
            case 4 | 5:
                return self.nested(self.pick(plain)(), self.random.randint(1, 2))
            case 6:
                return self.distinct_keys()
            case 7:
                return self.set_operation()
            case 8:
                return self.per_person()
            case _:
                return self.per_person_with_persons()

    # WHERE

    def maybe_condition(self, scope: Scope, chance: float = 0.5) -> Expr | None:
        return self.condition(scope) if self.chance(chance) else None

    def condition(self, scope: Scope) -> Expr:
        simple = self.simple_condition(scope)
        if self.chance(0.2):
            return Op(self.pick(["and", "or"]), simple, self.simple_condition(scope))
        return simple

    def simple_condition(self, scope: Scope) -> Expr:
        options: list[Callable[[], Expr]] = []
        words = {
            "gender": ["f", "m"],
            "region": ["north", "south", "west"],
            "seen_region": ["north", "south", "west"],
            "app": ["x", "y", "z"],
            "title": ["news", "sport"],
            "zone": ["hot", "cold"],
            "grp": ["a", "b"],
        }
        for column in scope.texts:
            if values := words.get(column.name):
                options += [
                    lambda c=column, v=values: Op("=", c, Const(self.pick(v))),  # type: ignore[misc]
                    lambda c=column, v=values: OneOf(c, tuple(self.some(v, 1, 2)), negated=self.chance(0.3)),  # type: ignore[misc]
                    lambda c=column: IsNull(c, negated=self.chance(0.7)),  # type: ignore[misc]
                ]
        for column in (*scope.numbers, *scope.traits):
            options.append(lambda c=column: Op(self.pick([">", "<=", "<>"]), c, Const(self.pick([1, 3, 25]))))  # type: ignore[misc]
        if not options:
            return Op("=", Const(1), Const(1))
        return self.pick(options)()

    def semi_join(self, scope: Scope) -> Expr:
        """EXISTS, IN, or a count of the person's events."""
        x = self.alias("x")
        inner_key = self.key("events", x)
        same = both(*(Op("=", a, b) for a, b in zip(inner_key, scope.key, strict=True)))
        app = Op("=", Col("app", x), Const(self.pick("xyz")))
        match self.random.randint(0, 3):
            case 0:
                query = Select((("one", Const(1)),), Base("events", x), where=both(same, app), about_one=True)
                return Exists(query, negated=self.chance(0.4))
            case 1:
                items = tuple((column.name, column) for column in inner_key)
                known = both(app, *(IsNull(column, negated=True) for column in inner_key))
                return In(scope.key, Select(items, Base("events", x), where=known), negated=self.chance(0.4))
            case 2:
                items = tuple((column.name, column) for column in inner_key)
                query = Select(items, Base("events", x), groups=inner_key, having=Op(">=", COUNT, Const(2)))
                return In(scope.key, query)
            case _:
                count = Select((("n", COUNT),), Base("events", x), where=both(same, app), about_one=True)
                return Op(">=", Scalar(count), Const(self.pick([1, 2])))

    # Aggregates

    def reach(self, scope: Scope) -> Agg:
        return Agg("count", scope.key, distinct=True, where=self.maybe_filter(scope))

    def maybe_filter(self, scope: Scope) -> Expr | None:
        return self.condition(scope) if self.chance(0.2) else None

    def number(self, scope: Scope) -> Expr:
        column = self.pick([*scope.numbers, *scope.traits])
        if self.chance(0.12):
            return Coalesce(column, Const(0))
        return Op("*", column, Const(2)) if self.chance(0.15) else column

    def aggregate(self, scope: Scope) -> tuple[Expr, str]:
        """One item, and whether it must be answered."""
        choices: list[Callable[[], tuple[Expr, str]]] = [
            lambda: (Agg("count", where=self.maybe_filter(scope)), EXACT),
            lambda: (Agg("count", (Const(1),)), EXACT),
            lambda: (Agg("sum", (Const(1),), where=self.maybe_filter(scope)), EXACT),
        ]
        if scope.texts:
            text = self.pick(scope.texts)
            choices += [
                lambda: (Agg("count", (text,), where=self.maybe_filter(scope)), EXACT),
                lambda: (Agg("count", (text,), distinct=True), EXACT),
                lambda: (Agg("sum", (Case(self.condition(scope), Const(1), self.nought()),)), EXACT),
                lambda: (Agg(self.pick(["min", "max"]), (text,)), EXACT) if text.name != "any_x" else (COUNT, EXACT),
                lambda: (Agg("mode", (text,)), EITHER) if text.name != "any_x" else (COUNT, EXACT),
                lambda: (Op("*", Const(100.0), Agg("avg", (Case(self.condition(scope), Const(1), Const(0)),))), EXACT),
            ]
        if scope.numbers or scope.traits:
            choices += [
                lambda: (Agg("sum", (self.number(scope),), where=self.maybe_filter(scope)), EXACT),
                lambda: (Agg("avg", (self.number(scope),), where=self.maybe_filter(scope)), EXACT),
                lambda: (Agg("avg", (self.number(scope),)), EXACT),
                lambda: (Op("/", Agg("sum", (self.number(scope),)), COUNT), EXACT),
                lambda: (Agg("count", (self.number(scope),)), EXACT),
                lambda: (Agg(self.pick(["min", "max"]), (self.number(scope),)), EXACT),
                lambda: (Agg(self.pick(sorted(ref.MOMENTS)), (self.number(scope),)), EXACT),
                lambda: (self.quantile(scope), EXACT),
                lambda: (Round(Agg("avg", (self.whole_number(scope),)), 1), EXACT),
                lambda: (Agg("avg", (Case(self.condition(scope), self.number(scope)),)), EITHER),
                lambda: (Agg("sum", (Case(self.condition(scope), self.number(scope), Const(0)),)), EITHER),
            ]
        if len((*scope.numbers, *scope.traits)) > 1:
            one, other = self.some((*scope.numbers, *scope.traits), 2, 2)
            choices.append(lambda: (Agg(self.pick(sorted(ref.PAIRS)), (one, other)), EXACT))
        if scope.key:
            choices += [lambda: (self.reach(scope), EXACT)] * 4
            if len(scope.key) == 1:
                case = (Case(self.condition(scope), scope.key[0]),)
                choices.append(lambda: (Agg("count", case, distinct=True), EXACT))
            if scope.numbers:
                per_user = Op("/", Agg("sum", (scope.numbers[0],)), Agg("count", scope.key, distinct=True))
                choices.append(lambda: (per_user, EXACT))
            # where an event is missing, (NULL, NULL) would be a value too
            kept_whole = isinstance(scope.source, Join) and scope.source.left_outer
            if scope.texts and self.text_column(scope).name == "app" and not kept_whole:
                pair = Agg("count", (*scope.key, self.text_column(scope)), distinct=True)
                choices.append(lambda: (pair, EITHER))
        return self.pick(choices)()

    def whole_number(self, scope: Scope) -> Expr:
        """PostgreSQL rounds numeric to a number of digits, not double precision."""
        found = [column for column in (*scope.numbers, *scope.traits) if column.name in ("age", "seen_age", "times")]
        return self.pick(found) if found else Const(2)

    def nought(self) -> Const:
        return self.pick([Const(0), Const(None)])

    def quantile(self, scope: Scope) -> Agg:
        name = self.pick(["percentile_cont", "percentile_disc"])
        column = self.pick([*scope.numbers, *scope.traits])
        return Agg(name, (column,), fraction=self.pick([0.5, 0.25, 0.9]), descending=self.chance(0.2))

    def group(self, scope: Scope) -> list[tuple[str, Expr]]:
        found: list[Expr] = list(self.some(scope.texts, 0, 2))
        if scope.day and self.chance(0.4):
            found.append(Month(scope.day))
        if scope.texts and self.chance(0.15):
            merged = Case(self.condition(scope), Const("yes"), Const("no"))
            found = [merged]
        return [(f"d{number}", expression) for number, expression in enumerate(found[:2], 1)]

    # Whole questions

    def question(self) -> Question:
        if self.monthly:
            return self.month_question()
        shapes = [self.aggregated] * 12 + [
            self.window_question,
            self.window_question,
            self.cells,
            self.scalar_share,
            self.correlated,
            self.union_of_aggregates,
            self.own_weights,
            self.refused,
            self.refused,
            self.per_panelist,
            self.sample_values,
            self.used_twice,
            self.raw_rows,
            self.first_of_each,
            self.scalar_filter,
            self.without_events,
            self.with_cells,
            self.cells_joined,
            self.large_apps,
            self.distinct_combinations,
            self.all_persons_mean,
        ]
        if self.homes:
            shapes += [self.home_question] * 4
        return self.pick(shapes)()

    def aggregated(self) -> Question:
        scope = self.scope()
        where = both(scope.where, self.maybe_condition(scope))
        name = "aggregated"
        if scope.key and self.chance(0.2):
            where, name = both(where, self.semi_join(scope)), "semi_join"
        if scope.weight and self.chance(0.15):
            where = both(where, Op(">", scope.weight, Const(0)))
        if scope.day and self.chance(0.2):
            month = self.pick(MONTHS)
            where = both(where, Op(">=", scope.day, Const(month)), Op("<", scope.day, Const(after(month))))
        groups = self.group(scope)
        found = [self.aggregate(scope) for _ in range(self.random.randint(1, 3))]
        items = [*groups, *((f"a{number}", item) for number, (item, _) in enumerate(found, 1))]
        expect = worst(scope.expect, *(one for _, one in found))
        if expect == REFUSED and all(is_of_pairs(item) for item, _ in found):
            expect = EITHER  # each person once, however many pairs of rows there are
        sets = self.pick(["", "", "rollup", "cube", "each"]) if groups and self.chance(0.3) else ""
        if sets:
            expect, name = worst(expect, EITHER if sets != "rollup" else expect), sets
            items = [
                (label, Coalesce(item, Const("all")) if self.chance(0.3) and is_text(item) else item)
                for label, item in items
            ]
        having = None
        if groups and self.chance(0.25):
            sized = [item for item, _ in found if isinstance(item, Agg) and item.name in ("count", "sum", "avg")]
            limit = Const(self.pick([1.3, 4.3]) * (self.scale if self.chance(0.5) else 1))
            having = Op(self.pick([">", "<="]), self.pick([*sized, COUNT]), limit)
        order, limit_to = self.ordering(groups, found) if not sets else ((), None)
        query = Select(
            tuple(items),
            scope.source,
            where=where,
            groups=tuple(item for _, item in groups),
            sets=sets,
            having=having,
            order=order,
            limit=limit_to,
        )
        return Question(name, query, expect, self.style(), self.readings(scope))

    def readings(self, scope: Scope) -> tuple[Reading, ...]:
        return (Reading(), Reading(constants_once=True)) if scope.events else (Reading(),)

    def ordering(
        self, groups: list[tuple[str, Expr]], found: list[tuple[Expr, str]]
    ) -> tuple[tuple[tuple[str, bool], ...], int | None]:
        if not groups or not self.chance(0.4):
            return (), None
        by: list[tuple[str, bool]] = [(name, self.chance(0.3)) for name, _ in groups]
        first = found[0][0]
        if isinstance(first, Agg) and first.name in ("count", "sum"):
            by = [("a1", self.chance(0.7)), *by]
        return tuple(by), self.random.randint(1, 3) if self.chance(0.6) else None

    def size(self, scope: Scope) -> Agg:
        choices = [COUNT]
        if scope.key:
            choices.append(Agg("count", scope.key, distinct=True))
        if scope.numbers:
            choices.append(Agg("sum", (scope.numbers[0],)))
        return self.pick(choices)

    def window_question(self) -> Question:
        scope = self.pick([self.persons, self.events, self.events_of_persons, self.events_by_topic])()
        size = self.size(scope)
        group: Expr = Month(scope.day) if scope.day and self.chance(0.5) else scope.texts[0]
        windows: list[Expr] = [
            Op("/", Op("*", size, Const(100.0)), Over("sum", size)),
            Over("rank", Const(1), (size,), descending=self.chance(0.7)),
            Over("lag", size, (group,)),
            Op("-", size, Over("lag", size, (group,))),
            Over("sum", size, (group,)),
            Round(Op("/", Op("*", COUNT, Const(100.0)), Over("sum", COUNT)), 1),
        ]
        item = self.pick(windows)
        query = Select(
            (("d1", group), ("a1", size), ("a2", item)),
            scope.source,
            where=self.maybe_condition(scope),
            groups=(group,),
        )
        return Question("window", query, scope.expect, self.style())

    def cells(self) -> Question:
        """Aggregates of cells: what is weighted below is not weighted again."""
        scope, q = self.pick([self.persons, self.events, self.events_of_persons])(), self.alias("q")
        size = self.size(scope)
        groups = [("d1", scope.texts[0])]
        if scope.day and self.chance(0.5):
            groups.append(("d2", Month(scope.day)))  # type: ignore[arg-type]
        inner = Select(
            (*groups, ("n", size)),
            scope.source,
            where=self.maybe_condition(scope),
            groups=tuple(item for _, item in groups),
        )
        n = Col("n", q)
        outer = self.pick([Agg("max", (n,)), Agg("avg", (n,)), Agg("sum", (n,)), COUNT, Agg("min", (n,))])
        top: tuple[tuple[str, Expr], ...] = (("a1", outer),)
        by: tuple[Expr, ...] = ()
        if self.chance(0.4):
            top, by = (("d1", Col("d1", q)), *top), (Col("d1", q),)
        if self.chance(0.3):
            query = Select((("d1", Col("d1", q)), ("n", n)), Derived(inner, q), where=Op(">", n, Const(4.3)))
        else:
            query = Select(top, Derived(inner, q), groups=by)
        # "count" of cells is a number of cells
        return Question("cells", query, EITHER if outer == COUNT else EXACT, self.style())

    def scalar_share(self) -> Question:
        scope, whole = self.pick([self.persons, self.events])(), self.pick([self.persons, self.events])()
        size, total = self.size(scope), Select((("n", self.size(whole)),), whole.source)
        share = Op("/", Op("*", size, Const(100.0)), Scalar(total))
        if self.chance(0.3):
            part = Select((("n", size),), scope.source, where=self.condition(scope))
            query = Select((("a1", Op("/", Scalar(part), Scalar(total))),), Rows())
            return Question("scalars_alone", query, EXACT, self.style())
        groups = self.group(scope)
        query = Select(
            (*groups, ("a1", share)),
            scope.source,
            where=self.maybe_condition(scope),
            groups=tuple(item for _, item in groups),
        )
        return Question("scalar_share", query, EXACT, self.style())

    def scalar_filter(self) -> Question:
        """WHERE x > (SELECT AVG(x)), HAVING COUNT(*) > (SELECT ...)."""
        scope, other = self.persons(), self.persons()
        mean = Select((("m", Agg("avg", (other.traits[0],))),), other.source)
        if self.chance(0.5):
            where = Op(">", scope.traits[0], Scalar(mean))
            query = Select((("a1", COUNT),), scope.source, where=where)
        else:
            total = Select((("m", COUNT),), other.source)
            having = Op(">", COUNT, Op("*", Scalar(total), Const(0.37)))
            query = Select(
                (("d1", scope.texts[0]), ("a1", COUNT)), scope.source, groups=(scope.texts[0],), having=having
            )
        return Question("scalar_filter", query, EXACT, self.style())

    def correlated(self) -> Question:
        """AVG of what a sub-select finds for each person."""
        scope, x = self.persons(), self.alias("x")
        same = both(*(Op("=", a, b) for a, b in zip(self.key("events", x), scope.key, strict=True)))
        inside = self.pick([COUNT, Agg("sum", (Col("minutes", x),)), Agg("count", (Col("app", x),), distinct=True)])
        one = Scalar(Select((("n", inside),), Base("events", x), where=same, about_one=True))
        q = self.alias("q")
        inner = Select(
            (*((column.name, column) for column in scope.key), ("gender", scope.texts[0]), ("n", one)), scope.source
        )
        n = Col("n", q)
        if self.chance(0.5):
            outer = self.pick([Agg("avg", (n,)), Agg("sum", (n,)), COUNT])
            query = Select((("d1", Col("gender", q)), ("a1", outer)), Derived(inner, q), groups=(Col("gender", q),))
        else:
            aggregate = Agg(self.pick(["avg", "sum"]), (one,))
            query = Select((("d1", scope.texts[0]), ("a1", aggregate)), scope.source, groups=(scope.texts[0],))
        return Question("correlated", query, EITHER, self.style())

    def union_of_aggregates(self) -> Question:
        queries = []
        for word in ("one", "two"):
            scope = self.pick([self.persons, self.events, self.events_of_persons])()
            items = (("what", Const(word)), ("n", self.size(scope)))
            queries.append(Select(items, scope.source, where=self.maybe_condition(scope)))
        return Question("union_of_aggregates", SetOp("union all", *queries), EXACT, self.style())

    def own_weights(self) -> Question:
        """The analyst weights; or does so in one place and forgets it in the next."""
        scope = self.pick([self.persons, self.survey])()
        if self.chance(0.5):
            scope = self.nested(replace(scope), 1)
            if not scope.weight:
                return self.aggregated()
        assert scope.weight
        w, x = scope.weight, scope.traits[0]
        total = Agg("sum", (w,))
        mean = Op("/", Agg("sum", (Op("*", w, x),)), total)
        items: tuple[tuple[str, Expr], ...] = self.pick(
            [
                (("a1", total),),
                (("a1", mean),),
                (("a1", Agg("avg", (w,))), ("a2", Agg("max", (w,)))),
                (("a1", total), ("a2", COUNT)),
                (("a1", mean), ("a2", Agg("avg", (x,)))),
            ]
        )
        mixed = any(agg in (COUNT, Agg("avg", (x,))) for _, item in items for agg in ref.find(item, Agg))
        groups = tuple(scope.texts[:1]) if self.chance(0.5) else ()
        shown = tuple((f"d{number}", group) for number, group in enumerate(groups, 1))
        query = Select((*shown, *items), scope.source, where=Op("<", w, Const(1000)), groups=groups)
        return Question("own_weights", query, REFUSED if mixed else EXACT, self.style())

    def per_panelist(self) -> Question:
        scope = self.pick([self.events, self.events_of_persons])()
        items = tuple((column.name, column) for column in scope.key)
        query = Select(
            (*items, ("n", COUNT), ("m", Agg("sum", (scope.numbers[0],)))),
            scope.source,
            where=self.maybe_condition(scope),
            groups=scope.key,
        )
        return Question("per_panelist", query, EXACT, self.style())

    def sample_values(self) -> Question:
        scope = self.scope()
        if not scope.texts:
            scope = self.persons()
        aggregates = [Agg("count", (self.pick(scope.texts),), distinct=True)]
        if scope.numbers or scope.traits:
            aggregates.append(Agg("max", (self.number(scope),)))
        items = tuple((f"a{number}", item) for number, item in enumerate(aggregates, 1))
        query = Select(items, scope.source, where=self.maybe_condition(scope))
        return Question("sample_values", query, min(scope.expect, EITHER, key=ORDER.index), self.style())

    def used_twice(self) -> Question:
        """One CTE, two uses: overlap of audiences, or a share of itself."""
        inner = self.key_list()
        query = replace(inner, distinct=True)
        a, b = self.alias("q"), self.alias("q")
        on = tuple((Col(name, a), Col(name, b)) for name, _ in query.items)
        style = replace(self.style(), ctes=True)
        if self.chance(0.5):
            other = replace(self.key_list(), distinct=True)
            joined = Select((("n", COUNT),), Join(Derived(query, a), Derived(other, b), on))
            return Question("overlap", joined, EXACT, style)
        whole = Select((("n", COUNT),), Derived(query, b))
        share = Op("/", Agg("count", where=Op("=", Col(query.items[0][0], a), Const(self.first_key()))), Scalar(whole))
        return Question("used_twice", Select((("n", share),), Derived(query, a)), EXACT, style)

    def first_key(self) -> Value:
        known: dict[str, Value] = {"user_id": 1, "user_name": "u1", "country": "in"}
        return known[self.world.unit(PERSON).key[0]]

    def raw_rows(self) -> Question:
        scope = self.events()
        items = tuple((column.name, column) for column in (*scope.key, *scope.texts, *scope.numbers))
        return Question("raw_rows", Select(items, scope.source, where=self.condition(scope)), EXACT, self.style())

    def first_of_each(self) -> Question:
        """DISTINCT ON the key: the first event of each person."""
        scope = self.events()
        assert isinstance(scope.source, Base)
        names = tuple(column.name for column in scope.key)
        number = Col("event_id", scope.source.alias)
        items = (*((column.name, column) for column in scope.key), ("event_id", number), ("app", scope.texts[0]))
        order = (*((name, False) for name in names), ("event_id", False))
        first = Select(items, scope.source, order=order, distinct_on=names)
        q = self.alias("q")
        query = Select((("d1", Col("app", q)), ("a1", COUNT)), Derived(first, q), groups=(Col("app", q),))
        return Question("first_of_each", query, EITHER, self.style())

    def without_events(self) -> Question:
        """persons LEFT JOIN events ... WHERE event IS NULL: who did nothing."""
        p, e = self.persons(), self.events()
        assert isinstance(p.source, Base)
        assert isinstance(e.source, Base)
        on = pairs(self.world, (p.source.table, p.source.alias), (e.source.table, e.source.alias))
        also = Op("=", e.texts[0], Const("x")) if self.chance(0.6) else None
        source = Join(p.source, e.source, on, left_outer=True, also=also)
        size = self.pick([COUNT, Agg("count", p.key, distinct=True)])
        where = IsNull(Col("event_id", e.source.alias))
        query = Select((("d1", p.texts[0]), ("a1", size)), source, where=where, groups=(p.texts[0],))
        return Question("without_events", query, EXACT, self.style())

    def all_persons_mean(self) -> Question:
        """persons LEFT JOIN (what each did) with 0 for those who did nothing."""
        p, e, q = self.persons(), self.events(), self.alias("q")
        number = self.pick([COUNT, Agg("sum", (e.numbers[0],))])
        inner = Select(
            (*((one.name, one) for one in e.key), ("n", number)),
            e.source,
            where=self.maybe_condition(e),
            groups=e.key,
        )
        on = tuple((a, Col(b.name, q)) for a, b in zip(p.key, e.key, strict=True))
        source = Join(p.source, Derived(inner, q), on, left_outer=True)
        n = Coalesce(Col("n", q), Const(0))
        size = self.pick([Agg("avg", (n,)), Agg("sum", (n,)), Agg("count", where=Op("=", n, Const(0)))])
        query = Select((("d1", p.texts[0]), ("a1", size)), source, groups=(p.texts[0],))
        return Question("all_persons_mean", query, EXACT, self.style())

    def with_cells(self) -> Question:
        """Persons beside the mean of their region, which is an estimate."""
        p, o, c = self.persons(), self.persons(), self.alias("c")
        region, age = p.texts[1], p.traits[0]
        inner = Select((("region", o.texts[1]), ("m", Agg("avg", (o.traits[0],)))), o.source, groups=(o.texts[1],))
        source = Join(p.source, Derived(inner, c), ((region, Col("region", c)),))
        above = Op(">", age, Col("m", c))
        item = self.pick([Agg("count", where=above), Agg("sum", (Case(above, Const(1), Const(0)),))])
        query = Select((("d1", region), ("a1", item)), source, groups=(region,))
        return Question("with_cells", query, EITHER, self.style())

    def cells_joined(self) -> Question:
        """Two estimates side by side, joined on what they are grouped by."""
        a, b = self.alias("a"), self.alias("b")
        sides = []
        for name in (a, b):
            scope = self.pick([self.events, self.events_of_persons])()
            app = self.text_column(scope)
            items = (("app", app), ("n", self.size(scope)))
            sides.append(Derived(Select(items, scope.source, where=self.maybe_condition(scope), groups=(app,)), name))
        on = ((Col("app", a), Col("app", b)),)
        ratio = Op("/", Op("*", Const(100.0), Col("n", a)), Col("n", b))
        query = Select((("app", Col("app", a)), ("share", ratio)), Join(sides[0], sides[1], on))
        return Question("cells_joined", query, EXACT, self.style())

    def large_apps(self) -> Question:
        """WHERE app IN (SELECT app ... GROUP BY app HAVING COUNT(*) > n): n is in the population."""
        scope, inner = self.events(), self.events()
        having = Op(">", self.size(inner), Const(7.3 * self.scale))
        large = Select((("app", inner.texts[0]),), inner.source, groups=(inner.texts[0],), having=having)
        query = Select((("a1", self.size(scope)),), scope.source, where=In((scope.texts[0],), large))
        return Question("large_apps", query, EITHER, self.style())

    def distinct_combinations(self) -> Question:
        """COUNT(*) of SELECT DISTINCT without the key: values seen in the sample, nothing projected."""
        scope, q = self.pick([self.persons, self.events])(), self.alias("q")
        items = tuple((column.name, column) for column in scope.texts)
        inner = Select(items, scope.source, where=self.maybe_condition(scope), distinct=True)
        return Question("distinct_combinations", Select((("n", COUNT),), Derived(inner, q)), EITHER, self.style())

    # What must be refused

    def refused(self) -> Question:
        return self.pick(
            [
                self.pairs_of_events,
                self.pairs_of_persons,
                self.by_other_column,
                self.cut_below,
                self.distinct_values,
                self.ntile,
                self.sampled,
                self.lateral,
                self.recursive,
                self.row_windows,
            ]
        )()

    def pairs_of_events(self) -> Question:
        a, b = self.alias("a"), self.alias("b")
        on = tuple(zip(self.key("events", a), self.key("events", b), strict=True))
        items = self.pick([COUNT, Agg("sum", (Col("minutes", a),)), Agg("avg", (Col("minutes", b),))])
        query = Select((("n", items),), Join(Base("events", a), Base("events", b), on))
        return Question("pairs_of_events", query, REFUSED, self.style())

    def pairs_of_persons(self) -> Question:
        a, b = self.alias("a"), self.alias("b")
        on = ((Col("region", a), Col("region", b)),)
        return Question(
            "pairs_of_persons",
            Select((("n", COUNT),), Join(Base("persons", a), Base("persons", b), on)),
            REFUSED,
            self.style(),
        )

    def by_other_column(self) -> Question:
        """Persons and events that are joined by anything but the key."""
        p, e = self.alias("p"), self.alias("e")
        on = self.pick([((Col("region", p), Col("seen_region", e)),), ()])
        size = self.pick([COUNT, Agg("sum", (Col("minutes", e),)), Agg("avg", (Col("age", p),))])
        return Question(
            "by_other_column",
            Select((("n", size),), Join(Base("persons", p), Base("events", e), on)),
            REFUSED,
            self.style(),
        )

    def cut_below(self) -> Question:
        scope, q = self.pick([self.persons, self.events])(), self.alias("q")
        items = tuple((column.name, column) for column in scope.key)
        inner = Select(items, scope.source, order=tuple((name, False) for name, _ in items), limit=3)
        return Question("cut_below", Select((("n", COUNT),), Derived(inner, q)), REFUSED, self.style())

    def distinct_values(self) -> Question:
        scope = self.pick([self.persons, self.events])()
        column = (*scope.numbers, *scope.traits)[0]
        agg = Agg(self.pick(["sum", "avg"]), (column,), distinct=True)
        return Question("distinct_values", Select((("n", agg),), scope.source), REFUSED, self.style())

    def ntile(self) -> Question:
        name = self.pick(["NTILE(4)", "PERCENT_RANK()", "CUME_DIST()"])
        text = f"SELECT age, {name} OVER (ORDER BY age) AS band FROM persons"
        if self.chance(0.5):
            text = f"SELECT band, COUNT(*) AS n FROM ({text}) t GROUP BY 1"
        return self.texted("ntile", text, REFUSED)

    def texted(self, name: str, text: str, expect: str, query: Query | None = None) -> Question:
        return Question(name, query or Select((("n", Const(None)),), Rows()), expect, text=text)

    def sampled(self) -> Question:
        table = self.pick(["persons", "events"])
        text = f"SELECT COUNT(*) AS n FROM {table} TABLESAMPLE BERNOULLI (100)"
        return self.texted("sampled", text, EITHER, Select((("n", COUNT),), Base(table, table)))

    def lateral(self) -> Question:
        """For each person what a sub-select finds: an answer is the correlated sub-select's."""
        scope, x = self.persons(), self.alias("x")
        assert isinstance(scope.source, Base)
        p = scope.source.alias
        same = both(*(Op("=", a, b) for a, b in zip(self.key("events", x), scope.key, strict=True)))
        one = Scalar(Select((("n", COUNT),), Base("events", x), where=same, about_one=True))
        query = Select((("a1", Agg("avg", (one,))),), scope.source)
        on = " AND ".join(
            f"{x}.{a.name} = {b.of}.{b.name}" for a, b in zip(self.key("events", x), scope.key, strict=True)
        )
        inner = f"SELECT COUNT(*) AS n FROM events {x} WHERE {on}"
        text = f"SELECT AVG(l.n) AS a1 FROM persons {p} CROSS JOIN LATERAL ({inner}) l"
        return self.texted("lateral", text, EITHER, query)

    def recursive(self) -> Question:
        key = ", ".join(self.world.unit(PERSON).key)
        text = (
            f"WITH RECURSIVE r AS (SELECT {key}, 1 AS n FROM persons UNION ALL SELECT {key}, n + 1 FROM r WHERE n < 3) "
            "SELECT COUNT(*) AS n FROM r"
        )
        return self.texted("recursive", text, REFUSED)

    def row_windows(self) -> Question:
        """The first event of each person by ROW_NUMBER, counted by app."""
        key = ", ".join(self.world.key_of("events"))
        q = self.alias("q")
        inner = self.first_of_each().query
        text = (
            f"SELECT app AS d1, COUNT(*) AS a1 FROM (SELECT app, {key}, ROW_NUMBER() OVER (PARTITION BY {key} "
            f"ORDER BY event_id) AS rn FROM events) {q} WHERE rn = 1 GROUP BY app"
        )
        return self.texted("row_windows", text, EITHER, inner)

    # Households

    def home_question(self) -> Question:
        own = "homes" in self.world.tables
        p = self.alias("p")
        home = Col("home_id", p)
        scope = self.persons()
        assert isinstance(scope.source, Base)
        scope = replace(scope, source=Base("persons", p), texts=self.cols("persons", p, "gender", "region"))
        homes = Agg("count", (home,), distinct=True)
        groups = tuple(self.some(scope.texts[:1], 0, 1))
        shown = tuple((f"d{number}", group) for number, group in enumerate(groups, 1))
        where = Op("=", Col("gender", p), Const("f")) if self.chance(0.3) else None
        if own and self.chance(0.5):
            h = self.alias("h")
            income = Col("income", h)
            items = self.pick(
                [COUNT, Agg("avg", (income,)), Agg("sum", (income,)), Agg("count", (Col("home_id", h),), distinct=True)]
            )
            if self.chance(0.5):
                return Question("homes", Select((("a1", items),), Base("homes", h)), EXACT, self.style())
            join = Join(Base("persons", p), Base("homes", h), ((home, Col("home_id", h)),))
            size = self.pick([COUNT, Agg("avg", (Col("age", p),)), Agg("count", (home,), distinct=True)])
            return Question(
                "homes_of_persons", Select((*shown, ("a1", size)), join, groups=groups), EITHER, self.style()
            )
        if self.chance(0.3):
            query = Select((*shown, ("a1", homes), ("a2", COUNT)), scope.source, where=where, groups=groups)
            # which weights make the base of such a SELECT is for the product to refuse, or to keep apart
            return Question("homes_and_persons", query, EITHER, self.style())
        if self.chance(0.4):
            size = self.pick([COUNT, Agg("avg", (Col("age", p),))])
            return Question(
                "persons_with_homes",
                Select((*shown, ("a1", size)), scope.source, where=where, groups=groups),
                EXACT,
                self.style(),
            )
        return Question(
            "homes_in_persons",
            Select((*shown, ("a1", homes)), scope.source, where=where, groups=groups),
            EXACT,
            self.style(),
        )

    # Weights by month

    def month_question(self) -> Question:
        scope = self.pick([self.events, self.events, self.events_by_topic, self.events_of_persons])()
        assert scope.day
        rule = next(unit.period_weights.rule for unit in self.world.design.units if unit.period_weights)
        month = Month(scope.day)
        spread = self.pick(["one", "by_month", "whole", "two"])
        where = self.maybe_condition(scope, 0.3)
        groups: tuple[Expr, ...] = tuple(self.some(scope.texts[:2], 0, 1))
        months: tuple[date, ...] = ()
        if spread == "one":
            first = self.pick(MONTHS)
            where = both(where, Op(">=", scope.day, Const(first)), Op("<", scope.day, Const(after(first))))
        elif spread == "by_month":
            groups = (month, *groups)
        elif spread == "two":
            where = both(where, Op(">=", scope.day, Const(MONTHS[0])), Op("<", scope.day, Const(MONTHS[2])))
            months = MONTHS[:2]
        else:
            months = MONTHS
        reach = Agg("count", scope.key, distinct=True)
        once = Agg("avg", (scope.traits[0],))
        size = self.pick(
            [COUNT, Agg("sum", (scope.numbers[0],)), Agg("avg", (scope.numbers[0],)), reach, reach, reach, once]
        )
        expect = EXACT
        if months and size in (reach, once):
            expect = REFUSED if rule == "refuse" else EXACT if months == MONTHS[:2] else EITHER
        shown = tuple((f"d{number}", group) for number, group in enumerate(groups, 1))
        query = Select((*shown, ("a1", size)), scope.source, where=where, groups=groups)
        return Question(f"month_{spread}", query, expect, self.style(), (Reading(months=months),))


def after(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def is_of_pairs(item: Expr) -> bool:
    """What does not depend on how often a row stands there: of people, each once, or of no weights."""
    if not isinstance(item, Agg):
        return False
    of_persons = all(isinstance(value, Col) and value.name in ("seen_age", "seen_region") for value in item.args)
    return item.distinct or item.name in ("min", "max") or bool(item.args and of_persons)


def is_text(item: Expr) -> bool:
    return isinstance(item, Col) and item.name in ("gender", "region", "seen_region", "app", "title", "zone", "grp")


def make_question(random: Random, world: World) -> Question:
    return Maker(random, world).question()


# Hypothesis


@st.composite
def worlds_and_questions(
    draw: st.DrawFn, *, count: int = 3, ones: bool = False, complete: bool = False, months: bool | None = None
) -> tuple[World, list[Question]]:
    """A world and some questions about it, both of which shrink."""
    random = draw(st.randoms(use_true_random=False))
    world = make_world(random, ones=ones, complete=complete, months=months)
    return world, [make_question(random, world) for _ in range(count)]


def seeded(
    seed: int, *, count: int = 8, ones: bool = False, whole: bool = False, complete: bool = False
) -> tuple[World, list[Question]]:
    """The same without hypothesis: about ten times as fast."""
    random = Random(seed)
    world = make_world(random, ones=ones, whole=whole, complete=complete, months=False if whole else None)
    return world, [make_question(random, world) for _ in range(count)]


def is_census(question: Question, done: frozenset[str]) -> bool:
    """Whether the answer over the population is the estimate.

    Not where persons are taken once from their events, where the sample's own size counts (n/(n-1)), where
    PERCENTILE_CONT would interpolate, for what nothing is projected of, nor where one key is named.
    """
    text = repr(question.query)
    of_sample = ("percentile_cont", "'var_samp'", "'variance'", "'stddev'", "'stddev_samp'", "'covar_samp'", "home")
    left = {"once", "by_query", "sample", "nobody"}
    if question.name == "used_twice" or any(one in text for one in of_sample):
        return False
    return "weighted" in done and not done & left
