"""Estimates on PostgreSQL agree with the formulas, written down here once more in exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final, cast

import psycopg
import pytest
from postgast import pg_query_pb2 as pg

from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.sealing import SealedText
from datasets.system_config import SystemSettings
from querying.sql.allowed_functions import AGGREGATES
from querying.sql.bind import bind
from querying.sql.draft import Draft, QueryRequest
from querying.sql.govern import govern
from querying.sql.guard import guard
from querying.sql.limit import classify, limit
from querying.sql.parse import parse_statement, parse_tree, print_tree
from querying.sql.plan import seal
from querying.sql.shown import column_node, expression_of
from querying.sql.walk import children, names, walk
from querying.sql.weights.estimators import count_units, estimate, estimate_window, reach
from querying.sql.weights.numeric_only import cast_numeric_only
from querying.sql.weights.refusing import Unsupported
from querying.sql.weights.splitting import Split, split, split_pairs, split_reach

Row = Mapping[str, Any]  # Any: whatever a column holds
Estimate = Callable[[pg.FuncCall], pg.Node]

TYPES: Final = {
    "grp": "integer",
    "person": "integer",
    "site": "integer",
    "flag": "boolean",
    "i": "integer",
    "big": "bigint",
    "num": "numeric",
    "f": "double precision",
    "y": "double precision",
    "far": "double precision",
    "cost": "money",
    "span": "interval",
    "day": "date",
    "name": "text",
    "yes": "boolean",
    "one": "double precision",
    "w": "double precision",
    "p_weight": "double precision",
    "p_i": "integer",
    "p_f": "double precision",
    "p_y": "double precision",
    "p_span": "interval",
    "p_name": "text",
    "p_yes": "boolean",
}
DATASET: Final = DatasetSpec(
    dataset_id=1,
    entry_id=1,
    version=1,
    connection_id="1",
    sealed_dsn=SealedText(""),
    name="panel",
    title="Panel",
    description="",
    dataset_type="mixed",
    data_category="mixed",
    tables=(TableSpec("public", "sampled", "table", tuple(ColumnSpec(*pair) for pair in TYPES.items())),),
)
OPERATOR: Final = Principal(person="operator", datasets=None, operator=True)
W, PERSON_WEIGHT, PERSON = column_node("w"), column_node("p_weight"), column_node("person")


def make_rows(seed: int) -> list[dict[str, Any]]:
    """Groups of one row and of many, of equal weights and of few values, without a valid weight, all NULL."""
    random = Random(seed)
    persons: dict[int | None, dict[str, Any]] = {number: make_person(random) for number in range(60)}
    rows = []
    for group in range(30):
        size, equal, values = random.choice([1, 1, 2, 3, 5, 9, 30]), random.random() < 0.4, random.choice([1, 2, 4, 99])
        empty = random.random() < 0.1
        for _ in range(size):
            number = None if random.random() < 0.05 else random.randrange(random.choice([5, 60]))
            rows.append(
                make_row(random, group, number, values=values, equal=equal, empty=empty) | persons.get(number, NOBODY)
            )
    return rows


NOBODY: Final[dict[str, Any]] = dict.fromkeys(("p_weight", "p_i", "p_f", "p_y", "p_span", "p_name", "p_yes"))


def make_person(random: Random) -> dict[str, Any]:
    def some(value: Any) -> Any:
        return None if random.random() < 0.15 else value

    return {
        "p_weight": some(random.choice([1.0, 2.5, random.lognormvariate(0, 1)])),
        "p_i": some(random.randrange(80)),
        "p_f": some(random.gauss(0, 10)),
        "p_y": some(random.gauss(0, 10)),
        "p_span": some(timedelta(minutes=random.randrange(5000))),
        "p_name": some(random.choice("abc")),
        "p_yes": some(random.random() < 0.5),
    }


def make_row(
    random: Random, group: int, person: int | None, *, values: int, equal: bool, empty: bool
) -> dict[str, Any]:
    def some(value: Any) -> Any:
        return None if empty or random.random() < 0.15 else value

    step = random.randrange(values)
    return {
        "grp": group,
        "person": person,
        "site": some(random.randrange(4)),
        "flag": some(random.random() < 0.5),
        "i": some(step - 2),
        "big": some(2**40 + step),
        "num": some(Decimal(step) / 7),
        "f": some(step * 0.1),
        "y": some(random.gauss(0, 10)),
        "far": some(1e9 + step / 8),
        "cost": some(Decimal(step)),
        "span": some(timedelta(hours=step)),
        "day": some(date(2026, 1, 1) + timedelta(days=step)),
        "name": some("abcd"[step % 4]),
        "yes": some(step % 2 == 0),
        "one": 1.0,
        "w": None if random.random() < 0.1 else 0.1 if equal else random.lognormvariate(0, 1.5),
    }


ROWS: Final = make_rows(5)


@pytest.fixture(scope="module")
def session(worlds_url: str) -> Iterator[psycopg.Connection]:
    columns = ", ".join(f"{name} {type_}" for name, type_ in TYPES.items())
    places = ", ".join("%s::text::numeric::money" if type_ == "money" else "%s" for type_ in TYPES.values())
    with psycopg.connect(worlds_url, options="-c intervalstyle=postgres") as session, session.cursor() as cursor:
        cursor.execute(f"CREATE TABLE public.sampled ({columns})".encode())
        cursor.executemany(
            f"INSERT INTO public.sampled VALUES ({places})".encode(),
            [tuple(row[name] for name in TYPES) for row in ROWS],
        )
        cursor.execute("SET search_path = pg_catalog")
        yield session
        session.rollback()


@dataclass
class Asking:
    session: psycopg.Connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.session.transaction(), psycopg.RawCursor(self.session) as cursor:
            cursor.execute(sql.encode())
            return [tuple(map(plain, row)) for row in cursor.fetchall()]

    def weighted(self, sql: str, make: Estimate) -> list[tuple[Any, ...]]:
        return self.rows(rewrite(sql, make))

    def groups(self, expression: str, make: Estimate, where: str = "") -> dict[Any, Any]:
        """grp -> value, and the total under 'all'."""
        sql = f"SELECT coalesce(grp::text, 'all'), {expression} FROM sampled {where} GROUP BY ROLLUP (grp)"
        return dict(cast(list[tuple[Any, Any]], self.weighted(sql, make)))


@pytest.fixture
def ask(session: psycopg.Connection) -> Asking:
    return Asking(session)


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, timedelta):
        return value / timedelta(seconds=1)
    if isinstance(value, str) and value.lstrip("-").startswith("$"):
        return float(value.replace("$", "").replace(",", ""))
    return [plain(item) for item in value] if isinstance(value, list) else value


def rewrite(sql: str, make: Estimate) -> str:
    """As in production: all passes before and after, with each aggregate replaced."""
    draft = Draft(QueryRequest("panel", sql), DATASET, OPERATOR, SystemSettings(), parse_statement(sql))
    for apply in (guard, bind, govern, classify):
        draft = apply(draft)
    for node in aggregates(draft.select):
        node.CopyFrom(make(node.func_call))
    cast_numeric_only(draft.select)
    return seal(replace(limit(draft), max_rows=1_000)).sql


def aggregates(root: Any) -> list[pg.Node]:  # Any: one of 270 message types
    nodes = [child for parent in walk(root) for child in children(parent) if isinstance(child, pg.Node)]
    return [
        node
        for node in reversed(nodes)
        if node.HasField("func_call")
        and names(node.func_call.funcname)[-1] in AGGREGATES
        and not node.func_call.HasField("over")
    ]


def in_place(call: pg.FuncCall) -> pg.Node:
    return estimate(call, W)


def per_person(call: pg.FuncCall) -> pg.Node:
    return estimate(call, PERSON_WEIGHT, person=(PERSON,))


def as_it_is(call: pg.FuncCall) -> pg.Node:
    return pg.Node(func_call=call)


# The formulas


Formula = Callable[[Sequence[tuple[Any, ...]]], Any]  # of (weight, value, ...), weights valid


def exact(value: Any) -> Fraction:
    return Fraction(value / timedelta(microseconds=1)) / 10**6 if isinstance(value, timedelta) else Fraction(value)


def known(base: Sequence[tuple[Any, ...]]) -> list[tuple[Fraction, ...]]:
    return [tuple(map(exact, row)) for row in base if None not in row]


def count(base: Sequence[tuple[Any, ...]]) -> Any:
    return sum((exact(row[0]) for row in base if None not in row), Fraction(0))


def total(base: Sequence[tuple[Any, ...]]) -> Any:
    rows = known(base)
    return sum(w * x for w, x in rows) if rows else None


def mean(base: Sequence[tuple[Any, ...]]) -> Any:
    return total(base) / count(base) if known(base) else None


def moment(base: Sequence[tuple[Any, ...]], left: int, right: int) -> Fraction:
    rows = known(base)
    weight = sum((row[0] for row in rows), Fraction(0))
    means = [sum((row[0] * row[at] for row in rows), Fraction(0)) / weight for at in (left, right)]
    return sum((row[0] * (row[left] - means[0]) * (row[right] - means[1]) for row in rows), Fraction(0))


def spread(*, sample: bool, root: bool = False, left: int = 1, right: int = 1) -> Formula:
    def formula(base: Sequence[tuple[Any, ...]]) -> Any:
        n = len(known(base))
        if n == 0 or (sample and n == 1):
            return None
        variance = moment(base, left, right) / count(base) * (Fraction(n, n - 1) if sample else 1)
        return math.sqrt(variance) if root else variance

    return formula


def paired(formula: Callable[[Fraction, Fraction, Fraction, Fraction, Fraction], Any], *, flat: bool = True) -> Formula:
    """Of sxx, syy, sxy and the means of x and y; rows hold weight, y, x. None where x is flat, unless `flat` may be."""

    def apply(base: Sequence[tuple[Any, ...]]) -> Any:
        rows = known(base)
        if not rows or (not flat and not moment(base, 2, 2)):
            return None
        means = [sum(row[0] * row[at] for row in rows) / count(base) for at in (2, 1)]
        return formula(moment(base, 2, 2), moment(base, 1, 1), moment(base, 1, 2), means[0], means[1])

    return apply


def quantile(*fractions: float | None, descending: bool = False) -> Formula:
    def formula(base: Sequence[tuple[Any, ...]]) -> Any:
        rows = sorted((row for row in base if None not in row), key=lambda row: row[1], reverse=descending)
        weight = sum(exact(w) for w, _ in rows)
        found = []
        for fraction in fractions:
            reached, answer = Fraction(0), None
            for w, value in rows:
                reached += exact(w)
                if fraction is not None and reached >= exact(fraction) * weight * (1 - Fraction(1, 10**12)):
                    answer = value
                    break
            found.append(answer)
        return found if len(fractions) > 1 else found[0]

    return formula


def mode(*, descending: bool = False) -> Formula:
    def formula(base: Sequence[tuple[Any, ...]]) -> Any:
        sums: dict[Any, Fraction] = {}
        for w, value in base:
            if value is not None:
                sums[value] = sums.get(value, Fraction(0)) + exact(w)
        largest = [value for value, one in sums.items() if one >= max(sums.values()) * (1 - Fraction(1, 10**12))]
        return (max if descending else min)(largest, default=None)

    return formula


def at_most(value: Any, limit: Any) -> bool | None:
    return None if value is None else value <= limit


OF_VALUES: Final[Mapping[str, Formula]] = {
    "count({x})": count,
    "sum({x})": total,
    "avg({x})": mean,
    "var_samp({x})": spread(sample=True),
    "variance({x})": spread(sample=True),
    "var_pop({x})": spread(sample=False),
    "stddev({x})": spread(sample=True, root=True),
    "stddev_samp({x})": spread(sample=True, root=True),
    "stddev_pop({x})": spread(sample=False, root=True),
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY {x})": quantile(0.5),
    "percentile_cont(0.25) WITHIN GROUP (ORDER BY {x} DESC)": quantile(0.25, descending=True),
    "percentile_cont(ARRAY[0, 0.3, NULL, 1]) WITHIN GROUP (ORDER BY {x})": quantile(0.0, 0.3, None, 1.0),
    "percentile_disc(0.5) WITHIN GROUP (ORDER BY {x})": quantile(0.5),
    "percentile_disc(0) WITHIN GROUP (ORDER BY {x} DESC NULLS LAST)": quantile(0.0, descending=True),
    "percentile_disc(ARRAY[0.9, 0.1]::float8[]) WITHIN GROUP (ORDER BY {x})": quantile(0.9, 0.1),
    "mode() WITHIN GROUP (ORDER BY {x})": mode(),
    "mode() WITHIN GROUP (ORDER BY {x} DESC)": mode(descending=True),
}
OF_PAIRS: Final[Mapping[str, Formula]] = {
    "corr({y}, {x})": paired(lambda xx, yy, xy, *_: float(xy) / math.sqrt(xx * yy) if yy else None, flat=False),
    "covar_pop({y}, {x})": spread(sample=False, left=1, right=2),
    "covar_samp({y}, {x})": spread(sample=True, left=1, right=2),
    "regr_avgx({y}, {x})": paired(lambda *parts: parts[3]),
    "regr_avgy({y}, {x})": paired(lambda *parts: parts[4]),
    "regr_count({y}, {x})": count,
    "regr_intercept({y}, {x})": paired(lambda xx, yy, xy, x, y: y - xy / xx * x, flat=False),
    "regr_r2({y}, {x})": paired(lambda xx, yy, xy, *_: xy * xy / (xx * yy) if yy else 1, flat=False),
    "regr_slope({y}, {x})": paired(lambda xx, yy, xy, *_: xy / xx, flat=False),
    "regr_sxx({y}, {x})": paired(lambda xx, *_: xx),
    "regr_sxy({y}, {x})": paired(lambda xx, yy, xy, *_: xy),
    "regr_syy({y}, {x})": paired(lambda xx, yy, *_: yy),
}
NUMBERS: Final = ("i", "big", "num", "f", "far")
SORTABLE: Final = ("day", "name", "yes", "span")
CASES: Final[Mapping[str, tuple[Formula, tuple[str, ...]]]] = {
    **{text.format(x=x): (formula, (x,)) for text, formula in OF_VALUES.items() for x in NUMBERS},
    **{
        text.format(x=x): (formula, (x,))
        for text, formula in OF_VALUES.items()
        for x in SORTABLE
        if text.startswith(("percentile_disc", "mode", "count"))
    },
    **{
        text.format(x="span"): (formula, ("span",))
        for text, formula in OF_VALUES.items()
        if text.startswith(("sum", "avg", "percentile_cont"))
    },
    "sum(cost)": (total, ("cost",)),
    **{text.format(y="y", x=x): (formula, ("y", x)) for text, formula in OF_PAIRS.items() for x in ("i", "num", "f")},
    "count(*)": (count, ()),
    "count(1)": (count, ()),
    "sum(1)": (total, ("one",)),
    "avg(1)": (mean, ("one",)),
    "var_pop(1)": (spread(sample=False), ("one",)),
    "mode() WITHIN GROUP (ORDER BY 1.0)": (mode(), ("one",)),
    "count(ROW (i, f))": (count, ()),
    "sum(i ORDER BY f)": (total, ("i",)),
}
OVER_PERSONS: Final[Mapping[str, tuple[Formula, tuple[str, ...]]]] = {
    **{text.format(x=x): (formula, (x,)) for text, formula in OF_VALUES.items() for x in ("p_i", "p_f")},
    **{
        text.format(x=x): (formula, (x,))
        for text, formula in OF_VALUES.items()
        for x in ("p_name", "p_yes")
        if text.startswith(("percentile_disc", "mode", "count"))
    },
    "sum(p_span)": (total, ("p_span",)),
    "avg(p_span)": (mean, ("p_span",)),
    **{text.format(y="p_y", x="p_f"): (formula, ("p_y", "p_f")) for text, formula in OF_PAIRS.items()},
    "count(*)": (count, ()),
    "sum(1)": (total, ("one",)),
}


def expected(
    formula: Formula, columns: tuple[str, ...], *, weight: str = "w", rows: Sequence[Row] = ROWS, only: str = ""
) -> dict[str, Any]:
    """By group and for all, as `Asking.groups` gives them."""
    groups: dict[str, list[tuple[Any, ...]]] = {"all": []}
    for row in rows:
        base = groups.setdefault(str(row["grp"]), [])
        if row[weight] is not None and (not only or row[only]):
            for where in (base, groups["all"]):
                where.append((row[weight], *(row[column] for column in columns)))
    return {group: plain(formula(base)) for group, base in groups.items()}


def is_close(left: Any, right: Any) -> bool:
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_close, left, right))
    if isinstance(left, int | float | Fraction) and not isinstance(left, bool) and right is not None:
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)
    return bool(left == right)


def differences(wanted: Mapping[Any, Any], got: Mapping[Any, Any], tolerance: float = 0) -> dict[Any, Any]:
    return {
        key: (wanted.get(key), got.get(key))
        for key in wanted.keys() | got.keys()
        if not is_close(wanted.get(key), got.get(key)) and not (tolerance and abs(wanted[key] - got[key]) <= tolerance)
    }


def rounding(expression: str) -> float:
    """Money is rounded to cents in each row, an interval to microseconds."""
    return 0.005 * len(ROWS) if "cost" in expression else 1e-6 * len(ROWS) if "span" in expression else 0


@pytest.mark.parametrize("expression", CASES)
def test_estimates_are_those_of_the_formulas(ask: Asking, expression: str) -> None:
    formula, columns = CASES[expression]

    got = ask.groups(expression, in_place)

    assert not differences(expected(formula, columns), got, rounding(expression))


@pytest.mark.parametrize("expression", CASES)
def test_filter_holds_for_every_part(ask: Asking, expression: str) -> None:
    formula, columns = CASES[expression]

    got = ask.groups(f"{expression} FILTER (WHERE flag)", in_place)

    assert not differences(expected(formula, columns, only="flag"), got, rounding(expression))


@pytest.mark.parametrize("expression", [*CASES])
def test_no_rows_give_what_postgresql_gives(ask: Asking, expression: str) -> None:
    sql = f"SELECT {expression} FROM sampled WHERE false"

    theirs, ours = ask.weighted(sql, as_it_is), ask.weighted(sql, in_place)

    none = [None] * len(ours[0][0]) if isinstance(ours[0][0], list) else None
    assert ours == (theirs if theirs[0][0] is not None else [(none,)])


@pytest.mark.parametrize("expression", [text for text in CASES if not text.startswith("percentile_cont")])
def test_weights_of_one_give_postgresqls_own_result(ask: Asking, expression: str) -> None:
    theirs = ask.groups(expression, as_it_is)
    ours = ask.groups(expression, lambda call: estimate(call, column_node("one")))

    if "far" in expression and "pop" in expression:  # PostgreSQL's own loses digits
        assert theirs.keys() == ours.keys()
        return
    empty = [None] * 9
    mended = {key: empty[: len(ours[key])] if value is None and ours[key] else value for key, value in theirs.items()}
    assert not differences(mended, ours)


SCALED: Final = ("count", "sum", "regr_count", "regr_sxx", "regr_sxy", "regr_syy")


@pytest.mark.parametrize("expression", [text for text in CASES if "cost" not in text and "span" not in text])
def test_weights_times_1000_change_totals_only(ask: Asking, expression: str) -> None:
    thousand = expression_of("SELECT w OPERATOR(pg_catalog.*) 1000::float8")
    thousand.a_expr.rexpr.type_cast.type_name.names.insert(0, pg.Node(string=pg.String(sval="pg_catalog")))
    factor = 1000 if expression.split("(")[0] in SCALED else None

    once = ask.groups(expression, in_place)
    more = ask.groups(expression, lambda call: estimate(call, thousand))

    wanted = {key: value * factor if factor and value is not None else value for key, value in once.items()}
    assert not differences(wanted, more)


# Persons


def each_person_once(only: str = "") -> list[Row]:
    """One row for each person of a group, and for each of all groups in group 'all'."""
    found: dict[tuple[Any, Any], Row] = {}
    for row in ROWS:
        for group in (row["grp"], "total"):
            if row["person"] is not None and (not only or row[only]):
                found.setdefault((group, row["person"]), {**row, "grp": group})
    return list(found.values())


def expected_of_persons(expression: str, only: str = "") -> dict[str, Any]:
    formula, columns = OVER_PERSONS[expression]
    groups = expected(formula, columns, weight="p_weight", rows=each_person_once(only))
    everyone = {str(row["grp"]): plain(formula([])) for row in ROWS}
    groups["all"] = groups.pop("total")
    return everyone | groups


@pytest.mark.parametrize("only", ["", "flag"])
@pytest.mark.parametrize("expression", OVER_PERSONS)
def test_each_person_counts_once(ask: Asking, expression: str, only: str) -> None:
    where = " FILTER (WHERE flag)" if only else ""

    got = ask.groups(expression + where, per_person)

    assert not differences(expected_of_persons(expression, only), got, rounding(expression))


def test_a_person_has_a_key_of_several_columns(ask: Asking) -> None:
    key = (PERSON, column_node("grp"))

    got = ask.weighted("SELECT count(*) FROM sampled", lambda call: estimate(call, PERSON_WEIGHT, person=key))

    pairs = {(row["person"], row["grp"]): row["p_weight"] for row in ROWS if row["person"] is not None}
    assert is_close(got[0][0], math.fsum(weight for weight in pairs.values() if weight is not None))


def reach_of(*columns: str, only: str = "") -> dict[str, Any]:
    groups: dict[str, dict[tuple[Any, ...], float]] = {"all": {}}
    for row in ROWS:
        group = groups.setdefault(str(row["grp"]), {})
        value = tuple(row[column] for column in columns)
        is_counted = len(columns) > 1 or value != (None,)
        if is_counted and row["p_weight"] is not None and (not only or row[only]):
            group[value] = groups["all"][value] = row["p_weight"]
    return {group: math.fsum(weights.values()) for group, weights in groups.items()}


@pytest.mark.parametrize("only", ["", "flag"])
@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("count(DISTINCT person)", ("person",)),
        ("count(DISTINCT (person, site))", ("person", "site")),
        ("count(DISTINCT ROW (person, site, name))", ("person", "site", "name")),
        ("count(DISTINCT (person, 1))", ("person", "one")),
    ],
)
def test_reach_adds_each_persons_weight_once(ask: Asking, expression: str, columns: tuple[str, ...], only: str) -> None:
    where = " FILTER (WHERE flag)" if only else ""

    got = ask.groups(expression + where, lambda call: reach(call, PERSON_WEIGHT))

    assert not differences(reach_of(*columns, only=only), got)


def test_distinct_units_of_a_table_of_units_are_its_rows(ask: Asking) -> None:
    sql = "SELECT count(DISTINCT site) FILTER (WHERE flag OR yes) FROM sampled"

    got = ask.weighted(sql, lambda call: count_units(call, W))

    kept = [row for row in ROWS if row["site"] is not None and (row["flag"] or row["yes"]) and row["w"] is not None]
    assert is_close(got[0][0], math.fsum(row["w"] for row in kept))


# One person's rows first


def rolled_up(ask: Asking, parts: Split | None) -> dict[Any, Any]:
    """grp -> value, through one row for each group and person."""
    assert parts is not None
    aliases = [f"v{number}" for number in range(len(parts.inner))]
    outer = parts.outer(tuple(map(column_node, aliases)), column_node("pw"))
    tree = parse_tree(
        f"SELECT grp, x FROM (SELECT grp, person, max(p_weight) AS pw, {', '.join(f'1 AS {name}' for name in aliases)}"
        " FROM public.sampled GROUP BY grp, person) AS p GROUP BY grp"
    )
    select = tree.stmts[0].stmt.select_stmt
    select.target_list[1].res_target.val.CopyFrom(outer)
    inner = select.from_clause[0].range_subselect.subquery.select_stmt
    for target, value in zip(inner.target_list[3:], parts.inner, strict=True):
        target.res_target.val.CopyFrom(value)
    return dict(cast(list[tuple[Any, Any]], ask.rows(print_tree(tree))))


def call_of(expression: str) -> pg.FuncCall:
    return expression_of(f"SELECT {expression}").func_call


def of_groups(groups: Mapping[str, Any]) -> dict[int, Any]:
    return {int(group): value for group, value in groups.items() if group != "all"}


@pytest.mark.parametrize("where", ["", " FILTER (WHERE flag)"])
@pytest.mark.parametrize(
    "expression",
    [
        *("count(*)", "count(i)", "sum(i)", "sum(num)", "sum(span)", "sum(1)", "avg(i)", "avg(num)", "avg(f)"),
        *("avg(span)", "var_samp(i)", "stddev_pop(num)", "corr(i, f)", "regr_slope(f, i)", "regr_count(i, f)"),
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY f)",
        "percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY i DESC)",
    ],
)
def test_sums_over_persons_sums_are_sums_over_rows(ask: Asking, expression: str, where: str) -> None:
    expression += where

    got = rolled_up(ask, split(call_of(expression), once=False))

    wanted = ask.groups(expression, lambda call: estimate(call, PERSON_WEIGHT))
    assert not differences(of_groups(wanted), got, rounding(expression))


@pytest.mark.parametrize("where", ["", " FILTER (WHERE flag)"])
@pytest.mark.parametrize("expression", OVER_PERSONS)
def test_values_of_persons_roll_up(ask: Asking, expression: str, where: str) -> None:
    only = "flag" if where else ""

    got = rolled_up(ask, split(call_of(expression + where), once=True))

    assert not differences(of_groups(expected_of_persons(expression, only)), got, rounding(expression))


@pytest.mark.parametrize("where", ["", " FILTER (WHERE flag)"])
@pytest.mark.parametrize("expression", ["min(day)", "max(name)", "bool_or(yes)", "every(yes)", "bit_xor(i)"])
def test_what_is_never_weighted_rolls_up_as_it_is(ask: Asking, expression: str, where: str) -> None:
    expression += where

    got = rolled_up(ask, split(call_of(expression), once=False))

    assert not differences(of_groups(ask.groups(expression, as_it_is)), got)


@pytest.mark.parametrize("only", ["", "flag"])
def test_reach_rolls_up(ask: Asking, only: str) -> None:
    where = " FILTER (WHERE flag)" if only else ""

    one = rolled_up(ask, split_reach(call_of(f"count(DISTINCT person){where}")))
    pair = rolled_up(ask, split_pairs(call_of(f"count(DISTINCT (person, site)){where}"), (column_node("site"),)))

    assert not differences(of_groups(reach_of("person", only=only)), one)
    assert not differences(of_groups(reach_of("person", "site", only=only)), pair)


@pytest.mark.parametrize(
    "expression",
    [
        "percentile_disc(0.5) WITHIN GROUP (ORDER BY i)",
        "array_agg(i)",
        "string_agg(name, ',')",
        "count(DISTINCT site)",
        "sum(DISTINCT i)",
        "sum(i) OVER ()",
    ],
)
def test_what_has_no_halves_is_not_split(expression: str) -> None:
    assert split(call_of(expression), once=False) is None


def test_pairs_of_more_are_not_split() -> None:
    call = call_of("count(DISTINCT (person, site, name))")
    assert split_pairs(call, (column_node("site"), column_node("name"))) is None


# Where aggregates stand


@pytest.mark.parametrize("make", [in_place, per_person])
def test_estimates_stand_wherever_aggregates_do(ask: Asking, make: Estimate) -> None:
    median = "percentile_cont(0.5) WITHIN GROUP (ORDER BY p_f)"
    values = ask.groups(median, make)

    rows = ask.weighted(
        f"SELECT grp, {median} AS m, rank() OVER (ORDER BY {median} DESC NULLS LAST) AS r,"
        f" sum(stddev_pop(p_f)) OVER (ORDER BY grp), round({median}, 2), abs(-{median}) FROM sampled"
        f" GROUP BY grp HAVING {median} > 0 AND count(*) > 0 ORDER BY {median} DESC, grp LIMIT 100",
        make,
    )

    positive = {int(group): value for group, value in values.items() if group != "all" and value and value > 0}
    assert {row[0]: row[1] for row in rows} == positive
    assert [row[1] for row in rows] == sorted(positive.values(), reverse=True)
    assert all(row[4] == pytest.approx(row[1], abs=0.00501) and row[5] == row[1] for row in rows)


def test_estimates_may_stand_in_a_correlated_subselect_and_refer_to_groups(ask: Asking) -> None:
    rows = ask.weighted(
        "SELECT g.grp, (SELECT avg(s.f) FROM sampled s WHERE s.grp = g.grp),"
        " (SELECT var_pop(s.f) FROM sampled s WHERE s.grp = g.grp)"
        " FROM (SELECT grp, count(*) FROM sampled GROUP BY grp) g GROUP BY g.grp",
        in_place,
    )

    assert not differences(of_groups(expected(mean, ("f",))), {row[0]: row[1] for row in rows})
    assert not differences(of_groups(expected(spread(sample=False), ("f",))), {row[0]: row[2] for row in rows})


def test_a_fraction_may_depend_on_the_group(ask: Asking) -> None:
    fraction = "CASE WHEN grp < 10 THEN 0.25 WHEN grp < 20 THEN 0.75 WHEN grp < 25 THEN NULL ELSE -1 END"
    quarter, most = expected(quantile(0.25), ("f",)), expected(quantile(0.75), ("f",))

    got = ask.weighted(
        f"SELECT grp, percentile_disc({fraction}) WITHIN GROUP (ORDER BY f) FROM sampled GROUP BY grp", in_place
    )

    wanted = {
        group: quarter[str(group)] if group < 10 else most[str(group)] if group < 20 else None for group, _ in got
    }
    assert not differences(wanted, dict(cast(list[tuple[Any, Any]], got)))


def test_values_keep_their_types(ask: Asking) -> None:
    rows = ask.weighted(
        "SELECT pg_typeof(percentile_disc(0.5) WITHIN GROUP (ORDER BY i)),"
        " pg_typeof(percentile_cont(0.5) WITHIN GROUP (ORDER BY i)),"
        " pg_typeof(percentile_cont(0.5) WITHIN GROUP (ORDER BY span)), pg_typeof(avg(span)), pg_typeof(sum(cost)),"
        " pg_typeof(percentile_disc(ARRAY[0.1, 0.5]) WITHIN GROUP (ORDER BY day)), pg_typeof(sum(big)) FROM sampled",
        in_place,
    )

    kept = ("integer", "double precision", "interval", "interval", "money", "date[]", "double precision")
    assert rows == [kept]


def test_percentile_cont_keeps_months_of_an_interval(ask: Asking) -> None:
    sql = "SELECT (percentile_cont(0.5) WITHIN GROUP (ORDER BY span * 0 + INTERVAL '1 month'))::text FROM sampled"
    assert ask.weighted(sql, in_place) == [("1 mon",)]


def test_a_collation_is_kept(ask: Asking) -> None:
    sql = """SELECT percentile_disc(0) WITHIN GROUP (ORDER BY (CASE WHEN name = 'a' THEN 'a' ELSE 'B' END) COLLATE "C"),
        mode() WITHIN GROUP (ORDER BY name COLLATE "C") IS NOT NULL FROM sampled"""
    assert ask.weighted(sql, in_place) == [("B", True)]


@pytest.mark.parametrize(
    "condition",
    [
        "flag OR yes",
        "flag AND yes",
        "NOT flag",
        "flag IS NULL",
        "flag IS TRUE",
        "i IS DISTINCT FROM 1",
        "i = 1",
        "i BETWEEN 1 AND 2",
        "i IN (1, 2)",
        "name LIKE 'a%'",
        "i + 1",
        "CASE WHEN flag THEN 1 END",
        "(SELECT f)",
        "i::text",
        "i = ANY (ARRAY[1, 2])",
        "EXISTS (SELECT 1)",
        'name COLLATE "C"',
        "NULLIF(i, 1)",
    ],
)
@pytest.mark.parametrize("where", ["", " FILTER (WHERE flag OR i = 1)", " FILTER (WHERE i > 0 AND flag AND NOT yes)"])
def test_conditions_are_printed_with_their_brackets(ask: Asking, condition: str, where: str) -> None:
    def with_weights_of_one(call: pg.FuncCall) -> pg.Node:
        return estimate(call, column_node("one"))

    counting = f"SELECT count({condition}){where} FROM sampled"

    theirs, ours = ask.weighted(counting, as_it_is), ask.weighted(counting, with_weights_of_one)

    assert theirs == ours


def test_nodes_that_are_given_stay_as_they_are() -> None:
    call, weight = call_of("avg(i + 1) FILTER (WHERE flag)"), column_node("w")
    before = call.SerializeToString(deterministic=True), weight.SerializeToString(deterministic=True)

    estimate(call, weight)
    estimate(call, weight, person=(PERSON,))
    parts = split(call, once=True)
    assert parts is not None
    parts.outer((column_node("v"),), weight)

    assert before == (call.SerializeToString(deterministic=True), weight.SerializeToString(deterministic=True))


# Windows


@pytest.mark.parametrize("over", ["", "PARTITION BY grp", "PARTITION BY grp ORDER BY i", "ORDER BY day, i, y, f, num"])
@pytest.mark.parametrize("expression", ["count(*)", "count(f)", "sum(f)", "avg(f)", "avg(f) FILTER (WHERE flag)"])
def test_windows_are_weighted(ask: Asking, expression: str, over: str) -> None:
    formula = {"count": count, "sum": total, "avg": mean}[expression.split("(")[0]]
    columns = () if "*" in expression else ("f",)
    only = "flag" if "flag" in expression else ""
    order = tuple(part.strip() for part in over.split("ORDER BY ")[1].split(",")) if "ORDER" in over else ()

    got = ask.rows(windowed(f"SELECT {expression} OVER ({over}) FROM sampled"))

    wanted = [
        plain(formula([(other["w"], *(other[column] for column in columns)) for other in frame]))
        for row in ROWS
        for frame in [
            [
                other
                for other in ROWS
                if (not only or other[only])
                and other["w"] is not None
                and ("PARTITION" not in over or other["grp"] == row["grp"])
                and sort_key(other, order) <= sort_key(row, order)
            ]
        ]
    ]
    assert sorted(map(spelled, wanted)) == pytest.approx(sorted(spelled(value) for (value,) in got), rel=1e-9, abs=1e-9)


def sort_key(row: Row, columns: tuple[str, ...]) -> tuple[tuple[bool, Any], ...]:
    return tuple((row[column] is None, 0 if row[column] is None else row[column]) for column in columns)


def spelled(value: Any) -> float:
    return -1e9 if value is None else float(value)


def windowed(sql: str) -> str:
    tree = parse_tree(sql.replace("FROM sampled", "FROM public.sampled"))
    for parent in walk(tree.stmts[0].stmt):
        for child in children(parent):
            if isinstance(child, pg.Node) and child.func_call.HasField("over"):
                windows = tree.stmts[0].stmt.select_stmt.window_clause
                child.CopyFrom(estimate_window(child.func_call, W, windows=windows))
    return print_tree(tree)


def test_a_named_window_is_kept(ask: Asking) -> None:
    sql = "SELECT DISTINCT grp, avg(f) OVER (v ORDER BY grp), sum(f) OVER v FROM sampled WINDOW v AS (PARTITION BY grp)"

    rows = ask.rows(windowed(sql))

    assert not differences(of_groups(expected(mean, ("f",))), {row[0]: row[1] for row in rows})
    assert not differences(of_groups(expected(total, ("f",))), {row[0]: row[2] for row in rows})


@pytest.mark.parametrize(
    ("expression", "windows"),
    [
        ("sum(i) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)", ""),
        ("sum(i) OVER (ORDER BY day GROUPS 3 PRECEDING)", ""),
        ("sum(i) OVER (ORDER BY day RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)", ""),
        ("sum(i) OVER v", "WINDOW v AS (ORDER BY day ROWS 6 PRECEDING)"),
        ("sum(i) OVER v", ""),
        ("stddev(i) OVER ()", ""),
        ("count(DISTINCT i) OVER ()", ""),
        ("first_value(i) OVER ()", ""),
    ],
)
def test_windows_that_are_not_modelled_are_refused(expression: str, windows: str) -> None:
    with pytest.raises(Unsupported):
        windowed(f"SELECT {expression} FROM sampled {windows}")


def test_a_frame_of_the_whole_partition_is_no_cut(ask: Asking) -> None:
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    rows = ask.rows(windowed(f"SELECT DISTINCT sum(f) OVER (ORDER BY 1.0 {frame}) FROM sampled"))
    assert is_close(rows[0][0], expected(total, ("f",))["all"])


# Refusals


@pytest.mark.parametrize(
    "expression",
    [
        "sum(DISTINCT i)",
        "avg(DISTINCT i)",
        "count(DISTINCT i)",
        "var_samp(DISTINCT i)",
        "sum(i, f)",
        "count(sampled.*)",
        "count(VARIADIC ARRAY[i])",
        "percentile_disc(1.5) WITHIN GROUP (ORDER BY i)",
        "percentile_cont(-0.5) WITHIN GROUP (ORDER BY i)",
        "percentile_cont(ARRAY[0.5, 50]) WITHIN GROUP (ORDER BY i)",
        "percentile_cont(ARRAY[]::float8[]) WITHIN GROUP (ORDER BY i)",
        "percentile_cont('{0.5}'::float8[]) WITHIN GROUP (ORDER BY i)",
        "percentile_cont('{0.5}') WITHIN GROUP (ORDER BY i)",
        "percentile_disc(0.5) WITHIN GROUP (ORDER BY i USING >)",
        "percentile_disc(0.5) WITHIN GROUP (ORDER BY i, f)",
        "rank(3) WITHIN GROUP (ORDER BY i)",
        "array_agg(i)",
        "string_agg(name, ',')",
        "public.longest(name)",
        "public.sum(i)",
        "sum(i) OVER ()",
    ],
)
def test_what_is_not_modelled_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported) as refused:
        estimate(call_of(expression), W)

    assert refused.value.what
    assert refused.value.hint.endswith(".")


@pytest.mark.parametrize("expression", ["count(DISTINCT (person, (site, name)))", "count(DISTINCT (person, e.*))"])
def test_reach_of_rows_within_rows_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        reach(call_of(expression), W)


# Numeric only


@pytest.mark.parametrize(
    "expression",
    [
        "round(avg(f), 1)",
        "trunc(avg(f), 1)",
        "round(sum(f) / count(*), 2)",
        "mod(count(*), 7)",
        "count(*) % 7",
        "div(count(*), 7)",
        "log(2, count(*))",
        "gcd(count(*), 12)",
        "lcm(count(*), 12)",
        "round(round(avg(f), 3), 1)",
        "scale(round(avg(f), 3))",
        "round(avg(f)::numeric, 1)",
        "round(count(*) * 100.0 / sum(count(*)) OVER (), 1)",
        "trim_scale(round(avg(f), 3))",
        "round(avg(f))",
    ],
)
def test_calls_that_take_numeric_get_numeric(ask: Asking, expression: str) -> None:
    sql = f"SELECT {expression.replace('f)', 'num)')} FROM sampled"

    theirs = ask.weighted(sql, as_it_is)
    ours = ask.weighted(sql, lambda call: estimate(call, column_node("one")))

    assert theirs == ours
