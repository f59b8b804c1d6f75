"""The YAML of a survey design: every fault by its line, and the way there and back."""

from __future__ import annotations

import time

import pytest

from datasets.design import LowBase
from datasets.design_document import MAX_BYTES, build_design_document, read_form, render_design

WHOLE = """\
units:
  - table: public.panel_users
    key: [user_id]
    weight: weight
    level: person
    scale: 1000
    kind: projected
    strata: null
    psu: null
    attributes: [gender, age_group]
    carried_by: {public.panel_events: [user_id]}
    period_weights: {table: public.weights, key: [user_id], period: month, weight: weight, every: month, rule: refuse}
merges:
  nccs: {A: [A1, A], C/D/E: [C, D, E]}
low_base: {action: flag, minimum: 30, very_low: 50, low: 100}
"""


def faults_of(text: str) -> list[str]:
    return [str(fault) for fault in read_form(text)[1]]


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


def test_a_design_is_read_and_printed_as_it_was_written() -> None:
    form, faults = read_form(WHOLE)

    document = build_design_document(form)

    assert faults == ()
    printed = render_design(document)
    assert build_design_document(read_form(printed)[0]) == document
    assert printed.splitlines()[:11] == WHOLE.splitlines()[:11]
    assert "  nccs: {A: [A1, A], C/D/E: [C, D, E]}" in printed.splitlines()


def test_what_may_be_left_out_stands_at_its_default() -> None:
    form, faults = read_form("units: [{table: t, key: id, weight: w}]")

    (unit,) = form.units
    assert faults == ()
    assert (unit.level, unit.scale, unit.kind, unit.key.columns) == ("person", 1, "projected", ("id",))
    assert (form.merges, form.low_base) == (None, LowBase())


@pytest.mark.parametrize(
    "document",
    [
        {"units": [{"table": "users", "key": "id", "weight": "weight"}]},
        {"units": [{"table": "null", "key": ["yes", "1", "a: b", "é", "# x", "select"], "weight": "2026-01-01"}]},
        {"units": [{"table": "t", "key": [], "weight": "w", "scale": 0.0027322404371584699}], "merges": {}},
    ],
)
def test_what_is_printed_can_be_read_again(document: dict[str, object]) -> None:
    form, faults = read_form(render_design(document))

    assert faults == ()
    once = build_design_document(form)
    assert build_design_document(read_form(render_design(once))[0]) == once
    assert once["units"][0]["table"] == document["units"][0]["table"]  # type: ignore[index]  # JSON of this test


def test_merges_left_out_are_not_merges_of_none() -> None:
    assert read_form(changed("merges:\n  nccs: {A: [A1, A], C/D/E: [C, D, E]}\n", ""))[0].merges is None
    assert read_form(changed("merges:\n  nccs: {A: [A1, A], C/D/E: [C, D, E]}\n", "merges: {}\n"))[0].merges == {}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("scale: 1000", "scale: x", "line 6: scale must be a number above 0, not 'x'"),
        ("scale: 1000", "scale: 0", "line 6: scale must be a number above 0, not '0'"),
        ("scale: 1000", "scale: .inf", "line 6: scale must be a number above 0, not '.inf'"),
        ("scale: 1000", "scale: nan", "line 6: scale must be a number above 0, not 'nan'"),
        ("scale: 1000", "scale: true", "line 6: scale must be a number above 0, not 'true'"),
        ("scale: 1000", "scale: [1]", "line 6: scale must be a number above 0, not a list"),
        ("level: person", "level: panelist", "line 5: level must be person, household or event, not 'panelist'"),
        ("kind: projected", "kind: normalised", "line 6: scale must be 1 where kind is normalised"),
        ("    psu: null", "    pzu: null", "line 9: a unit has no key pzu; the nearest is psu"),
        ("    psu: null", "    strata: x", "line 9: strata stands twice in a unit"),
        ("    psu: null", "    psu: [a]", "line 9: psu must be a name, not a list"),
        ("key: [user_id]", "key: null", "line 3: key must be a list of columns ([] where each row is a unit)"),
        ("key: [user_id]", "key: [a, a]", "line 3: a stands twice in key"),
        ("    key: [user_id]\n", "", "line 2: key is missing in a unit"),
        ("  - table: public.panel_users\n    key", "  - key", "line 2: table is missing in a unit"),
        ("rule: refuse", "rule: first", "line 12: rule must be refuse, mean or last, not 'first'"),
        ("every: month", "every: fortnight", "line 12: every must be day, week, month, quarter or year"),
        ("period: month, ", "", "line 12: period is missing in period_weights"),
        ("{public.panel_events: [user_id]}", "[events]", "line 11: carried_by must be {schema.table: [column]}"),
        ("C/D/E: [C, D, E]", "C/D/E: [C, A]", "line 14: A stands in two classes of nccs: A, C/D/E"),
        ("C/D/E: [C, D, E]", "C/D/E: []", "line 14: class C/D/E of nccs has no members"),
        ("action: flag", "action: hide", "line 15: action must be flag or suppress, not 'hide'"),
        ("minimum: 30", "minimum: 3.5", "line 15: minimum must be a whole number, not '3.5'"),
        (
            "minimum: 30",
            "minimum: 80",
            "line 15: low_base must rise from minimum over very_low to low, not 80, 50, 100",
        ),
        ("low_base:", "lowbase:", "line 15: the file has no key lowbase; the nearest is low_base"),
    ],
)
def test_a_fault_names_its_line(old: str, new: str, fault: str) -> None:
    found = faults_of(changed(old, new))

    assert [line for line in found if line.startswith(fault)], found


def test_every_fault_is_told_at_once() -> None:
    found = faults_of("units:\n  - table: t\n    key: [a]\n    scale: x\n    kind: best\nmerge: {}\n")

    assert [line.split(":")[0] for line in found] == ["line 2", "line 4", "line 5", "line 6"]
    assert "weight is needed where there are no period_weights" in found[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: the file is empty"),
        ("# nothing\n", "line 1: the file is empty"),
        ("units", "line 1: the file must be a mapping of units, merges, low_base, not 'units'"),
        ("- a\n", "line 1: the file must be a mapping"),
        ("units:\n\t- table: t\n", "line 2: a tab; indent with spaces"),
        ("units: [}\n", "line 1: not YAML"),
        ("units:\n - a\n  b: c\n", "line 3: not YAML"),
        ("units: []\n", "line 1: units must be a list of at least one unit"),
        ("merges: {}\n", "line 1: units is missing in the file"),
        ("units: a\n---\nunits: b\n", "line 2: a second document begins here"),
        ("units:\n- &a {table: t, key: [], weight: w}\n- *a\n", "line 3: *a is an alias, which is not read here"),
        ("units: \x01\n", "line 1: a character that YAML does not allow"),
        ("units:\n- ? [a]\n  : b\n", "line 2: a name is needed in a unit, not a list"),
    ],
)
def test_what_is_not_a_design_is_refused_with_its_line(text: str, fault: str) -> None:
    assert [line for line in faults_of(text) if line.startswith(fault)], faults_of(text)


@pytest.mark.parametrize(
    "bomb",
    ["[" * 60_000, "a: {" * 15_000, "- " * 30_000, "x" * (MAX_BYTES + 1), '"' + "\\" * 60_000, "a: [" + "1," * 30_000],
)
def test_a_bomb_is_refused_in_time(bomb: str) -> None:
    started = time.monotonic()

    assert faults_of(bomb)

    assert time.monotonic() - started < 10
