"""A survey design as people write it: YAML in, a form whose words know their lines, JSON and YAML out. Pure.

    units:
      - table: public.panel_users
        key: [user_id]
        weight: weight

Every fault is found in one reading, each with its line. What the names mean is for `design_fit` to say.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import yaml

from datasets.design import EVENT, HOUSEHOLD, NORMALISED, PERSON, PROJECTED, LowBase

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 12
LEVEL_NAMES: Final = (PERSON, HOUSEHOLD, EVENT)
KINDS: Final = (PROJECTED, NORMALISED)
PERIODS: Final = ("day", "week", "month", "quarter", "year")
RULES: Final = ("refuse", "mean", "last")
ACTIONS: Final = ("flag", "suppress")
TAG: Final = "tag:yaml.org,2002:"
NULL: Final = f"{TAG}null"
TEXT: Final = f"{TAG}str"
TOP_KEYS: Final = ("units", "merges", "low_base")
UNIT_KEYS: Final = (
    "table", "key", "weight", "level", "scale", "kind", "strata", "psu", "attributes", "carried_by", "period_weights",
)  # fmt: skip
PERIOD_KEYS: Final = ("table", "key", "period", "weight", "every", "rule", "dates")
LOW_BASE_KEYS: Final = ("action", "minimum", "very_low", "low")

INNER_KEYS: Final = {"units": UNIT_KEYS, "period_weights": PERIOD_KEYS, "low_base": LOW_BASE_KEYS}
USUAL_LOW_BASE: Final = LowBase()

Document = dict[str, Any]  # Any: JSON
Merges = Mapping[str, Mapping[str, tuple[str, ...]]]


class Word(str):
    """A word of the file that knows its line; "" stands for what was not written."""

    line: int

    def __new__(cls, text: str = "", line: int = 0) -> Word:
        word = super().__new__(cls, text)
        word.line = line
        return word


NO_WORD: Final = Word()


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong, or worth a look, and where."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Key:
    """Columns in order, and the line of their list."""

    columns: tuple[Word, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class PeriodForm:
    line: int
    table: Word
    key: Key
    period: Word
    weight: Word
    every: str
    rule: str
    dates: tuple[tuple[Word, Word], ...]  # table, column


@dataclass(frozen=True, slots=True)
class UnitForm:
    line: int
    table: Word
    key: Key
    weight: Word
    level: str
    scale: float
    kind: str
    strata: Word
    psu: Word
    attributes: tuple[Word, ...]
    carried_by: tuple[tuple[Word, Key], ...]
    period_weights: PeriodForm | None


@dataclass(frozen=True, slots=True)
class DesignForm:
    """The file as written. `merges` is None where the file leaves the dataset's own as they are."""

    units: tuple[UnitForm, ...] = ()
    merges: Mapping[Word, Mapping[str, tuple[str, ...]]] | None = None
    low_base: LowBase = USUAL_LOW_BASE


def read_form(text: str) -> tuple[DesignForm, tuple[Fault, ...]]:
    """The form, as far as it can be read, and every fault of it."""
    reader = _Reader()
    try:
        root = compose(text)
    except Unreadable as error:
        return DesignForm(), (error.fault,)
    return reader.design(root), tuple(sorted(set(reader.faults)))


def near(name: str, choices: Mapping[str, str] | Iterable[str]) -> str:
    """`; the nearest are a, b`, or nothing. A mapping says how each choice is written."""
    known = choices if isinstance(choices, Mapping) else {choice: choice for choice in choices}
    by_lower = {choice.lower(): written for choice, written in known.items()}
    found = [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)]
    return f"; the nearest {'is' if len(found) == 1 else 'are'} {', '.join(found)}" if found else ""


# ── YAML ─────────────────────────────────────────────────────────────────────────────────────────────────────
class Unreadable(Exception):
    """Not one small YAML document: nothing more can be said of it."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.fault = Fault(line, text)


def compose(text: str) -> yaml.Node:
    """The one document of the text as nodes with their lines, or `Unreadable`."""
    if len(text.encode()) > MAX_BYTES:
        raise Unreadable(1, f"the file is larger than {MAX_BYTES // 1024} KB")
    try:
        _refuse_bombs(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, _in_words(error)) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise Unreadable(line, "a character that YAML does not allow") from error
    if root is None:
        raise Unreadable(1, "the file is empty")
    return root


def _refuse_bombs(text: str) -> None:
    """Aliases and deep nesting, before anything is built of them; events are read one by one."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(line, f"*{event.anchor} is an alias, which is not read here; write it out")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Unreadable(line, f"lists and mappings are nested more than {MAX_DEPTH} deep")
        if documents > 1:
            raise Unreadable(line, "a second document begins here; a file holds one design")


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    return f"not YAML: {problem}"


def shown(node: yaml.Node) -> str:
    """The value as written, for a fault."""
    if isinstance(node, yaml.ScalarNode):
        return "nothing" if node.tag == NULL else f"'{node.value[:60]}'"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────
class _Reader:
    """Reads nodes and gathers faults; what cannot be read stands at its default meanwhile."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, line: int, text: str) -> None:
        self.faults.append(Fault(line, text))

    def design(self, root: yaml.Node) -> DesignForm:
        parts = self.mapping(root, "the file", TOP_KEYS, required=("units",))
        return DesignForm(
            units=self.units(parts.get("units")),
            merges=self.merges(parts.get("merges")),
            low_base=self.low_base(parts.get("low_base")),
        )

    def units(self, node: yaml.Node | None) -> tuple[UnitForm, ...]:
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fault(line_of(node), f"units must be a list of at least one unit, not {shown(node)}")
            return ()
        return tuple(self.unit(item) for item in node.value)

    def unit(self, node: yaml.Node) -> UnitForm:
        parts = self.mapping(node, "a unit", UNIT_KEYS, required=("table", "key"))
        weight, periods = self.word("weight", parts), self.periods(parts.get("period_weights"))
        if not weight and periods is None and isinstance(node, yaml.MappingNode):
            found = parts.get("weight", node)
            if found is node or is_null(found):
                self.fault(line_of(found), "weight is needed where there are no period_weights")
        scale, kind = self.number(parts.get("scale")), self.choice("kind", parts, KINDS)
        if kind == NORMALISED and scale != 1:
            self.fault(line_of(parts["scale"]), "scale must be 1 where kind is normalised: such counts are not people")
        return UnitForm(
            line=line_of(node),
            table=self.word("table", parts, needed=True),
            key=self.key("key", parts),
            weight=weight,
            level=self.choice("level", parts, LEVEL_NAMES),
            scale=scale,
            kind=kind,
            strata=self.word("strata", parts),
            psu=self.word("psu", parts),
            attributes=self.words("attributes", parts.get("attributes")),
            carried_by=self.carried_by(parts.get("carried_by")),
            period_weights=periods,
        )

    def carried_by(self, node: yaml.Node | None) -> tuple[tuple[Word, Key], ...]:
        found = self.pairs(node, "carried_by", "{schema.table: [column]}")
        return tuple(
            (name, self.key(f"carried_by of {name}", {f"carried_by of {name}": value})) for name, value in found
        )

    def periods(self, node: yaml.Node | None) -> PeriodForm | None:
        if node is None or is_null(node):
            return None
        required = ("table", "key", "period", "weight")
        parts = self.mapping(node, "period_weights", PERIOD_KEYS, required=required)
        period = self.word("period", parts, needed=True)
        every = period if period in PERIODS else "month"
        return PeriodForm(
            line=line_of(node),
            table=self.word("table", parts, needed=True),
            key=self.key("key", parts),
            period=period,
            weight=self.word("weight", parts, needed=True),
            every=self.choice("every", parts, PERIODS, default=str(every)),
            rule=self.choice("rule", parts, RULES),
            dates=self.dates(parts.get("dates")),
        )

    def dates(self, node: yaml.Node | None) -> tuple[tuple[Word, Word], ...]:
        found = self.pairs(node, "dates", "{schema.table: column}")
        return tuple((name, self.word(f"dates of {name}", {f"dates of {name}": value})) for name, value in found)

    def merges(self, node: yaml.Node | None) -> Mapping[Word, Mapping[str, tuple[str, ...]]] | None:
        if node is None or is_null(node):
            return None
        return {
            column: self.classes(column, value) for column, value in self.pairs(node, "merges", "{column: classes}")
        }

    def classes(self, column: Word, node: yaml.Node) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        taken: dict[str, Word] = {}
        for label, value in self.pairs(node, f"merges of {column}", "{label: [member]}"):
            members = self.words(f"class {label} of {column}", value)
            if not members and isinstance(value, yaml.SequenceNode) and not value.value:
                self.fault(label.line, f"class {label} of {column} has no members")
            for member in members:
                if member in taken:
                    self.fault(member.line, f"{member} stands in two classes of {column}: {taken[member]}, {label}")
                taken[member] = label
            found[str(label)] = tuple(str(member) for member in members)
        return found

    def low_base(self, node: yaml.Node | None) -> LowBase:
        usual = USUAL_LOW_BASE
        if node is None or is_null(node):
            return usual
        parts = self.mapping(node, "low_base", LOW_BASE_KEYS)
        found = LowBase(
            action=self.choice("action", parts, ACTIONS),
            minimum=self.count("minimum", parts, usual.minimum),
            very_low=self.count("very_low", parts, usual.very_low),
            low=self.count("low", parts, usual.low),
        )
        if not found.minimum <= found.very_low <= found.low:
            rising = f"{found.minimum}, {found.very_low}, {found.low}"
            self.fault(line_of(node), f"low_base must rise from minimum over very_low to low, not {rising}")
        return found

    # ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────
    def mapping(
        self, node: yaml.Node, what: str, known: Collection[str], *, required: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.fault(line_of(node), f"{what} must be a mapping of {', '.join(known)}, not {shown(node)}")
            return {}
        found = dict(self.pairs(node, what, "a mapping"))
        for name in [name for name in found if name not in known]:
            usual = near(name, known) or f"; it may have {', '.join(known)}"
            self.fault(name.line, f"{what} has no key {name}{usual}")
        for missing in [name for name in required if name not in found]:
            self.fault(line_of(node), f"{missing} is missing in {what}")
        return {str(name): value for name, value in found.items()}

    def pairs(self, node: yaml.Node | None, what: str, form: str) -> list[tuple[Word, yaml.Node]]:
        """Names and their values; a name that stands twice is a fault."""
        if node is None or is_null(node):
            return []
        if not isinstance(node, yaml.MappingNode):
            self.fault(line_of(node), f"{what} must be {form}, not {shown(node)}")
            return []
        found: dict[Word, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                self.fault(line_of(key), f"a name is needed in {what}, not {shown(key)}")
                continue
            name = Word(key.value, line_of(key))
            if name in found:
                self.fault(name.line, f"{name} stands twice in {what}")
            found.setdefault(name, value)
        return list(found.items())

    def word(self, name: str, parts: Mapping[str, yaml.Node], *, needed: bool = False) -> Word:
        node = parts.get(name)
        if node is None or (is_null(node) and not needed):
            return NO_WORD
        if not isinstance(node, yaml.ScalarNode) or is_null(node) or not node.value:
            self.fault(line_of(node), f"{name} must be a name, not {shown(node)}")
            return NO_WORD
        return Word(node.value, line_of(node))

    def words(self, name: str, node: yaml.Node | None) -> tuple[Word, ...]:
        if node is None or is_null(node):
            return ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [self.word(name, {name: item}, needed=True) for item in items]
        for word in {word for word in found if word and found.count(word) > 1}:
            self.fault(line_of(node), f"{word} stands twice in {name}")
        return tuple(word for word in found if word)

    def key(self, name: str, parts: Mapping[str, yaml.Node]) -> Key:
        node = parts.get(name)
        if node is None:
            return Key()
        if is_null(node):
            self.fault(line_of(node), f"{name} must be a list of columns ([] where each row is a unit), not nothing")
            return Key()
        return Key(self.words(name, node), line_of(node))

    def choice(self, name: str, parts: Mapping[str, yaml.Node], choices: tuple[str, ...], *, default: str = "") -> str:
        node = parts.get(name)
        usual = default or choices[0]
        if node is None or is_null(node):
            return usual
        if isinstance(node, yaml.ScalarNode) and node.value in choices:
            return str(node.value)
        self.fault(line_of(node), f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {shown(node)}")
        return usual

    def number(self, node: yaml.Node | None) -> float:
        if node is None or is_null(node):
            return 1.0
        found = to_number(node)
        if found is None or not 0 < found < math.inf:
            self.fault(line_of(node), f"scale must be a number above 0, not {shown(node)}")
            return 1.0
        return found

    def count(self, name: str, parts: Mapping[str, yaml.Node], usual: int) -> int:
        node = parts.get(name)
        if node is None or is_null(node):
            return usual
        found = to_number(node)
        if found is None or not 0 <= found < math.inf or found != int(found):
            self.fault(line_of(node), f"{name} must be a whole number, not {shown(node)}")
            return usual
        return int(found)


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and bool(node.tag == NULL)


def to_number(node: yaml.Node) -> float | None:
    """1000, 1e3 and 0.5; never true, text in quotes or a time."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return None
    try:
        return float(node.value)
    except ValueError:
        return None


# ── JSON and YAML ────────────────────────────────────────────────────────────────────────────────────────────
def build_design_document(form: DesignForm) -> Document:
    """The form as JSON, with every key that it may have; reading what `render_design` makes of it gives it back."""
    merges = {} if form.merges is None else {"merges": _plain_merges(form.merges)}
    low = form.low_base
    thresholds = {"action": low.action, "minimum": low.minimum, "very_low": low.very_low, "low": low.low}
    return {"units": [_unit_document(unit) for unit in form.units], **merges, "low_base": thresholds}


def _plain_merges(merges: Mapping[Word, Mapping[str, tuple[str, ...]]]) -> Document:
    return {
        str(column): {label: list(members) for label, members in classes.items()} for column, classes in merges.items()
    }


def _unit_document(unit: UnitForm) -> Document:
    return {
        "table": str(unit.table),
        "key": _plain(unit.key.columns),
        "weight": str(unit.weight) or None,
        "level": unit.level,
        "scale": plain_number(unit.scale),
        "kind": unit.kind,
        "strata": str(unit.strata) or None,
        "psu": str(unit.psu) or None,
        "attributes": _plain(unit.attributes),
        "carried_by": {str(table): _plain(key.columns) for table, key in unit.carried_by},
        "period_weights": _period_document(unit.period_weights) if unit.period_weights else None,
    }


def _period_document(form: PeriodForm) -> Document:
    dates = {"dates": {str(table): str(column) for table, column in form.dates}} if form.dates else {}
    return {
        "table": str(form.table),
        "key": _plain(form.key.columns),
        "period": str(form.period),
        "weight": str(form.weight),
        "every": form.every,
        "rule": form.rule,
        **dates,
    }


def _plain(words: Iterable[Word]) -> list[str]:
    return [str(word) for word in words]


def plain_number(number: float) -> float:
    """1000.0 as 1000, for people."""
    return int(number) if number == int(number) else number


class _Representer(yaml.representer.SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:  # Any: PyYAML's own
        return True


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        # lists stand further in than their name
        super().increase_indent(flow, False)


def render_design(document: Mapping[str, Any]) -> str:  # Any: JSON
    """The document as the YAML that people write: a key of a unit in one line."""
    root = _Representer(sort_keys=False, default_flow_style=True).represent_data(_in_order(document, TOP_KEYS))
    _open(root)
    for name, value in root.value:
        if name.value == "units" and isinstance(value, yaml.SequenceNode):
            _open(value)
            for unit in value.value:
                _open(unit)
        elif name.value == "merges":
            _open(value)
    return str(yaml.serialize(root, Dumper=_Dumper, allow_unicode=True, width=160))


def _in_order(value: Any, known: Collection[str]) -> Any:  # Any: JSON
    """The keys in the order of the documentation: jsonb keeps none. What is not known stands last."""
    if isinstance(value, list):
        return [_in_order(item, known) for item in value]
    if not isinstance(value, Mapping):
        return value
    names = [name for name in known if name in value] + [name for name in value if name not in known]
    return {name: _in_order(value[name], INNER_KEYS.get(name, ())) for name in names}


def _open(node: yaml.Node) -> None:
    """One item a line, unless there are none."""
    if isinstance(node, yaml.CollectionNode) and node.value:
        node.flow_style = False
