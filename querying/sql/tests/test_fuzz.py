"""Mutations of both sets: no crash, and nothing harmful among what passes."""

from __future__ import annotations

import random

import psycopg
import pytest

from config.errors import GatewayError
from datasets.catalog import DatasetSpec
from querying.sql.tests.cases import load_cases
from querying.sql.tests.conftest import Fetch
from querying.sql.tests.panel import ANALYST, plan

ALLOWED = [case.sql for case in load_cases("allowed")]
REFUSED = [case.sql for case in load_cases("refused")]
SECRETS = ("example.org", "+919", "root:", "secret")
ROUNDS = 3_000


def mutate(chance: random.Random) -> str:
    """Words of one statement, with words or stretches of another put in, taken out or moved."""
    words = chance.choice(ALLOWED + REFUSED).split(" ")
    other = chance.choice(REFUSED).split(" ")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words) + 1)
        start = chance.randrange(len(other))
        stretch = other[start : start + chance.randint(1, 6)]
        words[at : at + chance.randint(0, 3)] = chance.choice([stretch, [], [chance.choice(other)], words[:3]])
    return " ".join(words)


@pytest.mark.parametrize("seed", range(4))
def test_mutations_neither_crash_nor_reach_what_is_hidden(seed: int, dataset: DatasetSpec, fetch: Fetch) -> None:
    chance = random.Random(seed)
    planned = [sql for sql in (attempt(mutate(chance), dataset) for _ in range(ROUNDS)) if sql]

    shown = [answer(sql, fetch) for sql in planned]

    assert len(planned) > ROUNDS / 50
    assert not [text for text in shown if any(secret in text for secret in SECRETS)]


def attempt(sql: str, dataset: DatasetSpec) -> str:
    """The SQL to send, '' when refused; any other error is a crash and fails the test."""
    try:
        return plan(sql, dataset, principal=ANALYST).sql
    except GatewayError:
        return ""


def answer(sql: str, fetch: Fetch) -> str:
    """What PostgreSQL shows, its error texts included."""
    try:
        return str(fetch(sql)[1])
    except psycopg.Error as error:
        return str(error)
