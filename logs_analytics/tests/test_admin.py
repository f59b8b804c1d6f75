from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs_analytics.models import QueryLog
from logs_analytics.recorder import write_records
from logs_analytics.records import Client as CallingClient
from logs_analytics.records import Outcome, Record, first_id_at, new_id

LIST = "admin:logs_analytics_querylog_changelist"
pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("asha", "asha@example.org", "pw"))
    return client


def ask(sql: str = "SELECT 1", *, age: timedelta = timedelta(), **fields: Any) -> UUID:  # Any: fields of Record
    made, moment = new_id()
    if age:
        moment = datetime.now(UTC) - age
        made = UUID(int=first_id_at(moment).int | made.int & ((1 << 80) - 1))
    values = {
        "id": made,
        "created_at": moment,
        "door": "mcp",
        "tool": "execute_query",
        "outcome": Outcome.ANSWERED,
        "query_text": sql,
        "sql_executed": f"{sql} LIMIT 5",
        "query_type": "raw",
        "datasets": ("shop",),
        "person": "Asha",
        "api_key": "desk",
        "client": CallingClient(name="cursor", confidence="high"),
        "total_ms": 12.5,
        "timings_ms": {"plan_ms": 2.0, "run_ms": 10.0},
        **fields,
    }
    write_records([Record(**values)])
    return made


def listed(staff: Client, **query: str) -> list[str]:
    answer = staff.get(reverse(LIST), query)
    assert answer.status_code == 200
    return [row.question_start for row in answer.context["cl"].result_list]


def test_lists_the_newest_question_first(staff: Client) -> None:
    ask("SELECT 'old'", age=timedelta(days=2))
    ask("SELECT 'new'")

    assert listed(staff) == ["SELECT 'new'", "SELECT 'old'"]


def test_says_where_to_begin_while_nothing_was_asked(staff: Client) -> None:
    assert b"Nothing has been asked yet." in staff.get(reverse(LIST)).content


def test_finds_questions_by_time_outcome_client_type_door_and_words(staff: Client) -> None:
    ask("SELECT 'plain'")
    ask("SELECT 'old'", age=timedelta(days=2))
    ask("DELETE", outcome=Outcome.REFUSED, error_code="query_refused", query_type="", door="command")
    ask("SELECT 'sum'", query_type="aggregated", weighting="weighted", client=CallingClient(name="chatgpt"))

    assert "SELECT 'old'" not in listed(staff, since="1d")
    assert "SELECT 'old'" in listed(staff, since="7d")
    assert listed(staff, outcome__exact="refused") == ["DELETE"]
    assert listed(staff, client="chatgpt") == ["SELECT 'sum'"]
    assert listed(staff, query_type="aggregated") == ["SELECT 'sum'"]
    assert listed(staff, weighting="weighted") == ["SELECT 'sum'"]
    assert listed(staff, door="command") == ["DELETE"]
    assert listed(staff, q="query_refused") == ["DELETE"]
    assert listed(staff, q="'plain'") == ["SELECT 'plain'"]


def test_shows_one_question_whole_and_escaped(staff: Client) -> None:
    made = ask("SELECT '<script>alert(1)</script>'")

    page = staff.get(reverse("admin:logs_analytics_querylog_change", args=[made])).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#x27; LIMIT 5" in page
    assert "<script>alert(1)" not in page
    assert "10.0 ms" in page
    assert "<script>alert(1)" not in staff.get(reverse(LIST)).content.decode()


def test_is_read_only(staff: Client) -> None:
    made = ask()
    change = reverse("admin:logs_analytics_querylog_change", args=[made])

    assert staff.post(change, {"query_text": "other"}).status_code == 403
    assert staff.post(reverse("admin:logs_analytics_querylog_delete", args=[made]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse("admin:logs_analytics_querylog_add")).status_code == 403
    staff.post(reverse(LIST), {"action": "delete_selected", "_selected_action": [str(made)], "post": "yes"})
    assert QueryLog.objects.get().query_text == "SELECT 1"


def test_never_counts_the_log_and_reads_thirty_rows_as_fast_as_three(staff: Client) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(reverse(LIST)).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    for _ in range(3):
        ask()
    few = queries()
    for _ in range(27):
        ask()
    many = queries()

    assert len(few) == len(many)
    assert not [query for query in many if "COUNT(" in query and "querylog" in query]


def test_opens_pages_far_behind_without_an_error(staff: Client) -> None:
    ask()

    assert listed(staff, p="40") == []
