"""What DuckDB may be asked to compute as PostgreSQL does, and what to write instead of the rest. Plain data.

Functions stand with the least and the most arguments; how each is printed is in `duckdb_calls` and `duckdb_values`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from postgast import pg_query_pb2 as pg

# DuckDB's memory limit does not count the texts that an expression makes, 2,048 rows at a time: x || x, again and
# again, took 10 GB. So these two bound them.
MAX_TEXT_BYTES: Final = 5_000
MAX_TEXT_CALLS: Final = 40  # and matches of patterns, whose time nothing interrupts within 2,048 rows
TOO_LONG: Final = "text too long for combine"
MAX_MATCHED_BYTES: Final = 200  # of a text beside a pattern whose time grows with both; see duckdb_patterns
MAX_POSITIONS: Final = 50  # of all such patterns of a statement
TOO_LONG_TO_MATCH: Final = "text too long for this pattern"
PLAINER: Final = "Do it in the labelled queries themselves, where all of PostgreSQL can be used, and combine the rest."

# What the printed SQL calls besides DuckDB's own functions. The lambdas name their argument once: a macro that
# repeats it would double the statement at each level.
MACROS: Final = (
    # whole doubles are written 1.0 by DuckDB and 1 by PostgreSQL
    "CREATE MACRO _mcpa_text(x) AS list_transform([x], lambda v: CASE WHEN typeof(v) = 'DOUBLE' "
    "THEN regexp_replace(CAST(v AS VARCHAR), '\\.0$', '') ELSE CAST(v AS VARCHAR) END)[1]",
    # concat() does not cast, it writes true as t
    "CREATE MACRO _mcpa_output(x) AS list_transform([x], lambda v: CASE typeof(v) "
    "WHEN 'DOUBLE' THEN regexp_replace(CAST(v AS VARCHAR), '\\.0$', '') "
    "WHEN 'BOOLEAN' THEN left(CAST(v AS VARCHAR), 1) ELSE CAST(v AS VARCHAR) END)[1]",
    f"CREATE MACRO _mcpa_short(x) AS list_transform([x], lambda v: CASE WHEN strlen(v) > {MAX_TEXT_BYTES} "
    f"THEN error('{TOO_LONG}') ELSE v END)[1]",
    f"CREATE MACRO _mcpa_brief(x) AS list_transform([x], lambda v: CASE WHEN strlen(v) > {MAX_MATCHED_BYTES} "
    f"THEN error('{TOO_LONG_TO_MATCH}') ELSE v END)[1]",
    # DuckDB rounds doubles as binary numbers and halves to even; their shortest text is what PostgreSQL rounds
    "CREATE MACRO _mcpa_exact(x) AS "
    "CAST(replace(replace(CAST(x AS VARCHAR), 'true', '1'), 'false', '0') AS DECIMAL(38, 15))",
)
MAX_DECIMALS: Final = 10

Arity = tuple[int, int]
NUMBER_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "abs": (1, 1),
    "ascii": (1, 1),
    "ceil": (1, 1),
    "ceiling": (1, 1),
    "char_length": (1, 1),
    "character_length": (1, 1),
    "exp": (1, 1),
    "floor": (1, 1),
    "length": (1, 1),
    "ln": (1, 1),
    "log": (1, 2),
    "log10": (1, 1),
    "make_date": (3, 3),
    "mod": (2, 2),
    "pow": (2, 2),
    "power": (2, 2),
    "sign": (1, 1),
    "sqrt": (1, 1),
    "starts_with": (2, 2),
    "strpos": (2, 2),
}
TEXT_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "btrim": (1, 2),
    "left": (2, 2),
    "lower": (1, 1),
    "ltrim": (1, 2),
    "md5": (1, 1),
    "reverse": (1, 1),
    "right": (2, 2),
    "rtrim": (1, 2),
    "upper": (1, 1),
}
AGGREGATES: Final[Mapping[str, Arity]] = {
    "any_value": (1, 1),
    "avg": (1, 1),
    "bool_and": (1, 1),
    "bool_or": (1, 1),
    "corr": (2, 2),
    "count": (1, 1),
    "covar_pop": (2, 2),
    "covar_samp": (2, 2),
    "every": (1, 1),
    "max": (1, 1),
    "min": (1, 1),
    "regr_count": (2, 2),
    "regr_intercept": (2, 2),
    "regr_slope": (2, 2),
    "stddev": (1, 1),
    "stddev_pop": (1, 1),
    "stddev_samp": (1, 1),
    "string_agg": (2, 2),
    "sum": (1, 1),
    "var_pop": (1, 1),
    "var_samp": (1, 1),
    "variance": (1, 1),
}
WINDOW_FUNCTIONS: Final[Mapping[str, Arity]] = {
    "cume_dist": (0, 0),
    "dense_rank": (0, 0),
    "first_value": (1, 1),
    "lag": (1, 3),
    "last_value": (1, 1),
    "lead": (1, 3),
    "nth_value": (2, 2),
    "ntile": (1, 1),
    "percent_rank": (0, 0),
    "rank": (0, 0),
    "row_number": (0, 0),
}
ORDERED_SETS: Final[Mapping[str, Arity]] = {
    "mode": (0, 0),
    "percentile_cont": (1, 1),
    "percentile_disc": (1, 1),
}
DUCKDB_NAMES: Final[Mapping[str, str]] = {  # where they differ
    "btrim": "trim",
    "every": "bool_and",
}
NAN_FOR_NULL: Final = frozenset(  # DuckDB's, where nothing varies
    {
        "corr",
        "regr_intercept",
        "regr_slope",
    }
)
TEXT_MAKERS: Final = frozenset(
    {
        *TEXT_FUNCTIONS,
        "concat",
        "concat_ws",
        "lpad",
        "replace",
        "rpad",
        "split_part",
        "string_agg",
        "substr",
        "substring",
        "to_char",
    }
)
NEVER_NEGATIVE: Final = frozenset(
    {
        "char_length",
        "character_length",
        "length",
        "position",
        "strpos",
    }
)
COMPARISONS: Final = frozenset(
    {
        "<",
        "<=",
        "<>",
        "=",
        ">",
        ">=",
    }
)
ARITHMETIC: Final = frozenset(
    {
        "%",
        "*",
        "+",
        "-",
        "/",
    }
)
PARTS_OF_DATES: Final = frozenset(
    {
        "day",
        "dow",
        "doy",
        "epoch",
        "hour",
        "isodow",
        "isoyear",
        "minute",
        "month",
        "quarter",
        "week",
        "year",
    }
)
UNITS_OF_DATES: Final = frozenset(
    {
        "day",
        "hour",
        "minute",
        "month",
        "quarter",
        "second",
        "week",
        "year",
    }
)
DATE_PATTERNS: Final[Mapping[str, str]] = {
    "DD": "%d",
    "Dy": "%a",
    "FMDay": "%A",
    "FMMonth": "%B",
    "HH24": "%H",
    "IW": "%V",
    "IYYY": "%G",
    "MI": "%M",
    "MM": "%m",
    "Mon": "%b",
    "SS": "%S",
    "YY": "%y",
    "YYYY": "%Y",
}
DATE_FORMAT: Final = re.compile(
    "(" + "|".join(sorted(DATE_PATTERNS, key=len, reverse=True)) + r"|[-/.:, ]|\"[A-Za-z]*\")"
)
CASTS: Final[Mapping[str, str]] = {
    "bool": "BOOLEAN",
    "date": "DATE",
    "float8": "DOUBLE",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "interval": "INTERVAL",
    "numeric": "DOUBLE",  # DuckDB's own would be DECIMAL(18,3)
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "varchar": "VARCHAR",
}
WHOLE: Final = frozenset(
    {
        "int2",
        "int4",
        "int8",
    }
)
TEXTS: Final = frozenset(
    {
        "text",
        "varchar",
    }
)
TEXT_TYPES: Final = frozenset(
    {
        "character varying",
        "text",
    }
)
# types whose text DuckDB writes as PostgreSQL does; of others it is asked when it runs
SAME_AS_TEXT: Final = frozenset(
    {
        "bigint",
        "boolean",
        "character varying",
        "date",
        "integer",
        "smallint",
        "text",
        "unknown",
    }
)
HINTS: Final[Mapping[str, str]] = {
    "age": "Subtract dates: a - b is the number of days.",
    "array_agg": "Write string_agg(x, ', ').",
    "clock_timestamp": "Put the day into a labelled query, or write it as date '2026-01-31'.",
    "div": "Write trunc(a / b).",
    "generate_series": "Make the series in a labelled query and give it a label.",
    "initcap": PLAINER,
    "now": "Put the day into a labelled query, or write it as date '2026-01-31'.",
    "regexp_replace": PLAINER,
    "unnest": "Write (VALUES (1), (2)) AS v(x).",
}
MISSING_PARTS: Final = "Text patterns are literals in a combine statement."

SET_OPERATIONS: Final[Mapping[int, str]] = {
    pg.SETOP_EXCEPT: "EXCEPT",
    pg.SETOP_INTERSECT: "INTERSECT",
    pg.SETOP_UNION: "UNION",
}
JOINS: Final[Mapping[int, str]] = {
    pg.JOIN_FULL: "FULL",
    pg.JOIN_INNER: "INNER",
    pg.JOIN_LEFT: "LEFT",
    pg.JOIN_RIGHT: "RIGHT",
}
GROUPING_SETS: Final[Mapping[int, str]] = {
    pg.GROUPING_SET_CUBE: "CUBE",
    pg.GROUPING_SET_ROLLUP: "ROLLUP",
    pg.GROUPING_SET_SETS: "GROUPING SETS",
}
BOOLEAN_TESTS: Final[Mapping[int, str]] = {
    pg.IS_FALSE: "IS NOT DISTINCT FROM FALSE",
    pg.IS_NOT_FALSE: "IS DISTINCT FROM FALSE",
    pg.IS_NOT_TRUE: "IS DISTINCT FROM TRUE",
    pg.IS_NOT_UNKNOWN: "IS NOT NULL",
    pg.IS_TRUE: "IS NOT DISTINCT FROM TRUE",
    pg.IS_UNKNOWN: "IS NULL",
}

# PostgreSQL's FRAMEOPTION bits (nodes/parsenodes.h)
FRAME_GIVEN: Final = 0x1
FRAME_MODES: Final = {0x2: "RANGE", 0x4: "ROWS", 0x8: "GROUPS"}
FRAME_STARTS: Final = {
    0x20: "UNBOUNDED PRECEDING",
    0x80: "UNBOUNDED FOLLOWING",
    0x200: "CURRENT ROW",
    0x800: "$ PRECEDING",
    0x2000: "$ FOLLOWING",
}
FRAME_ENDS: Final = {
    0x40: "UNBOUNDED PRECEDING",
    0x100: "UNBOUNDED FOLLOWING",
    0x400: "CURRENT ROW",
    0x1000: "$ PRECEDING",
    0x4000: "$ FOLLOWING",
}
FRAME_EXCLUDES: Final = {
    0x8000: " EXCLUDE CURRENT ROW",
    0x10000: " EXCLUDE GROUP",
    0x20000: " EXCLUDE TIES",
}
