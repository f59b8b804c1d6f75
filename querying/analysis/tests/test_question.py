"""What a question may say, and what is said of one that cannot be read. No dataset is needed for it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from config.errors import InvalidRequest
from datasets.conditions import Condition
from querying.analysis.question import KINDS, By, Comparison, Metric, Period, Question, Sort, parse_question
from querying.analysis.rendering import document_of

PEOPLE = {"dataset": "panel_in", "metrics": ["people"]}
Json = dict[str, Any]  # Any: JSON


def test_reads_everything_that_can_be_said() -> None:
    question = parse_question(
        {
            "dataset": "panel_in",
            "metrics": [{"kind": "quantile", "column": "duration_min", "q": 0.9, "label": "long"}, "people"],
            "by": ["app", "month", "week(event_date)"],
            "where": ["Young women", {"column": "age", "op": "between", "value": [25, 34]}],
            "period": {"from": "2026-01-01", "to": "2026-03-31"},
            "compare": {"segment": [{"column": "gender", "value": "Male"}], "label": "men"},
            "sort": {"metric": "long", "order": "asc"},
            "limit": 5,
            "total": True,
            "weighting": "off",
        }
    )

    assert question == Question(
        dataset="panel_in",
        metrics=(Metric("quantile", "duration_min", q=0.9, label="long"), Metric("people", label="people")),
        by=(By("app"), By("", "month"), By("event_date", "week")),
        where=("Young women", Condition("age", "between", (25, 34))),
        period=Period(date(2026, 1, 1), date(2026, 3, 31)),
        compare=Comparison("segment", (Condition("gender", "=", ("Male",)),), "men"),
        limit=5,
        sort=Sort("long", descending=False),
        total=True,
        weighting="off",
    )


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"by": "gender", "where": "Young women", "period": "all", "compare": "columns", "sort": "people"},
        {"period": {"last": 3, "unit": "week"}, "compare": {"segment": "Young men"}},
        {"period": {"from": "2026-01-01"}, "compare": "previous_period"},
        {"metrics": [{"kind": "share", "column": "nccs", "value": ["A", "A1"]}]},
        {"metrics": [{"kind": "per_person", "per": "everyone"}]},
        {"where": [{"column": "age", "op": "in", "value": [1, 2.5]}, {"column": "x", "op": "is_null"}]},
    ],
)  # fmt: skip
def test_a_question_written_out_again_is_the_same(said: Json) -> None:
    question = parse_question({**PEOPLE, **said})

    assert parse_question(document_of(question)) == question


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("people", "people"),
        ({"kind": "mean", "column": "panel_events.duration_min"}, "mean_panel_events_duration_min"),
        ({"kind": "quantile", "column": "age", "q": 0.95}, "q95_age"),
        ({"kind": "share", "column": "nccs", "value": ["A", "A1"]}, "share_nccs_A_A1"),
        ({"kind": "share", "column": "nccs", "value": ["A", "A1", "B", "C"]}, "share_nccs"),
        ({"kind": "ratio", "column": "a", "per": "b"}, "ratio_a_per_b"),
    ],
)
def test_a_metric_without_a_label_is_named_after_what_it_is(metric: Any, label: str) -> None:
    (found,) = parse_question({**PEOPLE, "metrics": [metric]}).metrics

    assert found.label == label


BAD: list[tuple[Json, str, str]] = [
    ({"metrics": None}, "`metrics` is missing", "Kinds: people: how many people"),
    ({"metrics": []}, "`metrics` is missing", "people"),
    ({"metrics": [{"kind": "reach"}]}, "`metrics[0].kind` 'reach' is unknown", ", ".join(KINDS)),
    ({"metrics": ["people", {"kind": "penetraton"}]}, "`metrics[1].kind`", "the nearest is penetration"),
    ({"metrics": [{}]}, "`metrics[0].kind` is missing", "Write one of people"),
    ({"metrics": [7]}, "`metrics[0]` is no metric", "duration_min"),
    ({"metrics": [{"kind": "mean"}]}, "`metrics[0].column` is missing", "mean of a column"),
    ({"metrics": [{"kind": "mean", "colum": "x"}]}, "has no field 'colum'", "the nearest is column"),
    ({"metrics": [{"kind": "mean", "column": 7}]}, "`metrics[0].column` is no short text", "130"),
    ({"metrics": [{"kind": "quantile", "column": "x"}]}, "`metrics[0].q` is not between 0 and 1", "0.9"),
    ({"metrics": [{"kind": "quantile", "column": "x", "q": 1}]}, "`metrics[0].q`", "0.9"),
    ({"metrics": [{"kind": "quantile", "column": "x", "q": 90}]}, "`metrics[0].q`", "0.9"),
    ({"metrics": [{"kind": "quantile", "column": "x", "q": True}]}, "`metrics[0].q`", "0.9"),
    ({"metrics": [{"kind": "median", "column": "x", "q": 0.5}]}, "`metrics[0].q` says nothing of median", "quantile"),
    ({"metrics": [{"kind": "ratio", "column": "x"}]}, "`metrics[0].per` is missing", "`per`"),
    ({"metrics": [{"kind": "per_person", "per": "y"}]}, "`metrics[0].per` of per_person", "everyone"),
    ({"metrics": [{"kind": "people", "per": "y"}]}, "`metrics[0].per` says nothing of people", "ratio"),
    ({"metrics": [{"kind": "people", "value": 1}]}, "`metrics[0].value` says nothing of people", "`where`"),
    ({"metrics": [{"kind": "share", "column": "x", "value": []}]}, "`metrics[0].value` has 0 values", "1 to 200"),
    ({"metrics": [{"kind": "share", "column": "x", "value": {}}]}, "`metrics[0].value`", "is_null"),
    ({"metrics": ["people", "people"]}, "labelled 'people'", '"label"'),
    ({"metrics": ["people"] * 11}, "`metrics` has 11 entries", "10 at most"),
    ({"metrics": [{"kind": "people", "label": "a\nb"}]}, "`metrics[0].label` is no short text", "60"),
    ({"by": ["a", "b", "c", "d", "e"]}, "`by` has 5 entries", "4 at most"),
    ({"by": [7]}, "`by[0]` is no short text", "130"),
    ({"by": {"column": "x"}}, "`by` is no list", "list"),
    ({"where": [{"column": "x", "op": "~", "value": 1}]}, "`where[0].op` '~' is unknown", "between"),
    ({"where": ["a", {"value": 1}]}, "`where[1].column` is missing", "Name a column"),
    ({"where": 7}, "`where` is no list", "gender"),
    ({"period": "yesterday"}, "`period` is 'yesterday'", "last_month"),
    ({"period": {}}, "`period` says neither from nor to", "2026-01-01"),
    ({"period": {"from": "soon"}}, "`period.from` is no day", "2026-01-31"),
    ({"period": {"from": "2026-02-01", "to": "2026-01-01"}}, "ends (2026-01-01) before it begins", "both included"),
    ({"period": {"last": 0}}, "`period.last` is no number", "last"),
    ({"period": {"last": 3, "unit": "fortnight"}}, "`period.unit` 'fortnight' is unknown", "day, week, month"),
    ({"period": {"since": "2026-01-01"}}, "`period` has no field 'since'", "from, to"),
    ({"compare": "last_year"}, "`compare` is 'last_year'", "previous_period"),
    ({"compare": {"label": "x"}}, "`compare` is", "segment"),
    ({"compare": {"segment": [], "lable": "x"}}, "`compare` has no field 'lable'", "the nearest is label"),
    ({"sort": "peple"}, "`sort.metric` 'peple' is unknown", "the nearest is people"),
    ({"sort": {"metric": "people", "order": "down"}}, "`sort.order` 'down' is unknown", "desc, asc"),
    ({"sort": 7}, "`sort` is no object", "metric"),
    ({"limit": 0}, "`limit` is '0'", "1 to 1000"),
    ({"limit": 5000}, "`limit` is '5000'", "1 to 1000"),
    ({"limit": True}, "`limit` is 'True'", "whole number"),
    ({"total": "yes"}, "`total` is 'yes'", "true or false"),
    ({"weighting": "none"}, "`weighting` 'none' is unknown", "auto, off"),
    ({"filters": []}, "The question has no field 'filters'", "where"),
    ({"dataset": ""}, "`dataset` is missing", "name"),
]


@pytest.mark.parametrize(("said", "message", "hint"), BAD)
def test_what_cannot_be_read_names_the_place_and_what_fits(said: Json, message: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_question({**PEOPLE, **said})

    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize("document", [None, [], "people", 7])
def test_a_question_is_an_object(document: Any) -> None:
    with pytest.raises(InvalidRequest, match="The question is no object"):
        parse_question(document)
