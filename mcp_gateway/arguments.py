"""Arguments of tools and operations, as a model reads about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

DatasetName = Annotated[
    str, Field(description="A name from list_datasets.", min_length=1, max_length=63, examples=["panel_in"])
]


Sql = Annotated[
    str,
    Field(
        description="One SELECT in PostgreSQL's dialect over the dataset's tables.",
        min_length=1,
        examples=["SELECT gender, count(*) AS n FROM panel_users GROUP BY gender"],
    ),
]
Weighting = Annotated[
    Literal["auto", "off"],
    Field(description="auto weights to the population where the dataset's design is confirmed; off never does."),
]
Uncertainty = Annotated[
    Literal["auto", "off"],
    Field(description="auto gives each estimate's standard error and 95 % interval in `bases`; off only its base."),
]
Form = Annotated[
    Literal["markdown", "csv", "json"],
    Field(description="markdown is compact and rounds numbers sensibly; csv and json keep every digit."),
]
ShowSql = Annotated[bool, Field(description="Also show the SQL that ran: governed, weighted and limited.")]
TokenBudget = Annotated[
    int | None, Field(description="Size of the whole answer in tokens; the server's default when left out.", ge=200)
]


# What they may hold is said by the question's own parser, which names the place and the nearest choice.
Metrics = Annotated[
    list[dict[str, Any] | str],
    Field(
        description='1 to 10 of {"kind", "column", "value" (of share), "q" (of quantile), "per" (of ratio; "everyone" '
        'of per_person), "label"}; a kind alone as text.',
        examples=[[{"kind": "people"}, {"kind": "mean", "column": "duration_min"}]],
    ),
]
Groups = Annotated[
    list[str] | str | None,
    Field(
        description="Up to 4 columns, day, week, month, quarter (or month(column)), or a persona's name.",
        examples=[["gender", "month"]],
    ),
]
Conditions = Annotated[
    list[dict[str, Any] | str] | str | None,
    Field(
        description="Conditions that all hold: column, op (= != in between is_null like), value; or a persona's name.",
        examples=[[{"column": "age_group", "op": "in", "value": ["18-24", "25-34"]}]],
    ),
]
PeriodAsked = Annotated[
    dict[str, Any] | str | None,
    Field(
        description='{"from": "2026-01-01", "to": "2026-03-31"} (both included), {"last": 3, "unit": "month"}, '
        '"last_month" or "all"; when left out, the latest full months of the data.',
        examples=[{"from": "2026-01-01", "to": "2026-03-31"}],
    ),
]
Compared = Annotated[
    dict[str, Any] | str | None,
    Field(
        description='"previous_period", {"segment": conditions or a persona, "label": "men"} (in the place of `where` '
        'for the same columns), or "columns": letters mark which groups of the last `by` differ significantly.',
        examples=["previous_period"],
    ),
]
Sorted = Annotated[
    dict[str, Any] | str | None,
    Field(description="By a metric's label.", examples=[{"metric": "people", "order": "desc"}]),
]
RowsAsked = Annotated[int | None, Field(description="At most this many rows, 1 to 1000.")]
TotalAsked = Annotated[
    bool, Field(description="Also the total over the last of `by`, asked on its own, never added up.")
]
