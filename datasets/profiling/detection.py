"""What each column of a database is for, and what kind of dataset it makes: guesses with their reasons. Pure.

Nothing here is used until a person has agreed. Reasons quote no values of columns, only names and sums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from datasets.design import HOUSEHOLD, TableName
from datasets.design_fit import plain_type
from datasets.policies import MOMENTS, NUMBERS, TEXTS
from datasets.profiling.category_orders import natural_order
from datasets.profiling.facts import ColumnFacts, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.keys import FOREIGN, PRIMARY, Facts, InferredKey, facts_of, infer_keys, name_of, rows_of
from datasets.profiling.names import is_id_name, stems, stems_of, word_set, words_of
from datasets.profiling.weights import PSU, PSU_BESIDE, STRATUM, STRATUM_BESIDE, WeightReading, read_weights

WEIGHT: Final = "weight"
PERSON_KEY: Final = "person_key"
HOUSEHOLD_KEY: Final = "household_key"
STRATUM_ROLE: Final = "stratum"
PSU_ROLE: Final = "psu"
EVENT_DATE: Final = "event_date"
BIRTH_DATE: Final = "birth_date"
OTHER_DATE: Final = "date"
MEASURE: Final = "measure"
DIMENSION: Final = "dimension"
CATEGORY_ORDER: Final = "category_order"
FLAG: Final = "flag"
TEXT: Final = "text"
IDENTIFIER: Final = "identifier"
NONE: Final = "none"
ROLES: Final = (
    WEIGHT,
    PERSON_KEY,
    HOUSEHOLD_KEY,
    STRATUM_ROLE,
    PSU_ROLE,
    EVENT_DATE,
    BIRTH_DATE,
    OTHER_DATE,
    MEASURE,
    DIMENSION,
    CATEGORY_ORDER,
    FLAG,
    TEXT,
    IDENTIFIER,
    NONE,
)

PERSON_WORDS: Final = stems(
    "person user customer client patient respondent member panelist panellist subscriber student participant subject "
    "individual viewer visitor consumer shopper resp seqn voter citizen passenger guest borrower "
    "kunde benutzer befragte befragter teilnehmer proband mitglied nutzer utilisateur abonné abonne "
    "répondant repondant "
    "individu cliente usuario persona encuestado entrevistado paciente miembro respondente pessoa panelista utente "
    "klant gebruiker deelnemer användare anvandare kund svarande pengguna pelanggan responden osoba klient kullanici "
    "pid pidp hhidpn mergeid idno caseid persnr pnr xwaveid"
)
HOUSEHOLD_WORDS: Final = stems(
    "hh household haushalt foyer ménage menage hogar domicilio domicílio famille family hushåll"
)
EVENT_WORDS: Final = word_set(
    "event events date day time timestamp ts start started begin occurred viewed watched visited "
    "ordered order purchase purchased visit session "
    "played logged log served transaction rental payment booking datum dat zeit tag zeitpunkt "
    "fecha dia día hora data jour heure horodatage dato tid tanggal datetime interview at on when seen dt dttm tm "
    "txn sale sold calendar stamp posted placed sent clicked"
)
BIRTH: Final = re.compile(r"(^|_)(birth|born|dob|geburt|geb|naiss|naci|nasc|bday|birthday)")
BOOKKEEPING: Final = re.compile(
    r"(^|_)(creat|updat|modif|insert|load|delet|import|extract|ingest|changed|sync|etl|angelegt|"
    r"erstellt|geändert|geaendert|"
    r"aktualisiert|cree|créé|modifie|maj|actualiz|atualiz|criado|creado|last_)"
)
# of what came after, or of a person, a work, a contract: not of the event
LATER: Final = re.compile(
    r"(^|_)(end|ended|finish|return|returned|expir|due|valid|shipped|deliver|cancel|fin|ende|hasta|until|releas|publish|"
    r"hire|first|join|regist|signup|sign_up|enrol|install|launch|premier|air_?date|promis|schedul|plan|etl)"
)
PERIOD: Final = re.compile(
    r"(^|_)(month|week|period|quarter|year|wave|monat|woche|mois|semaine|mes|semana|periodo|période)"
)
BOOLEANS: Final = frozenset(
    {"0", "1", "t", "f", "true", "false", "y", "n", "yes", "no", "ja", "nein", "oui", "non", "si", "sí"}
)
MOST_CLASSES: Final = 60
LONG_TEXT: Final = 60
DESIGN_WORDS: Final = {STRATUM_ROLE: "stratum", PSU_ROLE: "primary sampling unit"}
LEAST_PERSONS: Final = 30
TEXTUAL: Final = TEXTS | {"citext"}
UNREAD: Final = frozenset({"json", "jsonb", "bytea", "xml", "tsvector"})


@dataclass(frozen=True, slots=True)
class ColumnRole:
    """What one column is for. `order` is its values in their natural order, of category orders only."""

    table: TableName
    column: str
    role: str
    confidence: float
    reasons: tuple[str, ...]
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    value: str
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PersonUnit:
    """The table of the persons and their key, which is empty where rows are persons and nothing names them.

    `carried_by` is every other table that speaks of them and the column that says of whom.
    """

    table: TableName
    key: tuple[str, ...]
    confidence: float
    reason: str
    carried_by: Mapping[TableName, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeriodTable:
    """A table of weights that hold for a period each: many rows a person."""

    table: TableName
    key: tuple[str, ...]
    period: str
    weight: str
    unit: TableName


@dataclass(frozen=True, slots=True)
class Detection:
    columns: tuple[ColumnRole, ...]
    keys: tuple[InferredKey, ...]
    weights: Mapping[TableName, Mapping[str, WeightReading]]
    persons: PersonUnit | None
    periods: tuple[PeriodTable, ...]
    dataset_type: Guess
    data_category: Guess

    def of_role(self, role: str, *, table: TableName | None = None) -> tuple[ColumnRole, ...]:
        """The surest first."""
        found = [each for each in self.columns if each.role == role and table in (None, each.table)]
        return tuple(sorted(found, key=lambda each: -each.confidence))


def detect(tables: Sequence[FoundTable], facts: Facts) -> Detection:
    """Roles of all columns; without facts names and keys decide, and fewer roles are found."""
    keys = infer_keys(tables, facts)
    weights = {name_of(table): found for table in tables if (found := _weights_of(table, keys, facts))}
    periods = tuple(_period_tables(tables, facts, keys, weights))
    persons = _find_persons(tables, facts, keys, weights, periods)
    held = frozenset((key.table, key.columns[0]) for key in keys if len(key.columns) == 1)
    reader = _Reader(tables, facts, keys, weights, periods, persons, held)
    columns = tuple(finding for table in tables for finding in reader.table(table))
    return Detection(
        columns=columns,
        keys=keys,
        weights=weights,
        persons=persons,
        periods=periods,
        dataset_type=_dataset_type(columns, tables, facts, persons),
        data_category=_data_category(columns, tables, facts, weights),
    )


def _weights_of(table: FoundTable, keys: Sequence[InferredKey], facts: Facts) -> dict[str, WeightReading]:
    """Without those that differ between rows of one person: what such a row weighs is not the person."""
    known = facts_of(table, facts)
    found = read_weights(table, known)
    if not found or any(_is_period(column, table) for column in table.columns):
        return found
    held = [known.columns.get(k.columns[0]) for k in keys if k.kind == FOREIGN and k.table == name_of(table)]
    persons = min((each.distinct for each in held if each and each.distinct is not None), default=None)
    if persons is None:
        return found
    return {name: reading for name, reading in found.items() if reading.sure or not _more(known, name, persons)}


def _more(known: TableFacts, column: str, persons: int) -> bool:
    distinct = known.columns[column].distinct if column in known.columns else None
    return distinct is not None and distinct > persons * 1.1


# ── persons ──────────────────────────────────────────────────────────────────────────────────────────────────
def _period_tables(
    tables: Sequence[FoundTable],
    facts: Facts,
    keys: Sequence[InferredKey],
    weights: Mapping[TableName, Mapping[str, WeightReading]],
) -> Iterator[PeriodTable]:
    for table in tables:
        found = weights.get(name_of(table))
        if not found:
            continue
        period = next((each for each in table.columns if _is_period(each, table)), None)
        held = [key for key in keys if key.kind == FOREIGN and key.table == name_of(table) and len(key.columns) == 1]
        held = [key for key in held if not _is_unique(table, key.columns[0], facts)]
        if period is not None and held:
            key = max(held, key=lambda each: (bool(stems_of(each.columns[0]) & PERSON_WORDS), each.confidence))
            best = max(found, key=lambda column: found[column].confidence)
            yield PeriodTable(name_of(table), key.columns, period.name, best, key.target)


def _is_period(column: FoundColumn, table: FoundTable) -> bool:
    if plain_type(column.data_type) not in MOMENTS:
        return False
    return bool(PERIOD.search(column.name.lower())) or (len(table.primary_key) > 1 and column.name in table.primary_key)


def _is_unique(table: FoundTable, column: str, facts: Facts) -> bool:
    if (column,) in (table.primary_key, *table.unique_keys):
        return True
    known = facts_of(table, facts)
    rows, found = rows_of(table, known), known.columns.get(column)
    return bool(rows and found and found.distinct is not None and found.distinct >= rows * 0.99)


def _find_persons(
    tables: Sequence[FoundTable],
    facts: Facts,
    keys: Sequence[InferredKey],
    weights: Mapping[TableName, Mapping[str, WeightReading]],
    periods: Sequence[PeriodTable],
) -> PersonUnit | None:
    by_period = {each.table for each in periods}
    of_persons = {
        name: max(
            (reading.confidence for reading in found.values() if reading.level != HOUSEHOLD),
            default=max(reading.confidence for reading in found.values()) - 0.3,
        )
        for name, found in weights.items()
        if name not in by_period
    }
    if of_persons:
        best = max(of_persons, key=lambda name: (of_persons[name], _told_of(name, keys)))
        return _unit(best, keys, of_persons[best], "It is the key of the table with the weight.")
    if periods:
        return _unit(periods[0].unit, keys, 0.9, "The weights by period refer to it.")
    named = [table for table in tables if stems_of(table.name) & PERSON_WORDS and table.kind != "view"]
    units = [_unit(name_of(table), keys, 0.6, "It is the key of a table named after persons.") for table in named]
    keyed = [unit for unit in units if unit.key]
    if keyed:
        return max(keyed, key=lambda unit: (len(unit.carried_by), unit.confidence, -len(unit.table[1])))
    return _by_key_name(tables, keys)


def _told_of(name: TableName, keys: Sequence[InferredKey]) -> int:
    return sum(key.kind == FOREIGN and key.target == name for key in keys)


def _by_key_name(tables: Sequence[FoundTable], keys: Sequence[InferredKey]) -> PersonUnit | None:
    for table in tables:
        unit = _unit(name_of(table), keys, 0.55, "It is a key named after persons.")
        if unit.key and stems_of(unit.key[0]) & PERSON_WORDS:
            return unit
    return None


def _unit(table: TableName, keys: Sequence[InferredKey], confidence: float, reason: str) -> PersonUnit:
    primary = next((key for key in keys if key.kind == PRIMARY and key.table == table), None)
    if primary is None or len(primary.columns) > 1:
        return PersonUnit(table, (), confidence, reason)
    carried: dict[TableName, tuple[str, ...]] = {}
    sure: dict[TableName, float] = {}
    own = {table: primary.columns}
    # a table of weights alone: the persons themselves stand in the table that its key refers to
    up = next(
        (key for key in keys if key.kind == FOREIGN and key.table == table and key.columns == primary.columns), None
    )
    if up is not None:
        own[up.target] = up.referenced
        carried[up.target] = up.referenced
    for key in keys:
        if key.kind != FOREIGN or key.table in own or own.get(key.target) != key.referenced:
            continue
        # of two references the one that is named as the key is
        rank = key.confidence + (key.columns == primary.columns)
        if rank > sure.get(key.table, 0):
            carried[key.table], sure[key.table] = key.columns, rank
    return PersonUnit(table, primary.columns, round(confidence * primary.confidence, 2), reason, carried)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Reader:
    tables: Sequence[FoundTable]
    facts: Facts
    keys: Sequence[InferredKey]
    weights: Mapping[TableName, Mapping[str, WeightReading]]
    periods: Sequence[PeriodTable]
    persons: PersonUnit | None
    held: frozenset[tuple[TableName, str]]  # columns that are a key, or refer to one

    def table(self, table: FoundTable) -> tuple[ColumnRole, ...]:
        known = facts_of(table, self.facts)
        event = self.event_date(table)
        findings = []
        for column in table.columns:
            found = known.columns.get(column.name, ColumnFacts())
            guess = self.special(table, column, known) or self.date(table, column, event)
            findings.append(guess or self.plain(table, column, found, rows_of(table, known)))
        return tuple(findings)

    def special(self, table: FoundTable, column: FoundColumn, known: TableFacts) -> ColumnRole | None:
        """Weights, keys and the sample's design."""
        name = name_of(table)
        weight = self.weights.get(name, {}).get(column.name)
        if weight is not None:
            return ColumnRole(name, column.name, WEIGHT, weight.confidence, weight.reasons)
        persons = self.persons
        if persons is not None and persons.key:
            if name == persons.table and (column.name,) == persons.key:
                return ColumnRole(name, column.name, PERSON_KEY, persons.confidence, (persons.reason,))
            if persons.carried_by.get(name) == (column.name,):
                reason = f"It refers to the persons of {persons.table[1]}."
                return ColumnRole(name, column.name, PERSON_KEY, round(persons.confidence * 0.95, 2), (reason,))
        design = self.design(table, column, known)
        return design or self.repeated_person(table, column, known) or self.household(table, column)

    def repeated_person(self, table: FoundTable, column: FoundColumn, known: TableFacts) -> ColumnRole | None:
        """The person of a row, where a table of weights has several rows a person."""
        persons, distinct = self.persons, known.columns.get(column.name, ColumnFacts()).distinct
        if persons is None or persons.key or name_of(table) != persons.table or distinct is None:
            return None
        if not stems_of(column.name) & PERSON_WORDS or distinct < LEAST_PERSONS:
            return None
        if plain_type(column.data_type) not in NUMBERS | TEXTUAL | {"uuid"}:
            return None
        reason = "It is named like the key of a person, who stands on several rows of the table with the weight."
        return ColumnRole(name_of(table), column.name, PERSON_KEY, 0.6, (reason,))

    def household(self, table: FoundTable, column: FoundColumn) -> ColumnRole | None:
        if not (is_id_name(column.name) and stems_of(column.name) & HOUSEHOLD_WORDS):
            return None
        if column.data_type in ("boolean", "double precision", "real") or plain_type(column.data_type) in MOMENTS:
            return None
        return ColumnRole(
            name_of(table), column.name, HOUSEHOLD_KEY, 0.8, ("It is named like the key of a household.",)
        )

    def design(self, table: FoundTable, column: FoundColumn, known: TableFacts) -> ColumnRole | None:
        if plain_type(column.data_type) not in NUMBERS | TEXTUAL:
            return None
        name, lowered = name_of(table), column.name.lower()
        beside = name in self.weights
        persons = self.persons is not None and name == self.persons.table
        rows, found = rows_of(table, known), known.columns.get(column.name, ColumnFacts())
        if rows and found.distinct is not None and found.distinct > rows / 2:
            return None
        for role, sure, other in ((STRATUM_ROLE, STRATUM, STRATUM_BESIDE), (PSU_ROLE, PSU, PSU_BESIDE)):
            if sure.match(lowered) and (beside or persons or lowered.startswith("sdmv")):
                reasons = (f"It is a name of a {DESIGN_WORDS[role]} of samples.", "Its values are few for its rows.")
                return ColumnRole(
                    name, column.name, role, 0.9 if beside else 0.65, reasons[: 2 if found.distinct else 1]
                )
            if other.match(lowered) and beside:
                reason = f"Beside a weight its name means a {DESIGN_WORDS[role]} of a sample."
                return ColumnRole(name, column.name, role, 0.7, (reason,))
        return None

    # ── dates ────────────────────────────────────────────────────────────────────────────────────────────────
    def event_date(self, table: FoundTable) -> str:
        """The column that says when a row's event was, of tables that speak of the persons and are not theirs."""
        persons = self.persons
        if persons is None or name_of(table) not in persons.carried_by or self.period_of(table):
            return ""
        if _is_unique(table, persons.carried_by[name_of(table)][0], self.facts):
            return ""  # one row a person says what they are, not what they did
        dates = [each for each in table.columns if plain_type(each.data_type) in MOMENTS]
        ranked = {each.name: _event_rank(each, table) for each in dates if not BIRTH.search(each.name.lower())}
        return max(ranked, key=lambda name: ranked[name], default="")

    def period_of(self, table: FoundTable) -> str:
        return next((each.period for each in self.periods if each.table == name_of(table)), "")

    def date(self, table: FoundTable, column: FoundColumn, event: str) -> ColumnRole | None:
        name = name_of(table)
        if plain_type(column.data_type) not in MOMENTS:
            return None
        if BIRTH.search(column.name.lower()):
            return ColumnRole(name, column.name, BIRTH_DATE, 0.9, ("It is named like a date of birth.",))
        if column.name == event:
            rank = _event_rank(column, table)
            alone = "It is the date of a table that refers to the persons."
            named = "Of the dates of a table that refers to the persons its name says most of an event."
            confidence = 0.9 if rank >= 2 else 0.75 if rank >= 0 else 0.55
            return ColumnRole(name, column.name, EVENT_DATE, confidence, (named if rank >= 2 else alone,))
        if column.name == self.period_of(table):
            return ColumnRole(
                name, column.name, OTHER_DATE, 0.9, ("It is the period of weights that hold for one each.",)
            )
        return ColumnRole(name, column.name, OTHER_DATE, 0.8, ("It is a date.",))

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────
    def plain(self, table: FoundTable, column: FoundColumn, found: ColumnFacts, rows: int | None) -> ColumnRole:
        made = _plain_role(column, found, rows, (name_of(table), column.name) in self.held)
        role, confidence, reason, order = made
        return ColumnRole(name_of(table), column.name, role, confidence, (reason,), order)


Plain = tuple[str, float, str, tuple[str, ...]]  # role, confidence, reason, order


def _event_rank(column: FoundColumn, table: FoundTable) -> float:
    """More where the name speaks of an event, less where of the row or of what came later."""
    name = column.name.lower()
    words = set(words_of(name))
    rank = 2.0 * bool(words & EVENT_WORDS) + bool(stems_of(name) & stems_of(table.name))
    rank -= 4 * bool(BOOKKEEPING.search(name))
    rank -= 2 * bool(LATER.search(name))
    return rank - 0.01 * column.position


def _plain_role(column: FoundColumn, found: ColumnFacts, rows: int | None, is_key: bool) -> Plain:
    kind = plain_type(column.data_type)
    if kind in UNREAD or kind.endswith("[]") or found.null_share == 1:
        return NONE, 0.6, "It has no values that can be counted.", ()
    if kind == "boolean":
        return FLAG, 0.95, "It is boolean.", ()
    if is_key or kind == "uuid":
        return IDENTIFIER, 0.9, "It is a key, or refers to one.", ()
    few = _is_few(found, rows)
    values = [common.value for common in found.common]
    if few and {value.lower() for value in values} <= BOOLEANS and 0 < len(values) <= 2 and (found.distinct or 0) <= 2:
        return FLAG, 0.85, "It has two values, yes and no.", ()
    if kind in NUMBERS:
        return _number_role(column, found, few)
    return _text_role(column, kind, found, few, rows)


def _is_few(found: ColumnFacts, rows: int | None) -> bool:
    """Whether the distinct values are few enough to be classes."""
    if found.distinct is None:
        return False
    return found.distinct <= MOST_CLASSES and (not rows or found.distinct <= max(3, rows / 5))


def _number_role(column: FoundColumn, found: ColumnFacts, few: bool) -> Plain:
    fractional = plain_type(column.data_type) in ("double precision", "real") or "," in column.data_type
    if is_id_name(column.name) and not fractional and not (few and words_of(column.name)[-1] == "code"):
        return IDENTIFIER, 0.7, "It is a number named like an identifier.", ()
    if few and not fractional and (found.distinct or 0) <= 20:
        return DIMENSION, 0.7, "It is a whole number with few values.", ()
    return MEASURE, 0.75 if found.distinct else 0.5, "It is a number with many values.", ()


def _text_role(column: FoundColumn, kind: str, found: ColumnFacts, few: bool, rows: int | None) -> Plain:
    values = [common.value for common in found.common]
    whole = found.distinct is not None and found.distinct <= len(values)
    ordered = natural_order(values) if few and whole else None
    if ordered is not None:
        return CATEGORY_ORDER, 0.85, f"Its values are {ordered[1]}.", ordered[0]
    if is_id_name(column.name) and not few:
        return IDENTIFIER, 0.7, "It is named like an identifier.", ()
    if few:
        return DIMENSION, 0.8, "It has few values, which come again and again.", ()
    if kind not in TEXTUAL and kind not in ("inet", "interval"):
        return DIMENSION if found.distinct else NONE, 0.5, "Its type is the database's own.", ()
    longest = found.lengths[2] if found.lengths else 0
    repeated = found.distinct is not None and rows and found.distinct <= rows / 10
    if repeated and longest <= LONG_TEXT:
        return DIMENSION, 0.65, "Its values come again and again.", ()
    return TEXT, 0.65, "It has a value of its own on most rows.", ()


# ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────
CATEGORIES: Final = {
    "ctv": stems("ctv ott tv television streaming stream episode broadcast channel linear airing viewership roku"),
    "mobile": stems("app apps mobile android ios handset device sdk install push smartphone"),
    "ecommerce": stems(
        "order orders cart product sku checkout payment purchase invoice basket store customer shipment"
    ),
    "ads": stems("ad ads campaign impression click creative advertiser placement bid adset dsp conversion advert"),
    "survey": stems("survey respondent interview questionnaire answer response wave question umfrage encuesta enquete"),
}
QUESTION: Final = re.compile(r"^q[a-z]{0,2}\d+[a-z]?(_\d+)?$")


def _dataset_type(
    columns: Sequence[ColumnRole], tables: Sequence[FoundTable], facts: Facts, persons: PersonUnit | None
) -> Guess:
    single = {name_of(t) for t in tables if not _looks_aggregated(t, columns)}
    aggregated = {name_of(table) for table in tables} - single
    if not aggregated and (persons is not None or any(each.role == EVENT_DATE for each in columns)):
        return Guess("event_level", 0.85, ("Its rows are persons, or what they did.",))
    if not single and tables:
        return Guess("aggregated", 0.75, ("No table has a key of a row; measures stand beside classes.",))
    if aggregated and persons is not None:
        return Guess("mixed", 0.6, ("Beside rows of persons there are tables of totals.",))
    if not aggregated and any(rows_of(table, facts_of(table, facts)) for table in tables):
        return Guess("event_level", 0.55, ("Its tables have a key for each row.",))
    return Guess("mixed", 0.4, ("Nothing says whether its rows are events or totals.",))


TOTALS: Final = word_set(
    "total totals sum avg average count cnt num share pct percent reach summary daily monthly weekly agg by"
)


def _looks_aggregated(table: FoundTable, columns: Sequence[ColumnRole]) -> bool:
    own = [each for each in columns if each.table == name_of(table)]
    roles = {each.role for each in own}
    if roles & {WEIGHT, PERSON_KEY, EVENT_DATE, HOUSEHOLD_KEY} or len(table.primary_key) == 1:
        return False
    named = set(words_of(table.name)) & TOTALS or any(set(words_of(each.column)) & TOTALS for each in own)
    return bool(
        named and MEASURE in roles and roles & {DIMENSION, CATEGORY_ORDER, OTHER_DATE} and IDENTIFIER not in roles
    )


def _data_category(
    columns: Sequence[ColumnRole],
    tables: Sequence[FoundTable],
    facts: Facts,
    weights: Mapping[TableName, Mapping[str, WeightReading]],
) -> Guess:
    points = dict.fromkeys(CATEGORIES, 0.0)
    words = {word for table in tables for word in stems_of(table.name)}
    inner = {word for table in tables for column in table.columns for word in stems_of(column.name)}
    for category, known in CATEGORIES.items():
        points[category] = 2.0 * len(words & known) + len(inner & known)
    points["survey"] += 2 * any(each.role in (STRATUM_ROLE, PSU_ROLE) for each in columns)
    points["survey"] += sum(bool(QUESTION.match(each.column.lower())) for each in columns) * 0.5
    points["survey"] += bool(weights) and len(tables) == 1
    first, second = sorted(points, key=lambda category: -points[category])[:2]
    if points[first] < 1 or (points[first] < points[second] * 1.25):
        return Guess("mixed", 0.4, ("No subject stands out in the names of its tables and columns.",))
    confidence = min(0.9, 0.45 + 0.1 * (points[first] - points[second]))
    return Guess(first, round(confidence, 2), (f"Names of its tables and columns speak of {first}.",))
