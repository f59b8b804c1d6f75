"""The dataset as one caller sees it: policies, merged classes and row rules resolved into plain facts. Pure.

Guard, govern, descriptions and information_schema all read the result, so none of them knows a policy. What cannot
be applied as decided is hidden: it never shows more than was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from datasets.access import Principal
from datasets.catalog import ColumnSpec, DatasetSpec, TableSpec
from datasets.persona_fit import personas_that_fit
from datasets.policies import TEXTS, ColumnPolicy, RowRule
from datasets.vocabulary import Vocabulary

OPENNESS = ("hidden", "masked", "visible")
NO_ROWS = "false"
Merges = Mapping[str, Mapping[str, tuple[str, ...]]]
PolicyKey = tuple[object, ...]


def policy_key(dataset: DatasetSpec, principal: Principal) -> PolicyKey:
    """Callers with the same key see the same."""
    groups = principal.groups & dataset.policies.groups
    attributes = tuple(sorted(principal.attributes.items())) if dataset.policies.rows else ()
    return principal.operator, groups, attributes


def as_seen_by(principal: Principal, dataset: DatasetSpec, *, merges: Merges) -> DatasetSpec:
    """`merges` are the system's; the dataset's own stand in their place where it has any, even none at all."""
    own = dataset.merges if dataset.merges is not None else merges
    tables = tuple(table_as_seen(table, principal, dataset, own) for table in dataset.tables)
    if tables == dataset.tables:
        return dataset
    seen = replace(dataset, tables=tables)
    # a persona over a column that this caller does not see as stored is none of theirs, not even its name
    return replace(seen, personas=personas_that_fit(seen.personas, seen))


def table_as_seen(table: TableSpec, principal: Principal, dataset: DatasetSpec, merges: Merges) -> TableSpec:
    columns = tuple(column_as_seen(column, table, principal, dataset, merges) for column in table.columns)
    rules = () if principal.operator else [rule for rule in dataset.policies.rows if rule.table == table.qualified_name]
    rule = combined(rules, principal)
    return table if columns == table.columns and not rule else replace(table, columns=columns, row_rule=rule)


def column_as_seen(
    column: ColumnSpec, table: TableSpec, principal: Principal, dataset: DatasetSpec, merges: Merges
) -> ColumnSpec:
    if not column.visible:
        return column
    classes = tuple(merges.get(column.name, {}).items())
    if classes and column.name not in table.key_columns and is_text(column.type, dataset.vocabulary):
        column = replace(column, classes=classes)
    written = f"{table.qualified_name}.{column.name}"
    policy = chosen((item for item in dataset.policies.columns if item.column == written), principal)
    if policy is None or policy.show == "visible" or principal.operator:
        return column
    kind = dataset.vocabulary.base_type(column.type)
    if policy.mask is None or not policy.mask.fits(kind) or dataset.vocabulary.has_refused_cast(kind):
        return replace(column, visible=False)
    return replace(column, mask=policy.mask, classes=())


def is_text(written: str, vocabulary: Vocabulary) -> bool:
    kind = vocabulary.base_type(written)
    return kind in TEXTS or kind in vocabulary.enums


def chosen(policies: Iterable[ColumnPolicy], principal: Principal) -> ColumnPolicy | None:
    """The most open one of the caller's groups, else the one for everybody."""
    found = list(policies)
    own = [policy for policy in found if policy.groups & principal.groups]
    general = [policy for policy in found if not policy.groups]
    if own:
        return max(own, key=lambda policy: OPENNESS.index(policy.show))
    return min(general, key=lambda policy: OPENNESS.index(policy.show), default=None)


def combined(rules: Iterable[RowRule], principal: Principal) -> str:
    """The rules for everybody, and one of those for the caller's groups; no rows for who is in none of these."""
    found = list(rules)
    general = [f"({rule.where})" for rule in found if not rule.groups]
    for_groups = [rule for rule in found if rule.groups]
    own = [f"({rule.where})" for rule in for_groups if rule.groups & principal.groups]
    if for_groups:
        general.append(f"({' OR '.join(own)})" if own else NO_ROWS)
    return " AND ".join(general)
