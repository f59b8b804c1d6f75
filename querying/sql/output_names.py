"""Names that PostgreSQL itself gives to columns, so that `x.name` may use them. Plain data."""

from __future__ import annotations

from typing import Final

OUTPUT_NAMES: Final = frozenset(
    {
        "?column?",
        "array",
        "case",
        "coalesce",
        "column1",
        "column10",
        "column2",
        "column3",
        "column4",
        "column5",
        "column6",
        "column7",
        "column8",
        "column9",
        "exists",
        "f1",
        "f2",
        "f3",
        "f4",
        "f5",
        "greatest",
        "grouping",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_value",
        "key",
        "least",
        "lexeme",
        "nullif",
        "ordinality",
        "positions",
        "row",
        "value",
        "weights",
        "xmlconcat",
        "xmlelement",
        "xmlforest",
        "xmlparse",
        "xmlserialize",
    }
)
