"""What a dataset that withholds estimates on few persons still tells: against real answers, with linear algebra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np
import psycopg
import pytest

from config.errors import BaseUnknown
from datasets.catalog import DatasetSpec
from datasets.design import LowBase
from querying.evidence import Base, read_evidence
from querying.sql.tests.panel import plan
from querying.sql.weights.tests.answers import run
from querying.sql.weights.tests.demos import confirm
from querying.sql.weights.tests.test_truth import DESIGNS, TABLES
from querying.suppression import WITHHELD, SuppressionPlan, suppress

ATTRIBUTES = ("gender", "age_group", "nccs", "townclass")
Rows = list[tuple[object, ...]]


def base(n: int) -> Base:
    return Base(n, n, n, 1.0, "**" if n < 30 else "")


# ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────
def test_withholds_all_that_is_computed_in_a_row_and_puts_it_last() -> None:
    rows = [("a", "9", "3"), ("b", "100", "40")]
    bases = [(None, base(9), base(40)), (None, base(100), base(40))]

    cells, known = suppress(SuppressionPlan((False, True, True), (False,) * 3), rows, bases)

    assert cells == (("b", "100", "40"), ("a", None, None))
    assert known == (bases[1], (None, WITHHELD, WITHHELD))


def test_leaves_everything_where_every_base_is_large_enough() -> None:
    rows, bases = [("a", "90")], [(None, base(90))]

    assert suppress(SuppressionPlan((False, True), (False, True)), rows, bases) == (tuple(rows), tuple(bases))


def test_withholds_shares_and_ranks_of_all_rows_once_one_row_is_withheld() -> None:
    rows = [("a", "9", "9 %"), ("b", "100", "91 %")]
    plan_ = SuppressionPlan((False, True, True), (False, False, True))

    cells, known = suppress(plan_, rows, [(None, base(9), base(9)), (None, base(100), base(100))])

    assert cells == (("b", "100", None), ("a", None, None))
    assert known[0] == (None, base(100), WITHHELD)


def test_withholds_totals_over_a_withheld_row() -> None:
    rows = [
        ("f", "x", "9"),
        ("f", "y", "100"),
        ("f", None, "109"),
        ("m", "x", "80"),
        ("m", None, "80"),
        (None, None, "189"),
    ]
    bases = [(None, None, base(int(row[2] or 0))) for row in rows]
    plan_ = SuppressionPlan((False, False, True), (False,) * 3, has_sets=True, groups=(0, 1))

    cells, _ = suppress(plan_, rows, bases)

    assert [row for row in cells if row[2] is not None] == [("f", "y", "100"), ("m", "x", "80"), ("m", None, "80")]


# ── nothing that is withheld can be worked out ───────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def panel(demo_urls: dict[str, str]) -> DatasetSpec:
    return confirm(demo_urls["panel_in"], TABLES["panel_in"], DESIGNS["panel_in"])


@pytest.fixture(scope="module")
def session(demo_urls: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(demo_urls["panel_in"], options="-c search_path=pg_catalog", autocommit=True) as connection:
        yield connection


def withholding(dataset: DatasetSpec, minimum: int) -> DatasetSpec:
    assert dataset.survey_design is not None
    policy = LowBase("suppress", minimum, max(minimum, 50), max(minimum, 100))
    return replace(dataset, survey_design=replace(dataset.survey_design, low_base=policy))


def answer(sql: str, dataset: DatasetSpec, session: psycopg.Connection) -> tuple[Rows, Rows]:
    """Rows as they would be without the policy, and as they are shown, in the same order of groups."""
    planned = plan(sql, dataset)
    assert planned.evidence is not None
    assert planned.suppression is not None
    _, found = run(session, planned.sql)
    cells = [tuple(None if value is None else str(value) for value in row[:-1]) for row in found]
    texts = ["{" + ",".join("NULL" if one is None else repr(one) for one in row[-1]) + "}" for row in found]  # type: ignore[attr-defined]
    bases = [read_evidence(planned.evidence, text) for text in texts]
    numbered = [(*row, str(place)) for place, row in enumerate(cells)]
    wider = SuppressionPlan(
        (*planned.suppression.computed, False),
        (*planned.suppression.across, False),
        planned.suppression.has_sets,
        planned.suppression.groups,
        planned.suppression.is_cut,
    )
    shown, _ = suppress(wider, numbered, [(*row, None) for row in bases])
    by_place = {row[-1]: row[:-1] for row in shown}
    return [tuple(row) for row in cells], [by_place[str(place)] for place in range(len(cells))]


def grouping(random: Random, chosen: tuple[str, ...]) -> str:
    names = ", ".join(chosen)
    subsets = [", ".join(random.sample(chosen, random.randint(0, len(chosen)))) for _ in range(2)]
    sets = dict.fromkeys([names, *(", ".join(sorted(one.split(", "))) if one else "" for one in subsets), ""])
    return random.choice(
        [names, f"ROLLUP ({names})", f"CUBE ({names})", f"GROUPING SETS ({', '.join(f'({one})' for one in sets)})"]
    )


@pytest.mark.parametrize("seed", range(60))
def test_no_withheld_number_follows_from_the_numbers_that_are_left(
    seed: int, panel: DatasetSpec, session: psycopg.Connection
) -> None:
    """Counts are sums over cells of all attributes: a withheld one must not be a combination of those shown."""
    random = Random(seed)
    chosen = tuple(sorted(random.sample(ATTRIBUTES, random.randint(1, 3))))
    share = random.choice(["", ", 100.0 * count(*) / sum(count(*)) OVER () AS share"])
    names = ", ".join(chosen)
    groups = grouping(random, chosen)
    sql = f"SELECT {names}, count(*) AS people{share} FROM panel_users GROUP BY {groups} ORDER BY people DESC"
    if random.random() < 0.5:
        sql = random.choice([f"WITH m AS ({sql}) SELECT * FROM m", f"SELECT * FROM ({sql}) AS m WHERE people > 0"])

    whole, shown = answer(sql, withholding(panel, random.choice([30, 60, 150, 400])), session)

    _, values = run(session, f"SELECT DISTINCT {names} FROM public.panel_users WHERE weight > 0")
    cells = [tuple(map(str, row)) for row in values]
    people = len(chosen)

    def functional(row: tuple[object, ...]) -> list[float]:
        return [float(all(row[k] in (None, cell[k]) for k in range(people))) for cell in cells]

    left = [functional(row) for row, seen in zip(whole, shown, strict=True) if seen[people] is not None]
    if any(len(seen) > people + 1 and seen[people + 1] is not None for seen in shown):
        left.append([1.0] * len(cells))  # a share tells the total
    rank = int(np.linalg.matrix_rank(np.array(left))) if left else 0
    for row, seen in zip(whole, shown, strict=True):
        if seen[people] is None:
            assert int(np.linalg.matrix_rank(np.array([*left, functional(row)]))) == rank + 1, (sql, row)


def test_some_numbers_are_withheld_and_some_are_left(panel: DatasetSpec, session: psycopg.Connection) -> None:
    sql = "SELECT age_group, nccs, count(*) AS people FROM panel_users GROUP BY ROLLUP (age_group, nccs)"

    whole, shown = answer(sql, withholding(panel, 60), session)

    withheld = [row for row in shown if row[2] is None]
    assert 0 < len(withheld) < len(whole)
    assert (None, None, None) in withheld


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nccs, count(*) AS people, lag(count(*)) OVER (ORDER BY nccs) AS w FROM panel_users GROUP BY 1 LIMIT 2",
        "WITH m AS (SELECT nccs, count(*) AS people, lag(count(*)) OVER (ORDER BY nccs) AS w FROM panel_users "
        "GROUP BY 1) SELECT * FROM m WHERE nccs = 'A'",
    ],
)
def test_withholds_what_may_be_of_a_row_that_was_cut_off(
    sql: str, panel: DatasetSpec, session: psycopg.Connection
) -> None:
    _, shown = answer(sql, withholding(panel, 2), session)

    assert shown
    assert all(people is not None and window is None for _, people, window in shown)


# ── what cannot be counted is refused ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("sql", "weighting"),
    [
        ("SELECT gender, count(*) FROM panel_users GROUP BY gender", "off"),
        ("SELECT gender, sum(weight) FROM panel_users GROUP BY gender", "auto"),
        ("SELECT max(age_group) FROM panel_users", "auto"),
        ("SELECT count(DISTINCT app) FROM panel_events", "auto"),
        (
            "SELECT gender, count(*) FROM panel_users GROUP BY gender UNION SELECT 'all', count(*) FROM panel_users",
            "auto",
        ),
        ("SELECT count(*), (SELECT count(*) FROM panel_users WHERE state = 'Goa') FROM panel_users", "auto"),
        ("WITH m AS (SELECT nccs, count(*) AS n FROM panel_users GROUP BY 1) SELECT max(n) FROM m", "auto"),
        (
            "WITH m AS (SELECT nccs, count(*) AS n FROM panel_users GROUP BY 1) "
            "SELECT nccs, n, (SELECT min(n) FROM m) FROM m WHERE nccs = 'A'",
            "auto",
        ),
        (
            "SELECT a.n, b.n FROM (SELECT count(*) AS n FROM panel_users) AS a, "
            "(SELECT count(*) AS n FROM panel_users WHERE state = 'Goa' UNION ALL SELECT 1) AS b",
            "auto",
        ),
        ("SELECT user_id, count(*) OVER (PARTITION BY state) FROM panel_users", "auto"),
    ],
)
def test_refuses_what_cannot_be_counted(sql: str, weighting: str, panel: DatasetSpec) -> None:
    with pytest.raises(BaseUnknown) as caught:
        plan(sql, withholding(panel, 30), weighting=weighting)

    assert "one SELECT" in caught.value.hint


@pytest.mark.parametrize(
    "sql", ["SELECT user_id, age_group FROM panel_users", "EXPLAIN SELECT count(*) FROM panel_users", "SELECT 1"]
)
def test_leaves_to_other_rules_what_is_no_estimate(sql: str, panel: DatasetSpec) -> None:
    assert plan(sql, withholding(panel, 30)).suppression is None
