"""From the results of statements to the answer: a number, its base and error in each cell. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from config.errors import InvalidRequest
from datasets.design import Unit
from querying.analysis.compose import (
    BASE,
    BASE_BEFORE,
    BEFORE,
    DIFFERENCE,
    EVERYBODY,
    EVERYBODY_BEFORE,
    REACHED,
    REACHED_BEFORE,
    VALUE,
    Output,
    Scene,
    Statement,
    in_one_statement,
    sorted_later,
)
from querying.analysis.question import PERCENT
from querying.analysis.reading import Measure, is_of_everyone
from querying.evidence import FLAGS, Z_95, Base
from querying.results import Cell as Text
from querying.results import QueryResult, Value
from querying.sql.plan import QueryPlan

LEAST_EFFECTIVE: Final = 30  # below which no interval of a share is given
NORMAL_95: Final = 1.959963984540054
STUDENT_95: Final = (math.inf, 12.706205, 4.302653, 3.182446, 2.776445)
LETTERS: Final = "ABCDEFGHIJ"
Key = tuple[Text, ...]
Found = tuple[Value, Base | None]


@dataclass(frozen=True)
class Ran:
    """A statement, how it was sent, and what came back."""

    statement: Statement
    plan: QueryPlan
    result: QueryResult

    def cells(self) -> dict[Key, dict[Output, Found]]:
        width = len(self.statement.places)
        found = {}
        for number, (texts, values) in enumerate(zip(self.result.cells, self.result.rows, strict=True)):
            bases = self.result.bases[number] if self.result.bases else (None,) * len(values)
            pairs = zip(values[width:], bases[width:], strict=True)
            found[texts[:width]] = dict(zip(self.statement.outputs, pairs, strict=True))
        return found


@dataclass(frozen=True, slots=True)
class Number:
    """One cell. `significant` is None where nothing was tested; `letters` are groups than which it is higher. Of a
    `withheld` one nothing is known, since too few persons stand behind it or beside it."""

    value: float | None
    n: int | None = None
    weighted: float | None = None
    effective: float | None = None
    design_effect: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None
    flag: str = ""
    significant: bool | None = None
    letters: str = ""
    withheld: bool = False


HIDDEN: Final = Number(None, flag=FLAGS[0], withheld=True)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of numbers: a metric, on one side of a comparison or their difference."""

    label: str
    kind: str
    part: str = VALUE
    measure: int = 0

    @property
    def is_percent(self) -> bool:
        return self.kind in PERCENT


@dataclass(frozen=True, slots=True)
class Row:
    """`groups` as PostgreSQL prints them; of a total without the last."""

    groups: Key
    numbers: tuple[Number, ...]

    @property
    def is_withheld(self) -> bool:
        return any(number.withheld for number in self.numbers)

    def withheld(self) -> Row:
        return Row(self.groups, (HIDDEN,) * len(self.numbers))

    @property
    def weakest(self) -> Number | None:
        known = [one for one in self.numbers if one.n is not None]
        return min(known, key=lambda one: (FLAGS.index(one.flag), one.n or 0), default=None)


@dataclass(frozen=True)
class Grid:
    """Rows of a scene. `is_cut` where there were more than the limit of rows. Of `untested` metrics no two groups could
    be compared. `errors_by` says what the standard errors are by, "" where there are none."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    is_cut: bool = False
    untested: tuple[str, ...] = ()
    errors_by: str = ""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────
def build_grid(scene: Scene, ran: Sequence[Ran], *, other_label: str = "") -> Grid:
    """Raises `InvalidRequest` where a part of some rows was cut off."""
    parts = [(one, one.cells()) for one in ran]
    keys, is_cut = keys_of(scene, parts)
    headings = headings_of(scene, other_label)
    rows = []
    for key in keys:
        found = found_of(key, parts, len(scene.groups))
        rows.append(Row(key, tuple(number_of(scene, heading, found, ran) for heading in headings)))
    rows = sorted_rows(scene, headings, rows) if sorted_later(scene) else rows
    rows = withheld_last(row.withheld() if row.is_withheld else row for row in rows)
    has_errors = any(number.se is not None for row in rows for number in row.numbers)
    return Grid(headings, tuple(rows), is_cut, errors_by=errors_by(ran) if has_errors else "")


def withheld_last(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.is_withheld)


def errors_by(ran: Iterable[Ran]) -> str:
    clustered = any(one.plan.evidence is not None and one.plan.evidence.clustered for one in ran)
    return "strata and PSUs" if clustered else "weights only"


def without_tellers(total: Grid, grid: Grid, limit: int | None) -> Grid:
    """Totals withheld where a row below them is, or may be, which they would tell together with the others."""
    may_miss = grid.is_cut or (limit is not None and len(grid.rows) >= limit)
    hidden = {row.groups[:-1] for row in grid.rows if row.is_withheld}
    rows = [row.withheld() if may_miss or row.groups in hidden else row for row in total.rows]
    return replace(total, rows=tuple(withheld_last(rows)))


def keys_of(scene: Scene, parts: Sequence[tuple[Ran, Mapping[Key, object]]]) -> tuple[list[Key], bool]:
    """In the order of the statement that orders; groups that only others know come after, unless rows are limited."""
    whole = [(ran, cells) for ran, cells in parts if len(ran.statement.places) == len(scene.groups)]
    first = next((place for place, (ran, _) in enumerate(whole) if ran.statement.orders), 0)
    ordering, cells = whole[first]
    keys = dict.fromkeys(cells)
    is_cut = ordering.result.truncated
    others = [other for place, other in enumerate(whole) if place != first]
    if any(ran.result.truncated and not keys.keys() <= found.keys() for ran, found in others):
        raise InvalidRequest("There are too many groups to answer as a whole.", hint="Group more coarsely, or filter.")
    if not is_cut and (scene.limit is None or sorted_later(scene)):
        for _, found in others:
            keys.update(dict.fromkeys(found))
    return list(keys), is_cut


def headings_of(scene: Scene, other_label: str) -> tuple[Heading, ...]:
    found = []
    for number, measure in enumerate(scene.asked.measures):
        found.append(Heading(measure.label, measure.kind, VALUE, number))
        if scene.other is not None:
            found.append(Heading(f"{measure.label} ({other_label})", measure.kind, BEFORE, number))
            found.append(Heading(f"{measure.label} difference", measure.kind, DIFFERENCE, number))
    return tuple(found)


def found_of(
    key: Key, parts: Sequence[tuple[Ran, Mapping[Key, Mapping[Output, Found]]]], width: int
) -> dict[tuple[int, str], Found]:
    """What all statements say of this group."""
    found: dict[tuple[int, str], Found] = {}
    for ran, cells in parts:
        places = ran.statement.places
        own = cells.get(key if len(places) == width else tuple(key[place] for place in places), {})
        found.update({(output.measure, output.part): value for output, value in own.items()})
    return found


def sorted_rows(scene: Scene, headings: Sequence[Heading], rows: Sequence[Row]) -> list[Row]:
    """By a number that no statement held as a whole; what is not known comes last."""
    sort = scene.asked.question.sort
    assert sort is not None
    place = next(place for place, one in enumerate(headings) if one.label == sort.metric and one.part == VALUE)
    known = [row for row in rows if row.numbers[place].value is not None]
    unknown = [row for row in rows if row.numbers[place].value is None]
    known.sort(key=lambda row: row.numbers[place].value or 0.0, reverse=sort.descending)
    return [*known, *unknown][: scene.limit]


# ── one number ───────────────────────────────────────────────────────────────────────────────────────────────
def number_of(scene: Scene, heading: Heading, found: Mapping[tuple[int, str], Found], ran: Sequence[Ran]) -> Number:
    measure = scene.asked.measures[heading.measure]
    if heading.part == DIFFERENCE:
        return difference_of(scene, heading, found, ran)
    before = heading.part == BEFORE
    if is_of_everyone(measure) and not in_one_statement(scene):
        return fraction_of(scene, measure, heading.measure, found, ran, before=before)
    value, base = found.get((heading.measure, heading.part), (None, None))
    counted = found.get((heading.measure, BASE_BEFORE if before else BASE))
    if is_withheld(base) or (counted is not None and is_withheld(counted[1])):
        return HIDDEN
    number = described(as_float(value), base if base is not None or counted is None else counted[1])
    if number.n is None and counted is not None:
        number = replace(number, n=whole(counted[0]))
    if base is None:
        number = replace(number, se=None, low=None, high=None)
    return with_logit(number, degrees_of_freedom(scene)) if heading.is_percent else number


def is_withheld(base: Base | None) -> bool:
    return base is not None and base.withheld


def as_float(value: Value) -> float | None:
    if value is None or isinstance(value, str):
        return None
    return float(value)


def whole(value: Value) -> int | None:
    number = as_float(value)
    return None if number is None else round(number)


def described(value: float | None, base: Base | None) -> Number:
    if base is None:
        return Number(value)
    return Number(
        value,
        base.n,
        base.weighted,
        base.effective,
        base.design_effect,
        base.se if value is not None else None,
        base.low if value is not None else None,
        base.high if value is not None else None,
        base.flag,
    )


def degrees_of_freedom(scene: Scene) -> int:
    """PSUs less strata, where both are known; otherwise 0, for so many that the normal distribution will do."""
    psus = scene.asked.fields.unit.psus
    return sum(psus.values()) - len(psus)


def with_logit(number: Number, freedom: int) -> Number:
    """The interval of a share on the scale of log odds, so that it stays between 0 and 1."""
    low, high = logit_interval(number.value, number.se, number.effective, freedom)
    return replace(number, low=low, high=high)


def logit_interval(
    share: float | None, error: float | None, effective: float | None, freedom: int
) -> tuple[float, float] | tuple[None, None]:
    """R: svyciprop(method = "xlogit")."""
    if share is None or error is None or not 0 < share < 1 or (effective or 0) < LEAST_EFFECTIVE:
        return None, None
    odds, width = math.log(share / (1 - share)), student_95(freedom) * error / (share * (1 - share))
    return expit(odds - width), expit(odds + width)


def student_95(freedom: int) -> float:
    """The 0.975-quantile of Student's t, to 3 in 10,000 (Abramowitz and Stegun 26.7.5); 1.96 without `freedom`."""
    if freedom < 1:
        return Z_95
    if freedom < len(STUDENT_95):
        return STUDENT_95[freedom]
    z = NORMAL_95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, start=1))


def expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def fraction_of(
    scene: Scene,
    measure: Measure,
    place: int,
    found: Mapping[tuple[int, str], Found],
    ran: Sequence[Ran],
    *,
    before: bool,
) -> Number:
    """What was reached over everybody, from two statements."""
    upper, upper_base = found.get((place, REACHED_BEFORE if before else REACHED), (None, None))
    lower, lower_base = found.get((place, EVERYBODY_BEFORE if before else EVERYBODY), (None, None))
    if is_withheld(upper_base) or is_withheld(lower_base):
        return HIDDEN
    above, below = as_float(upper), as_float(lower)
    value = above / below if above is not None and below else None
    number = replace(described(value, lower_base), se=None, low=None, high=None)
    if upper_base is not None and upper is None:
        number = replace(number, flag=upper_base.flag)
    if number.n is None and scene.asked.question.weighting == "off":
        number = replace(number, n=whole(lower))
    if measure.kind != "penetration" or value is None or upper_base is None or lower_base is None:
        return number
    error = error_of_fraction(value, upper_base, lower_base, persons_of(ran, scene.asked.fields.unit))
    return with_logit(replace(number, se=error), 0)


def persons_of(ran: Iterable[Ran], unit: Unit) -> int:
    """With a valid weight; 0 where errors are not those of weights alone."""
    if unit.stratum or unit.psu or unit.period_weights is not None:
        return 0
    return next((one.plan.evidence.persons for one in ran if one.plan.evidence is not None), 0)


def error_of_fraction(share: float, upper: Base, lower: Base, persons: int) -> float | None:
    """Of R/W with R within W, by linearisation: N/(N-1) (S_RR (1-2p) + p^2 S_WW) / W^2, S sums of squared weights."""
    if persons < 2 or not upper.effective or not lower.effective or not lower.weighted:
        return None
    of_upper, of_lower = upper.weighted**2 / upper.effective, lower.weighted**2 / lower.effective
    square = of_upper * (1 - 2 * share) + share * share * of_lower
    return math.sqrt(max(0.0, persons / (persons - 1) * square)) / lower.weighted


# ── differences ──────────────────────────────────────────────────────────────────────────────────────────────
def difference_of(scene: Scene, heading: Heading, found: Mapping[tuple[int, str], Found], ran: Sequence[Ran]) -> Number:
    """Of the two sides as they are shown; tested where both have the base for it and the error is known."""
    one = number_of(scene, replace(heading, part=VALUE), found, ran)
    other = number_of(scene, replace(heading, part=BEFORE), found, ran)
    if one.withheld or other.withheld:
        return HIDDEN
    if one.value is None or other.value is None:
        return Number(None)
    value = one.value - other.value
    _, base = found.get((heading.measure, DIFFERENCE), (None, None))
    error = base.se if base is not None else None
    least = least_base(scene)
    enough = all((side.effective or 0) >= least for side in (one, other))
    significant = abs(value) > Z_95 * error if error and enough else None
    smaller = min((side.n for side in (one, other) if side.n is not None), default=None)
    flag = min((side.flag for side in (one, other)), key=FLAGS.index)
    bounds = (None, None) if error is None else (value - Z_95 * error, value + Z_95 * error)
    return Number(value, n=smaller, se=error, low=bounds[0], high=bounds[1], flag=flag, significant=significant)


def least_base(scene: Scene) -> int:
    design = scene.asked.fields.dataset.survey_design
    return design.low_base.minimum if design is not None else LEAST_EFFECTIVE


# ── letters ──────────────────────────────────────────────────────────────────────────────────────────────────
def last_values(grid: Grid) -> tuple[Text, ...]:
    return tuple(dict.fromkeys(row.groups[-1] for row in grid.rows))


def with_letters(scene: Scene, grid: Grid, values: Sequence[Text], ran: Iterable[Ran]) -> Grid:
    """Each cell with the letters of the groups than which it is significantly higher."""
    errors: dict[tuple[Key, int, int, int], float] = {}
    for one in ran:
        for key, cells in one.cells().items():
            for output, (_, base) in cells.items():
                if base is not None and base.se is not None:
                    i, j = output.pair
                    errors[key, output.measure, i - 1, j - 1] = base.se
    by_groups = {row.groups: row for row in grid.rows}
    least = least_base(scene)

    def letters(row: Row, place: int) -> str:
        own, found = values.index(row.groups[-1]), ""
        for number, value in enumerate(values):
            other = by_groups.get((*row.groups[:-1], value))
            error = errors.get((row.groups[:-1], grid.headings[place].measure, min(own, number), max(own, number)))
            if (
                other is not None
                and error is not None
                and is_higher(row.numbers[place], other.numbers[place], error, least)
            ):
                found += LETTERS[number]
        return found

    rows = tuple(
        replace(
            row,
            numbers=tuple(replace(one, letters=letters(row, place)) for place, one in enumerate(row.numbers)),
        )
        for row in grid.rows
    )
    tested = {measure for _, measure, _, _ in errors}
    untested = tuple(one.label for one in grid.headings if one.measure not in tested)
    return replace(grid, rows=rows, untested=untested if len(values) > 1 else ())


def is_higher(one: Number, other: Number, error: float, least: int) -> bool:
    if one.value is None or other.value is None or min(one.effective or 0, other.effective or 0) < least:
        return False
    return one.value - other.value > Z_95 * error
