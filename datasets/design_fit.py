"""A design as written against a dataset's tables: what its names mean, and each that means nothing, by line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from config.errors import DesignInvalid
from datasets.catalog import ColumnSpec, TableSpec
from datasets.design import LEVELS, PeriodWeights, SurveyDesign, TableName, Unit
from datasets.design_document import NO_WORD, DesignForm, Fault, Key, PeriodForm, UnitForm, Word, near, read_form
from datasets.policies import MOMENTS, NUMBERS, TEXTS

# types whose values PostgreSQL compares with each other
FAMILIES: Final = (NUMBERS, MOMENTS, TEXTS)
Tables = Sequence[TableSpec]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A design whose names were looked up; with faults it must not be used. `form` has the tables' full names."""

    form: DesignForm
    design: SurveyDesign
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def parse_design(text: str, tables: Tables, *, date_column: str = "") -> SurveyDesign:
    """The design that a YAML text describes over these tables, or `DesignInvalid` with each fault and its line.

    `date_column` is the dataset's main date as schema.table.column. Nothing is counted: `units` and `excluded` are 0.
    """
    return fit_text(text, tables, date_column=date_column).design


def fit_text(text: str, tables: Tables, *, date_column: str = "") -> Fitted:
    """As `parse_design`, with the form and the warnings."""
    form, faults = read_form(text)
    fitted = fit_form(form, tables, date_column=date_column)
    refuse_faults({*faults, *fitted.faults})
    return fitted


def refuse_faults(faults: Iterable[Fault]) -> None:
    found = sorted(faults)
    if found:
        count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        lines = "\n".join(str(fault) for fault in found)
        listed = [{"line": fault.line, "text": fault.text} for fault in found]
        raise DesignInvalid(f"The survey design has {count}:\n{lines}", faults=listed)


def fit_form(form: DesignForm, tables: Tables, *, date_column: str = "") -> Fitted:
    """The design over these tables, with every fault that they show."""
    fitting = _Fitting(tables, date_column)
    units = tuple(fitting.unit(unit) for unit in form.units)
    fitting.check_merges(form.merges or {})
    units = fitting.share_tables(form.units, units)
    found = [unit for unit in units if unit is not None]
    for written, unit in zip(form.units, units, strict=True):
        if unit is not None:
            fitting.warn_of_others(written, unit)
    merges = {str(column): classes for column, classes in (form.merges or {}).items()}
    return Fitted(
        form=fitting.qualified(form),
        design=SurveyDesign(units=tuple(found), merges=merges, low_base=form.low_base),
        faults=tuple(sorted(set(fitting.faults))),
        warnings=tuple(sorted(set(fitting.warnings))),
    )


def plain_type(written: str) -> str:
    """A built-in type without its modifier: `timestamp(3) without time zone` is `timestamp without time zone`."""
    return re.sub(r"\([^()]*\)", "", written)


def family_of(column: ColumnSpec) -> frozenset[str]:
    kind = plain_type(column.type)
    return next((family for family in FAMILIES if kind in family), frozenset({kind}))


def name_of(table: TableSpec) -> TableName:
    return table.schema, table.name


class _Fitting:
    """Looks names up in the tables and gathers faults; what is not found is left out meanwhile."""

    def __init__(self, tables: Tables, date_column: str) -> None:
        self.tables = tables
        self.date_column = date_column
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def fault(self, line: int, text: str) -> None:
        self.faults.append(Fault(line, text))

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────
    def find(self, name: str) -> list[TableSpec]:
        return [table for table in self.tables if name in (table.name, table.qualified_name)]

    def table(self, name: Word) -> TableSpec | None:
        if not name:
            return None
        found = self.find(name)
        if len(found) > 1:
            choices = " or ".join(table.qualified_name for table in found)
            self.fault(name.line, f"{name} stands in several schemas: write {choices}")
        elif not found:
            known = {table.name: table.qualified_name for table in self.tables}
            self.fault(name.line, f"there is no table {name}{near(name.rpartition('.')[2], known)}")
        return found[0] if len(found) == 1 else None

    def column(self, name: Word, table: TableSpec) -> ColumnSpec | None:
        if not name:
            return None
        found = next((column for column in table.columns if column.name == name), None)
        if found is None:
            known = [column.name for column in table.columns]
            self.fault(name.line, f"{table.qualified_name} has no column {name}{near(name, known)}")
        return found

    def numeric(self, name: Word, table: TableSpec) -> str:
        column = self.column(name, table)
        if column is not None and plain_type(column.type) not in NUMBERS:
            self.fault(name.line, f"{table.qualified_name}.{name} is {column.type}; a weight must be a number")
        return str(name)

    def dated(self, name: Word, table: TableSpec) -> str:
        column = self.column(name, table)
        if column is not None and plain_type(column.type) not in MOMENTS:
            self.fault(name.line, f"{table.qualified_name}.{name} is {column.type}; a date or a timestamp is needed")
        return str(name)

    def key(self, key: Key, table: TableSpec, of: Sequence[ColumnSpec | None], *, count: int) -> tuple[str, ...]:
        """The columns of `table` that hold the unit's key, whose columns are `of`."""
        columns = [self.column(word, table) for word in key.columns]
        if len(key.columns) != count:
            wanted = "1 column" if count == 1 else f"{count} columns"
            self.fault(key.line, f"the unit's key has {wanted}, this one {len(key.columns)}")
            return tuple(key.columns)
        for word, held, own in zip(key.columns, columns, of, strict=True):
            if held is not None and own is not None and family_of(held) != family_of(own):
                self.fault(
                    word.line, f"{table.qualified_name}.{word} is {held.type}, the unit's {own.name} is {own.type}"
                )
        return tuple(str(word) for word in key.columns)

    # ── units ────────────────────────────────────────────────────────────────────────────────────────────────
    def unit(self, form: UnitForm) -> Unit | None:
        for name in form.attributes:
            self.check_attribute(name)
        table = self.table(form.table)
        if table is None:
            return None
        own = [self.column(word, table) for word in form.key.columns]
        if form.key.line and not form.key.columns:
            self.refuse_without_key(form)
        carried = self.carried(form, table, own)
        for name in (form.strata, form.psu):
            self.column(name, table)
        return Unit(
            table=name_of(table),
            key=tuple(str(word) for word in form.key.columns),
            weight=self.numeric(form.weight, table),
            level=form.level,
            scale=form.scale,
            kind=form.kind,
            stratum=str(form.strata),
            psu=str(form.psu),
            attributes=frozenset(str(name) for name in form.attributes),
            carried_by=carried,
            period_weights=self.periods(form, own, carried) if form.period_weights and form.key.columns else None,
        )

    def check_attribute(self, name: Word) -> None:
        known = {column.name for table in self.tables for column in table.columns}
        if name not in known:
            self.fault(name.line, f"no table has a column {name}{near(name, known)}")

    def refuse_without_key(self, form: UnitForm) -> None:
        if form.carried_by:
            self.fault(form.carried_by[0][0].line, "carried_by needs a key, and key is []")
        if form.period_weights:
            self.fault(form.period_weights.line, "period_weights need a key, and key is []")

    def carried(
        self, form: UnitForm, unit_table: TableSpec, own: Sequence[ColumnSpec | None]
    ) -> dict[TableName, tuple[str, ...]]:
        """What the file says, and the foreign keys that refer to the unit's key."""
        found: dict[TableName, tuple[str, ...]] = {}
        for name, key in form.carried_by if form.key.columns else ():
            table = self.table(name)
            if table is None:
                continue
            columns = self.key(key, table, own, count=len(form.key.columns))
            if table is unit_table:
                self.fault(name.line, f"{name} is the unit's own table; carried_by is for others")
            elif found.setdefault(name_of(table), columns) != columns:
                self.fault(name.line, f"{table.qualified_name} carries the unit by two keys; say which one")
        apart = {name_of(unit_table), *self.period_tables(form)}
        for table in self.tables:
            if form.key.columns and name_of(table) not in apart | found.keys():
                self.add_foreign(form, unit_table, table, found)
        return found

    def period_tables(self, form: UnitForm) -> list[TableName]:
        found = self.find(form.period_weights.table) if form.period_weights else []
        return [name_of(table) for table in found]

    def add_foreign(
        self, form: UnitForm, unit_table: TableSpec, table: TableSpec, carried: dict[TableName, tuple[str, ...]]
    ) -> None:
        keys = sorted(set(foreign_keys(table, name_of(unit_table), tuple(str(word) for word in form.key.columns))))
        if len(keys) == 1:
            carried[name_of(table)] = keys[0]
        elif keys:
            written = " and by ".join(f"({', '.join(key)})" for key in keys)
            text = f"{table.qualified_name} refers to {unit_table.qualified_name} by {written}; say in carried_by which"
            self.fault(form.line, f"{text} holds the unit of a row")

    # ── weights by period ────────────────────────────────────────────────────────────────────────────────────
    def periods(
        self, form: UnitForm, own: Sequence[ColumnSpec | None], carried: Mapping[TableName, tuple[str, ...]]
    ) -> PeriodWeights | None:
        written = form.period_weights
        table = self.table(written.table) if written else None
        if written is None or table is None:
            return None
        return PeriodWeights(
            table=name_of(table),
            key=self.key(written.key, table, own, count=len(form.key.columns)),
            period=self.dated(written.period, table),
            weight=self.numeric(written.weight, table),
            every=written.every,
            rule=written.rule,
            dates=self.dates(form, written, [name for name in carried if name != name_of(table)]),
        )

    def dates(self, form: UnitForm, written: PeriodForm, carriers: Sequence[TableName]) -> dict[TableName, str]:
        """For each table that carries the key, the column that says to which period a row belongs."""
        chosen: dict[TableName, str] = {}
        for name, word in written.dates:
            table = self.table(name)
            if table is None:
                continue
            chosen[name_of(table)] = self.dated(word, table)
            if name_of(table) not in carriers:
                self.fault(name.line, f"{name} is not in carried_by, so its dates are never used")
        explicit = {name_of(table): name.line for name, _ in form.carried_by for table in self.find(name)}
        for table in self.tables:
            if name_of(table) in carriers and name_of(table) not in chosen:
                column = self.date_of(table, explicit.get(name_of(table)), written.line)
                chosen |= {name_of(table): column} if column else {}
        return chosen

    def date_of(self, table: TableSpec, line: int | None, periods_line: int) -> str:
        columns = [column.name for column in table.columns if plain_type(column.type) in MOMENTS]
        main = next((name for name in columns if f"{table.qualified_name}.{name}" == self.date_column), "")
        if main or len(columns) == 1:
            return main or columns[0]
        if columns:
            listed, example = ", ".join(columns), f"dates: {{{table.qualified_name}: {columns[0]}}}"
            text = f"{table.qualified_name} has several dates ({listed}); say in period_weights which one counts"
            self.fault(line or periods_line, f"{text}: {example}")
        elif line:
            self.fault(line, f"{table.qualified_name} has no date, so its rows belong to no period")
        else:
            text = f"{table.qualified_name} refers to the unit but has no date: its rows belong to no period"
            self.warnings.append(Fault(periods_line, text))
        return ""

    # ── the whole ────────────────────────────────────────────────────────────────────────────────────────────
    def share_tables(self, forms: Sequence[UnitForm], units: Sequence[Unit | None]) -> tuple[Unit | None, ...]:
        """Of two units on one table the coarser shares it: its key stands on several rows."""
        result: list[Unit | None] = []
        for form, unit in zip(forms, units, strict=True):
            others = [other for other in units if other and unit and other is not unit and other.table == unit.table]
            if unit and any(other.level == unit.level for other in others):
                self.fault(form.line, f"{unit.qualified_table} has two units of level {unit.level}")
            shares = unit is not None and any(LEVELS.index(o.level) < LEVELS.index(unit.level) for o in others)
            if shares and not form.key.columns:
                self.fault(form.key.line, f"a {form.level} needs a key here: the table has rows of a finer unit")
            result.append(replace(unit, shares_table=True) if unit and shares else unit)
        return tuple(result)

    def check_merges(self, merges: Mapping[Word, object]) -> None:
        for column in merges:
            self.check_attribute(column)

    def warn_of_others(self, form: UnitForm, unit: Unit) -> None:
        """Tables that look as if they carried the key."""
        known = {unit.table, *unit.carried_by, *self.period_tables(form)}
        for table in self.tables:
            columns = {column.name for column in table.columns}
            if unit.key and columns.issuperset(unit.key) and name_of(table) not in known:
                text = (
                    f"{table.qualified_name} has {', '.join(unit.key)} too but is not in carried_by: it is not weighted"
                )
                self.warnings.append(Fault(form.line, text))

    def qualified(self, form: DesignForm) -> DesignForm:
        """The same with the tables' full names."""
        return replace(form, units=tuple(self._qualified_unit(unit) for unit in form.units))

    def _qualified_unit(self, form: UnitForm) -> UnitForm:
        periods = form.period_weights
        if periods is not None:
            dates = tuple((self._full(name), column) for name, column in periods.dates)
            periods = replace(periods, table=self._full(periods.table), dates=dates)
        carried = tuple((self._full(name), key) for name, key in form.carried_by)
        return replace(form, table=self._full(form.table), carried_by=carried, period_weights=periods)

    def _full(self, name: Word) -> Word:
        found = self.find(name) if name else []
        return Word(found[0].qualified_name, name.line) if len(found) == 1 else name or NO_WORD


def foreign_keys(table: TableSpec, unit_table: TableName, key: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """The columns of each foreign key that refers to the unit's key, in the key's order."""
    for foreign in table.foreign_keys:
        held = dict(zip(foreign.references_columns, foreign.columns, strict=True))
        if (foreign.references_schema, foreign.references_table) == unit_table and held.keys() == set(key):
            yield tuple(held[column] for column in key)
