"""What a reviewer decided about columns and rows: values, their form in JSON, faults by name. Pure.

{"columns": [{"column": "public.users.email", "show": "masked", "mask": {"kind": "hash"}},
             {"column": "public.users.email", "show": "visible", "groups": ["privacy"]}],
 "rows": [{"table": "public.users", "where": "state = caller('state')", "groups": ["regional"]}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.errors import InvalidRequest

TEXTS: Final = frozenset({"character", "character varying", "name", "text"})
NUMBERS: Final = frozenset({"bigint", "double precision", "integer", "numeric", "real", "smallint"})
MOMENTS: Final = frozenset({"date", "timestamp with time zone", "timestamp without time zone"})
EXAMPLE: Final = (
    '{"columns": [{"column": "public.users.email", "show": "masked", "mask": {"kind": "hash"}}], "rows": []}'
)


class Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mask(Value):
    """What is shown in a value's place. `width` buckets numbers, `unit` dates."""

    kind: Literal["bucket", "hash", "last_four", "null", "year"]
    width: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    unit: Literal["decade", "month", "quarter", "week", "year"] | None = None

    @model_validator(mode="after")
    def _bucket_has_a_size(self) -> Mask:
        if (self.kind == "bucket") != ((self.width is None) != (self.unit is None)):
            raise ValueError("a bucket has either width (numbers) or unit (dates); other masks have neither")
        return self

    def fits(self, kind: str) -> bool:
        """Whether it can be applied to values of this type, spelt as `format_type` does without modifier."""
        if self.kind == "year" or self.unit:
            return kind in MOMENTS
        return kind in NUMBERS if self.width else True


class ColumnPolicy(Value):
    """For the groups named, or for everybody where none is."""

    column: str = Field(pattern=r"^.+\..+\..+$", description="schema.table.column")
    show: Literal["hidden", "masked", "visible"]
    mask: Mask | None = None
    groups: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _masked_has_a_mask(self) -> ColumnPolicy:
        if (self.show == "masked") != (self.mask is not None):
            raise ValueError("a mask belongs to show: masked, and to nothing else")
        return self


class RowRule(Value):
    """Rows that may be seen: an SQL condition over the table's columns; `caller('x')` is the caller's attribute x."""

    table: str = Field(pattern=r"^.+\..+$", description="schema.table")
    where: str = Field(min_length=1, max_length=4000)
    groups: frozenset[str] = frozenset()


class Policies(Value):
    columns: tuple[ColumnPolicy, ...] = ()
    rows: tuple[RowRule, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """The groups for whom something differs."""
        found = [policy.groups for policy in self.columns] + [rule.groups for rule in self.rows]
        return frozenset().union(*found)


NO_POLICIES: Final = Policies()


def parse_policies(document: Mapping[str, Any]) -> Policies:  # Any: JSON as a person typed it
    """The value, or `InvalidRequest` that names each fault."""
    try:
        return Policies.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"The policies are not valid: {faults}.", hint=f"Example: {EXAMPLE}") from error
