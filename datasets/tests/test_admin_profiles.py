"""Profiles on the pages of the admin: progress, findings, personal columns, a proposed design."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from datasets.approval import approve_dataset
from datasets.columns import decide_shown
from datasets.models import Dataset, DatasetColumn, Finding, ProfilingRun
from datasets.profiling.service import run_profile
from datasets.registration import register_dataset
from datasets.tests.test_admin import change_url, form_of, make_row, text_of
from datasets.tests.test_admin import staff as staff  # a fixture, imported to be used by its name
from datasets.tests.test_profile_runs import PEOPLE
from tests.servers import MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)


def note(dataset: Dataset, code: str, severity: str = "warning", **values: Any) -> Finding:  # Any: fields
    fields = {"kind": "quality", "message": f"Message of {code}.", "table": "public.users", **values}
    return Finding.objects.create(dataset=dataset, code=code, severity=severity, **fields)


def view_only(*models: str) -> Client:
    user = User.objects.create_user("vic", is_staff=True)
    for model in models:
        user.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def people(transactional_db: None, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> Dataset:
    registration = register_dataset("people", readonly_dsn(make_database(PEOPLE)), actor="test")
    run_profile(registration.profiling_run_id)
    return Dataset.objects.get(pk=registration.dataset_id)


# ── findings ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_page_of_a_dataset_shows_the_gravest_findings_first(staff: Client) -> None:
    dataset = make_row()
    for number in range(14):
        note(dataset, f"noted_{number}", "note", column=f"c{number}")
    note(dataset, "lost", "alarm", kind="drift", count=1234)

    page = text_of(staff.get(change_url(dataset)))

    assert "1 alarm, 14 notes" in page
    assert page.index("Message of lost.") < page.index("Message of noted_0.")
    assert "3 more" in page


def test_without_findings_the_page_says_so(staff: Client) -> None:
    unprofiled, profiled = make_row(), make_row("other")
    Dataset.objects.filter(pk=profiled.pk).update(last_profiled_at="2026-01-01T00:00Z")

    assert "Nothing is known before the first profile" in text_of(staff.get(change_url(unprofiled)))
    assert "noticed nothing" in text_of(staff.get(change_url(profiled)))


def test_dismisses_a_finding_by_a_post_only(staff: Client) -> None:
    dataset = make_row()
    finding = note(dataset, "orphans")
    url = reverse("admin:datasets_dataset_dismiss", args=[dataset.pk, finding.pk])

    staff.get(url)
    finding.refresh_from_db()
    state_after_get = finding.state
    staff.post(url)

    finding.refresh_from_db()
    assert state_after_get == "open"
    assert (finding.state, finding.decided_by) == ("dismissed", "asha")
    assert LogEntry.objects.filter(change_message__contains="orphans").exists()


def test_dismisses_no_finding_of_another_dataset(staff: Client) -> None:
    dataset, other = make_row(), make_row("other")
    finding = note(other, "orphans")

    answer = staff.post(reverse("admin:datasets_dataset_dismiss", args=[dataset.pk, finding.pk]))

    finding.refresh_from_db()
    assert (answer.status_code, finding.state) == (404, "open")


def test_who_may_only_look_decides_nothing(transactional_db: None) -> None:
    dataset = make_row()
    finding = note(dataset, "orphans")
    client = view_only("dataset", "finding")

    page = client.get(change_url(dataset))
    answer = client.post(reverse("admin:datasets_dataset_dismiss", args=[dataset.pk, finding.pk]))
    client.post(
        reverse("admin:datasets_finding_changelist"), {"action": "dismiss", "_selected_action": [str(finding.pk)]}
    )

    finding.refresh_from_db()
    assert "Dismiss" not in text_of(page)
    assert (answer.status_code, finding.state) == (403, "open")


def test_the_list_has_the_gravest_first(staff: Client) -> None:
    dataset = make_row()
    for severity in ("note", "alarm", "warning"):
        note(dataset, f"a_{severity}", severity)

    page = text_of(staff.get(reverse("admin:datasets_finding_changelist")))

    places = [page.index(f"Message of a_{severity}.") for severity in ("alarm", "warning", "note")]
    assert places == sorted(places)


def test_dismisses_several_from_the_list(staff: Client) -> None:
    dataset = make_row()
    findings = [note(dataset, code) for code in ("orphans", "constant", "no_key")]

    staff.post(
        reverse("admin:datasets_finding_changelist"),
        {"action": "dismiss", "_selected_action": [str(finding.pk) for finding in findings[:2]]},
    )

    assert list(Finding.objects.filter(state="dismissed").order_by("pk")) == findings[:2]


# ── progress ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_running_profile_shows_how_far_it_is_and_can_be_cancelled(staff: Client) -> None:
    dataset = make_row()
    run = ProfilingRun.objects.create(
        dataset=dataset, state="running", tables_found=200, tables_read=50, table_at_hand="public.visits"
    )

    page = staff.get(change_url(dataset))
    staff.post(reverse("admin:datasets_dataset_cancel", args=[dataset.pk, run.pk]))

    assert "25 %, 50 of 200 tables" in text_of(page)
    assert "public.visits" in text_of(page)
    assert f'data-progress="{run.pk}"' in page.content.decode()
    run.refresh_from_db()
    assert (run.state, run.cancelled_by) == ("cancelled", "asha")
    assert "25 %" not in text_of(staff.get(change_url(dataset)))


def test_a_profile_that_is_over_is_not_cancelled(staff: Client) -> None:
    dataset = make_row()
    run = dataset.profiling_runs.get()

    answer = staff.post(reverse("admin:datasets_dataset_cancel", args=[dataset.pk, run.pk]), follow=True)

    assert "over already" in text_of(answer)
    run.refresh_from_db()
    assert run.state == "succeeded"


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_table_shows_what_was_found_in_its_columns_and_no_personal_value(staff: Client, people: Dataset) -> None:
    table = people.tables.get(name="people")

    page = text_of(staff.get(change_url(table)))

    assert "weight, 37 distinct, 2.0 % NULL" in page
    assert "Berlin 33%" in page
    assert "free text" in page
    assert "canary" not in page


def test_deciding_how_a_column_is_shown_names_who_decided(staff: Client, people: Dataset) -> None:
    column = DatasetColumn.objects.get(table__dataset=people, name="email")
    url = change_url(column)

    staff.post(url, {**form_of(staff, url), "shown": "masked"})

    column.refresh_from_db()
    assert (column.shown, column.shown_by) == ("masked", "asha")
    finding = Finding.objects.get(code="personal_data", column="email")
    assert (finding.state, finding.decided_by) == ("dismissed", "asha")


def test_what_is_masked_counts_as_a_change_to_approve(staff: Client, people: Dataset) -> None:
    approve_dataset(people.pk, actor="test")
    city = DatasetColumn.objects.get(table__dataset=people, name="city")

    decide_shown([city.pk], "masked", actor="ana")

    assert "masks, hidden columns and row rules" in text_of(staff.get(change_url(people)))


# ── the proposed design ──────────────────────────────────────────────────────────────────────────────────────
def test_the_page_of_a_design_begins_with_what_the_profile_proposes(staff: Client, people: Dataset) -> None:
    url = reverse("admin:datasets_dataset_design", args=[people.pk])

    page = staff.get(url)
    text = page.context["form"]["text"].value()
    checked = staff.post(url, {"text": text, "check": "1"})

    assert "table: public.people" in text
    assert "weight: weight" in text
    assert "What the profile found" in text_of(page)
    assert "one_row_per_unit" in text_of(page)
    assert "Efficiency (Kish)" in text_of(page)
    assert "It fits" in text_of(checked)


def test_the_dataset_leads_to_the_proposal(staff: Client, people: Dataset) -> None:
    assert "proposes a design" in text_of(staff.get(change_url(people)))
