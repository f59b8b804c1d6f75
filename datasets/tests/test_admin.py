from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from dramatiq import Worker
from pytest_django.fixtures import Settings

from datasets.access import hash_token
from datasets.admin.changes import describe_changes
from datasets.credentials import keys_fit, seal_dsn
from datasets.keys import create_api_key
from datasets.lifecycle import Status
from datasets.models import (
    ApiKey,
    CatalogVersion,
    Dataset,
    DatasetColumn,
    DatasetRoutine,
    DatasetTable,
    ProfilingRun,
    SystemConfig,
)
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import build_document, publish, read_version
from datasets.system_config import SECTIONS, default_of
from tests.servers import MakeDatabase

CANARY = "canary-pa55word"
DSN = f"postgresql://reader:{CANARY}@db.example.org:5432/shop"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff(transactional_db: None) -> Client:
    """A superuser's browser; no answer that it gets may hold the canary password."""
    client = Watched()
    client.force_login(User.objects.create_superuser("asha", "asha@example.org", "pw"))
    # rows that the migrations made and that the test before this one flushed away
    CatalogVersion.objects.get_or_create(id=1)
    for section in SECTIONS:
        SystemConfig.objects.get_or_create(key=section, defaults={"value": default_of(section)})
    keys_fit()
    return client


class Watched(Client):
    def request(self, **request: Any) -> Any:  # Any: a WSGI environ, and the stubs' private answer type
        answer = super().request(**request)
        assert CANARY not in answer.content.decode()
        assert CANARY not in str(answer.headers)
        return answer


class Answer(Protocol):
    content: bytes


def make_row(name: str = "shop", **fields: object) -> Dataset:
    """A dataset with a table, a column, a run and a published version, without a database behind it."""
    values = {
        "title": f"Title of {name}",
        "status": Status.ACTIVE,
        "host": "db.example.org",
        "port": 5432,
        "database": "shop",
        "username": "reader",
        "additions": {},
        **fields,
    }
    dataset = Dataset.objects.create(name=name, connection=seal_dsn(DSN), connection_id="c1", **values)
    table = DatasetTable.objects.create(dataset=dataset, schema="public", name="users", kind="table", row_estimate=50)
    DatasetColumn.objects.create(table=table, position=1, name="gender", data_type="text", comment="As told")
    ProfilingRun.objects.create(dataset=dataset, state=ProfilingRun.State.SUCCEEDED)
    make_routine(dataset)
    publish(dataset, actor="test")
    return dataset


def make_routine(dataset: Dataset, name: str = "doubled", **fields: object) -> DatasetRoutine:
    values = {
        "schema": "public",
        "arguments": "a integer",
        "kind": "function",
        "returns": "integer",
        "volatility": "immutable",
        "language": "sql",
        "owner": "postgres",
        "body_hash": "0",
        **fields,
    }
    return DatasetRoutine.objects.create(dataset=dataset, name=name, **values)


def change_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def step_url(dataset: Dataset, name: str) -> str:
    return reverse("admin:datasets_dataset_step", args=[dataset.pk, name])


def text_of(answer: Answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def form_of(staff: Client, url: str) -> dict[str, str]:
    """What a browser would send back for the page's main form."""
    page = staff.get(url)
    form = page.context["adminform"].form
    sent = {}
    for bound in form:
        value = bound.value()
        shown = bound.field.prepare_value(value)
        sent[bound.html_name] = "" if shown is None else str(shown)
        if bound.field.show_hidden_initial:
            sent[bound.html_initial_name] = sent[bound.html_name]
    for inline in page.context["inline_admin_formsets"]:
        for bound in inline.formset.management_form:
            sent[bound.html_name] = str(bound.value())
        for row in inline.formset.initial_forms:
            for bound in row:
                value = bound.value()
                if bound.field.widget.__class__.__name__.startswith("UnfoldBoolean"):
                    if value:
                        sent[bound.html_name] = "on"
                else:
                    sent[bound.html_name] = "" if value is None else str(getattr(value, "pk", value))
    return sent


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────
LISTS = [
    "datasets_dataset",
    "datasets_datasettable",
    "datasets_datasetcolumn",
    "datasets_datasetroutine",
    "datasets_persona",
    "datasets_profilingrun",
    "datasets_finding",
    "datasets_catalogentry",
    "datasets_catalogversion",
    "datasets_apikey",
    "datasets_systemconfig",
    "auth_user",
    "auth_group",
]


@pytest.mark.parametrize("name", LISTS)
def test_opens_every_list_with_and_without_rows(staff: Client, name: str) -> None:
    assert staff.get(reverse(f"admin:{name}_changelist")).status_code == 200

    make_row()
    create_api_key("desk")

    assert staff.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"admin:{name}_changelist"), {"q": "o"}).status_code == 200


def test_opens_the_page_of_every_row(staff: Client) -> None:
    dataset = make_row()
    create_api_key("desk")
    table = dataset.tables.get()

    rows = [dataset, table, dataset.profiling_runs.get(), dataset.entries.get(), ApiKey.objects.get()]
    rows += [dataset.routines.get()]
    urls = [change_url(row) for row in [*rows, *SystemConfig.objects.all()]]
    urls += [reverse("admin:datasets_datasetcolumn_change", args=[table.columns.get().pk])]
    urls += [reverse("admin:datasets_catalogversion_change", args=[1])]
    urls += [
        reverse(f"admin:{name}_add") for name in ("datasets_dataset", "datasets_apikey", "auth_user", "auth_group")
    ]
    urls += [reverse("admin:datasets_dataset_history", args=[dataset.pk]), reverse("admin:index")]
    urls += [reverse("admin:datasets_dataset_connection", args=[dataset.pk])]

    assert {url: staff.get(url).status_code for url in urls} == dict.fromkeys(urls, 200)


def test_shows_the_connection_as_host_database_and_user_only(staff: Client) -> None:
    dataset = make_row()

    shown = text_of(staff.get(change_url(dataset)))

    assert "db.example.org:5432" in shown
    assert "reader" in shown
    listed = text_of(staff.get(reverse("admin:datasets_dataset_changelist")))
    assert "db.example.org:5432/shop reader" in listed


def test_says_what_to_do_when_no_dataset_is_registered(staff: Client) -> None:
    shown = text_of(staff.get(reverse("admin:datasets_dataset_changelist")))

    assert "No dataset yet." in shown
    assert "manage.py register_dataset" in shown


def test_filters_datasets_by_state_and_unsafe_role(staff: Client) -> None:
    make_row("one", unsafe_role_allowed_by="asha")
    make_row("two", status=Status.ERROR)
    url = reverse("admin:datasets_dataset_changelist")

    def listed(**query: str) -> list[str]:
        return [row.name for row in staff.get(url, query).context["cl"].result_list]

    assert listed(role="unsafe") == ["one"]
    assert listed(role="safe") == ["two"]
    assert listed(status__exact="error") == ["two"]
    assert listed(q="Title of two") == ["two"]


# ── registering ──────────────────────────────────────────────────────────────────────────────────────────────
def asked(name: str, dsn: str, **more: str) -> dict[str, str]:
    return {
        "name": name,
        "connection_string": dsn,
        "data_category": "survey",
        "dataset_type": "aggregated",
        "data_source": "fabric",
        "personal_data": "masked",
        "design_decision": "none",
        **more,
    }


def test_registers_profiles_and_approves_a_database(staff: Client, worker: Worker, shop_dsn: str) -> None:
    sent = asked("shop", shop_dsn, title="A shop", use_cases="Who buys?\n\nWhen?", owner="Ravi")
    answer = staff.post(reverse("admin:datasets_dataset_add"), sent, follow=True)
    dataset = Dataset.objects.get(name="shop")

    assert answer.redirect_chain[-1][0] == change_url(dataset)
    assert "Reachable" in text_of(answer)
    assert str(urlsplit(shop_dsn).password) not in answer.content.decode()
    assert (dataset.data_source, dataset.use_cases, dataset.created_by) == ("fabric", ["Who buys?", "When?"], "asha")
    wait_for_run(dataset.profiling_runs.get().pk, wait_s=20)

    approved = staff.post(step_url(dataset, "approve"), follow=True)

    dataset.refresh_from_db()
    assert (dataset.status, dataset.approved_by) == (Status.ACTIVE, "asha")
    assert "Approved by asha" in text_of(approved)


def test_shows_a_rejected_password_at_the_field_and_never_gives_it_back(staff: Client, shop_dsn: str) -> None:
    password = urlsplit(shop_dsn).password or ""
    answer = staff.post(reverse("admin:datasets_dataset_add"), asked("shop", shop_dsn.replace(password, CANARY)))

    assert "rejected the password" in answer.context["adminform"].form.errors["connection_string"][0]
    assert "Check user and password" in text_of(answer)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        (f"mysql://root:{CANARY}@localhost/x", "does not start with postgresql://"),
        (f"postgresql://u:{CANARY}@127.0.0.1:1/x", "cannot be reached"),
        (f"postgresql://u:{CANARY}@no-such-host.invalid/x", "cannot be resolved"),
    ],
)
def test_shows_what_is_wrong_with_a_connection_string_in_place(staff: Client, dsn: str, message: str) -> None:
    answer = staff.post(reverse("admin:datasets_dataset_add"), asked("shop", dsn))

    assert message in answer.context["adminform"].form.errors["connection_string"][0]


def test_shows_a_taken_name_in_place(staff: Client, shop_dsn: str) -> None:
    make_row("shop")

    answer = staff.post(reverse("admin:datasets_dataset_add"), asked("shop", shop_dsn))

    assert "already" in answer.context["adminform"].form.errors["name"][0]


def test_refuses_to_approve_while_the_role_may_write(
    staff: Client, worker: Worker, make_database: MakeDatabase
) -> None:
    staff.post(reverse("admin:datasets_dataset_add"), asked("shop", make_database("CREATE TABLE t (a int)")))
    dataset = Dataset.objects.get()
    wait_for_run(dataset.profiling_runs.get().pk, wait_s=20)

    answer = staff.post(step_url(dataset, "approve"), follow=True)

    dataset.refresh_from_db()
    assert dataset.status == Status.HUMAN_REVIEW
    assert "The role may do more than read" in text_of(answer)
    assert "Blocked" in text_of(answer)


def test_records_and_shows_who_allowed_an_unsafe_role(
    staff: Client, worker: Worker, make_database: MakeDatabase
) -> None:
    sent = asked("shop", make_database("CREATE TABLE t (a int)"), allow_unsafe_role="on")
    answer = staff.post(reverse("admin:datasets_dataset_add"), sent, follow=True)

    assert "Unsafe role allowed by asha." in text_of(answer)
    assert "Unsafe role" in text_of(staff.get(reverse("admin:datasets_dataset_changelist")))


def test_offers_no_unsafe_role_in_production(staff: Client, settings: Settings) -> None:
    settings.ALLOW_UNSAFE_ROLES = False
    dataset = make_row()

    for url in (reverse("admin:datasets_dataset_add"), change_url(dataset)):
        assert b"allow_unsafe_role" not in staff.get(url).content


# ── the object page ──────────────────────────────────────────────────────────────────────────────────────────
def test_says_that_edits_of_an_active_dataset_wait_for_approval(staff: Client) -> None:
    dataset = make_row()
    assert "Approve changes" not in text_of(staff.get(change_url(dataset)))

    sent = {**form_of(staff, change_url(dataset)), "description": "New words", "raw_rows": "3", "_save": "1"}
    answer = staff.post(change_url(dataset), sent, follow=True)

    dataset.refresh_from_db()
    assert (dataset.description, dataset.query_limits, dataset.updated_by) == ("New words", {"raw_rows": 3}, "asha")
    assert "Approve changes" in text_of(answer)
    assert "Changed: description, row limits." in text_of(answer)


def test_edits_tables_and_columns_in_place(staff: Client) -> None:
    dataset = make_row()
    table = dataset.tables.get()

    sent = {**form_of(staff, change_url(dataset)), "tables-0-description": "People", "_save": "1"}
    del sent["tables-0-included"]
    staff.post(change_url(dataset), sent)
    sent = {**form_of(staff, change_url(table)), "columns-0-description": "Self-reported", "_save": "1"}
    staff.post(change_url(table), sent)

    table.refresh_from_db()
    assert (table.description, table.included, table.columns.get().description) == ("People", False, "Self-reported")


def test_keeps_what_a_profile_wrote_while_the_page_was_open(staff: Client) -> None:
    dataset = make_row(status=Status.PROFILING)
    sent = {**form_of(staff, change_url(dataset)), "title": "Mine", "_save": "1"}
    Dataset.objects.filter(pk=dataset.pk).update(
        status=Status.HUMAN_REVIEW, description="From the database", date_column="public.events.day"
    )

    staff.post(change_url(dataset), sent)

    dataset.refresh_from_db()
    assert (dataset.title, dataset.description, dataset.status) == ("Mine", "From the database", Status.HUMAN_REVIEW)
    assert dataset.date_column == "public.events.day"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("raw_rows", "5000", "less than or equal to 1000"), ("date_range_end", "2020-01-01", "lies before the start")],
)
def test_checks_edited_fields_in_place(staff: Client, field: str, value: str, message: str) -> None:
    dataset = make_row(date_range_start="2026-01-01")

    answer = staff.post(change_url(dataset), {**form_of(staff, change_url(dataset)), field: value, "_save": "1"})

    assert message in answer.context["adminform"].form.errors[field][0]


def test_replaces_the_connection_after_the_same_checks(staff: Client, shop_dsn: str) -> None:
    dataset = make_row()
    url = reverse("admin:datasets_dataset_connection", args=[dataset.pk])

    refused = staff.post(url, {"connection_string": f"postgresql://u:{CANARY}@127.0.0.1:1/x"})
    accepted = staff.post(url, {"connection_string": shop_dsn}, follow=True)

    assert "cannot be reached" in refused.context["adminform"].form.errors["connection_string"][0]
    assert accepted.redirect_chain[-1][0] == change_url(dataset)
    dataset.refresh_from_db()
    assert dataset.host == urlsplit(shop_dsn).hostname
    assert dataset.live_entry is not None
    assert dataset.live_entry.connection_id == dataset.connection_id


def test_shows_the_refusal_of_a_service_as_a_message(staff: Client) -> None:
    dataset = make_row(status=Status.DRAFT)

    answer = staff.post(step_url(dataset, "approve"), follow=True)

    assert "is in state draft and cannot be approved. Profile it first" in text_of(answer)


def test_changes_nothing_by_following_a_link(staff: Client) -> None:
    dataset = make_row()

    staff.get(step_url(dataset, "deactivate"))

    dataset.refresh_from_db()
    assert dataset.status == Status.ACTIVE


def test_deactivates_and_brings_back_selected_datasets(
    staff: Client, make_active: Callable[..., Dataset], shop_dsn: str
) -> None:
    dataset = make_active("shop", shop_dsn)
    draft = make_row("other", status=Status.DRAFT)
    url, chosen = reverse("admin:datasets_dataset_changelist"), [dataset.pk, draft.pk]

    answer = staff.post(url, {"action": "deactivate", "_selected_action": chosen}, follow=True)

    dataset.refresh_from_db()
    assert dataset.status == Status.INACTIVE
    assert "shop: deactivated" in text_of(answer)
    assert "other: Only an active dataset can be deactivated." in text_of(answer)

    staff.post(url, {"action": "activate", "_selected_action": [dataset.pk]})
    dataset.refresh_from_db()
    assert dataset.status == Status.ACTIVE


def test_queues_a_profile_again_beside_what_is_live(staff: Client) -> None:
    dataset = make_row()

    staff.post(step_url(dataset, "profile"))

    dataset.refresh_from_db()
    assert dataset.status == Status.ACTIVE
    assert dataset.profiling_runs.filter(state=ProfilingRun.State.QUEUED, requested_by="asha").exists()


@pytest.mark.parametrize("way", ["page", "list"])
def test_deletes_softly_and_asks_first(staff: Client, way: str) -> None:
    dataset = make_row()
    url = reverse("admin:datasets_dataset_delete", args=[dataset.pk])
    sent: dict[str, object] = {"post": "yes"}
    if way == "list":
        url = reverse("admin:datasets_dataset_changelist")
        sent |= {"action": "delete_selected", "_selected_action": [dataset.pk]}
    before = read_version()

    asked_first = staff.get(url) if way == "page" else staff.post(url, {**sent, "post": ""})
    staff.post(url, sent)

    dataset.refresh_from_db()
    assert "history stays" in text_of(asked_first)
    assert dataset.deleted_at is not None
    assert read_version() > before
    assert dataset.entries.exists()
    assert staff.get(change_url(dataset)).status_code == 302


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────
def with_permissions(*codenames: str) -> Client:
    user = User.objects.create_user("vik", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Watched()
    client.force_login(user)
    return client


def test_shows_nothing_to_staff_without_rights() -> None:
    dataset = make_row()
    client = with_permissions()

    index = text_of(client.get(reverse("admin:index")))

    assert "Profiling runs" not in index
    assert "registered, catalog version" not in index
    assert client.get(reverse("admin:datasets_dataset_changelist")).status_code == 403
    assert client.get(change_url(dataset)).status_code == 403


def test_lets_viewers_look_and_change_nothing() -> None:
    dataset = make_row()
    client = with_permissions("view_dataset")

    page = client.get(change_url(dataset))
    listed = client.get(reverse("admin:datasets_dataset_changelist"))

    assert page.status_code == 200
    assert "Deactivate" not in text_of(page)
    assert b"connection_string" not in page.content
    assert b'value="approve"' not in listed.content
    assert client.post(step_url(dataset, "deactivate")).status_code == 403
    connection_url = reverse("admin:datasets_dataset_connection", args=[dataset.pk])
    assert client.post(connection_url, {"connection_string": DSN}).status_code == 403
    assert client.post(reverse("admin:datasets_dataset_add"), asked("x", DSN)).status_code == 403
    dataset.refresh_from_db()
    assert dataset.status == Status.ACTIVE


def test_leads_from_the_login_to_the_overview(transactional_db: None) -> None:
    User.objects.create_superuser("asha", password="pw")

    answer = Client().post(reverse("admin:login"), {"username": "asha", "password": "pw"})

    assert answer["Location"] == reverse("admin:index")


def test_refuses_a_step_without_a_csrf_token(staff: Client) -> None:
    dataset = make_row()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="asha"))

    assert client.post(step_url(dataset, "deactivate")).status_code == 403


# ── a wrong encryption key ───────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def wrong_key(staff: Client, settings: Settings) -> None:
    """A start with another key than the one that encrypted what is stored."""
    make_row()
    settings.ENCRYPTION_KEYS = (Fernet.generate_key().decode(),)


def test_says_on_every_dataset_page_that_the_key_does_not_fit(staff: Client, wrong_key: None) -> None:
    dataset = Dataset.objects.get()

    for url in (reverse("admin:index"), reverse("admin:datasets_dataset_changelist"), change_url(dataset)):
        answer = staff.get(url)
        assert answer.status_code == 200
        assert "The encryption key does not fit." in text_of(answer)


@pytest.mark.parametrize("name", ["approve", "check"])
def test_answers_a_step_with_a_message_under_a_wrong_key(staff: Client, wrong_key: None, name: str) -> None:
    answer = staff.post(step_url(Dataset.objects.get(), name), follow=True)

    assert answer.status_code == 200
    assert "cannot be decrypted with this ENCRYPTION_KEY" in text_of(answer)


# ── API keys ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_shows_a_new_key_exactly_once(staff: Client) -> None:
    dataset = make_row()
    sent = {"name": "desk", "owner": "Asha", "organisation": "Acme", "datasets": [str(dataset.pk)]}
    before = read_version()

    answer = staff.post(reverse("admin:datasets_apikey_add"), sent)

    found = re.search(r"mcpa_[0-9a-f]{8}_[\w-]{43}", answer.content.decode())
    assert found is not None
    key = ApiKey.objects.get()
    assert key.key_hash == hash_token(found[0])
    assert (key.created_by, key.all_datasets, list(key.datasets.all())) == ("asha", False, [dataset])
    assert "no-store" in answer["Cache-Control"]
    assert read_version() > before
    assert found[0] not in str(answer.cookies) + str(dict(staff.session))
    for url in (change_url(key), reverse("admin:datasets_apikey_changelist"), reverse("admin:index")):
        assert found[0].split("_", 2)[2] not in staff.get(url).content.decode()


def test_refuses_a_key_for_no_dataset_and_a_taken_name_in_place(staff: Client) -> None:
    create_api_key("desk")

    nothing = staff.post(reverse("admin:datasets_apikey_add"), {"name": "other"})
    taken = staff.post(reverse("admin:datasets_apikey_add"), {"name": "desk", "all_datasets": "on"})

    assert "datasets" in nothing.context["adminform"].form.errors
    assert "name" in taken.context["adminform"].form.errors
    assert ApiKey.objects.count() == 1


def test_edits_what_a_key_may_ask_in_every_process(staff: Client) -> None:
    dataset = make_row()
    create_api_key("desk")
    key, before = ApiKey.objects.get(), read_version()

    staff.post(change_url(key), {"name": "renamed", "owner": "Ravi", "datasets": [str(dataset.pk)], "_save": "1"})

    key.refresh_from_db()
    assert (key.name, key.owner, key.all_datasets) == ("desk", "Ravi", False)
    assert list(key.datasets.all()) == [dataset]
    assert read_version() > before


def test_revokes_a_key_and_keeps_its_history(staff: Client) -> None:
    create_api_key("desk")
    key = ApiKey.objects.get()

    assert staff.post(reverse("admin:datasets_apikey_delete", args=[key.pk]), {"post": "yes"}).status_code == 403
    staff.post(reverse("admin:datasets_apikey_revoke", args=[key.pk]))

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "Revoked" in text_of(staff.get(reverse("admin:datasets_apikey_changelist")))


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_shows_the_default_of_a_setting_that_a_newer_version_brought_in(staff: Client) -> None:
    SystemConfig.objects.update_or_create(key="query_limits", defaults={"value": {"raw_rows": 7}})

    page = staff.get(reverse("admin:datasets_systemconfig_change", args=["query_limits"])).content.decode()

    assert 'name="raw_rows" value="7"' in page
    assert 'name="answer_tokens" value="20000"' in page


NEWER_LIMITS = {"answer_tokens": "9000", "significant_digits": "4", "result_ttl_s": "0", "error_rows": "500"}


def test_stores_a_setting_for_every_process(staff: Client) -> None:
    before = read_version()
    url = reverse("admin:datasets_systemconfig_change", args=["query_limits"])

    limits = {"raw_rows": 7, "aggregated_rows": 500, "parallel_queries": 10}
    limits |= {"answer_tokens": 9000, "significant_digits": 4, "result_ttl_s": 0, "error_rows": 500}

    staff.post(url, {name: str(value) for name, value in limits.items()})

    row = SystemConfig.objects.get(key="query_limits")
    assert row.value == limits
    assert row.updated_by == "asha"
    assert read_version() > before


@pytest.mark.parametrize(
    ("section", "sent", "field", "message"),
    [
        (
            "query_limits",
            {"raw_rows": "0", "aggregated_rows": "5", "parallel_queries": "3", **NEWER_LIMITS},
            "raw_rows",
            "greater than or equal to 1",
        ),
        (
            "weighting_rules",
            {"apply": "always", "merges": '{"nccs": {"A": ["A"], "B": ["A"]}}'},
            "merges",
            "more than one class",
        ),
        ("weighting_rules", {"apply": "always", "merges": "{"}, "merges", "valid JSON"),
    ],
)
def test_shows_what_is_wrong_with_a_setting_at_its_field(
    staff: Client, section: str, sent: dict[str, str], field: str, message: str
) -> None:
    before = SystemConfig.objects.get(key=section).value

    answer = staff.post(reverse("admin:datasets_systemconfig_change", args=[section]), sent)

    assert message in answer.context["adminform"].form.errors[field][0]
    assert SystemConfig.objects.get(key=section).value == before


def test_neither_adds_nor_deletes_settings(staff: Client) -> None:
    assert staff.get(reverse("admin:datasets_systemconfig_add")).status_code == 403
    url = reverse("admin:datasets_systemconfig_delete", args=["query_limits"])
    assert staff.post(url, {"post": "yes"}).status_code == 403


# ── functions of a database ──────────────────────────────────────────────────────────────────────────────────
ROUTINES = "admin:datasets_datasetroutine_changelist"


def test_warns_of_functions_that_change_data_or_run_as_their_owner(staff: Client) -> None:
    dataset = make_row()
    make_routine(dataset, "leak", volatility="volatile", security_definer=True, comment="Reads the salaries")

    shown = text_of(staff.get(reverse(ROUTINES)))

    assert "public.leak(a integer)" in shown
    assert "SECURITY DEFINER" in shown
    assert "Reads the salaries" in shown
    assert "live once the dataset is approved again" in shown


def test_lists_no_function_that_a_list_allows_or_that_is_gone(staff: Client) -> None:
    dataset = make_row()
    make_routine(dataset, "unaccent", extension="unaccent")
    make_routine(dataset, "gone", present=False)
    make_row("other", deleted_at=timezone.now())

    listed = [row.name for row in staff.get(reverse(ROUTINES)).context["cl"].result_list]

    assert listed == ["doubled"]


def test_approves_and_withdraws_functions_and_logs_both(staff: Client) -> None:
    dataset = make_row()
    row, other = dataset.routines.get(), make_routine(dataset, "other")
    sent = {"action": "approve", "_selected_action": [row.pk, other.pk]}

    # under a filter that no longer fits once the work is done
    answer = staff.post(f"{reverse(ROUTINES)}?approved__exact=0", sent, follow=True)

    row.refresh_from_db()
    assert (row.approved, row.approved_by) == (True, "asha")
    assert "Approved for callers. Functions: 2. Live once approved again: shop." in text_of(answer)
    page = text_of(staff.get(change_url(dataset)))
    assert "2, 2 approved" in page
    assert "Functions approved: public.doubled, public.other." in page

    staff.post(reverse(ROUTINES), {"action": "withdraw", "_selected_action": [row.pk]})

    row.refresh_from_db()
    assert (row.approved, row.approval_note) == (False, "The approval by asha was withdrawn by asha.")
    messages = [entry.change_message for entry in LogEntry.objects.filter(object_id=str(row.pk)).order_by("pk")]
    assert messages == ["Approved for callers.", "Approval withdrawn."]
    assert "Approval withdrawn." in text_of(staff.get(reverse("admin:datasets_datasetroutine_history", args=[row.pk])))


def test_filters_functions_by_what_speaks_for_or_against_them(staff: Client) -> None:
    dataset, other = make_row("one"), make_row("two")
    make_routine(dataset, "leak", volatility="volatile", schema="hidden", approved=True, extension="evil")

    def listed(**query: str) -> list[str]:
        return [row.name for row in staff.get(reverse(ROUTINES), query).context["cl"].result_list]

    assert listed(dataset=str(other.pk)) == ["doubled"]
    for query in ({"schema": "hidden"}, {"extension": "evil"}, {"approved__exact": "1"}, {"volatility": "volatile"}):
        assert listed(**query) == ["leak"]


def test_lets_viewers_of_functions_decide_nothing() -> None:
    row = make_row().routines.get()
    client = with_permissions("view_datasetroutine")

    listed = client.get(reverse(ROUTINES))
    client.post(reverse(ROUTINES), {"action": "approve", "_selected_action": [row.pk]})
    client.post(change_url(row), {"approved": "on", "_save": "1"})

    row.refresh_from_db()
    assert listed.status_code == 200
    assert b'value="approve"' not in listed.content
    assert not row.approved


def test_the_page_of_a_function_changes_nothing(staff: Client) -> None:
    row = make_row().routines.get()

    staff.post(change_url(row), {"approved": "on", "name": "other", "_save": "1"})
    staff.post(reverse("admin:datasets_datasetroutine_delete", args=[row.pk]), {"post": "yes"})

    row.refresh_from_db()
    assert (row.approved, row.name) == (False, "doubled")


# ── policies and merged classes ──────────────────────────────────────────────────────────────────────────────
POLICIES = '{"columns": [{"column": "public.users.gender", "show": "hidden"}]}'


def test_edits_policies_and_merged_classes_as_json(staff: Client) -> None:
    dataset = make_row()
    url = change_url(dataset)
    assert (form_of(staff, url)["policies"], form_of(staff, url)["merges"]) == ("", "")

    staff.post(
        url, {**form_of(staff, url), "policies": POLICIES, "merges": '{"nccs": {"A": ["A", "A1"]}}', "_save": "1"}
    )
    dataset.refresh_from_db()
    assert (dataset.policies, dataset.merges) == (json.loads(POLICIES), {"nccs": {"A": ["A", "A1"]}})
    assert "Changed: masks, hidden columns and row rules, merged classes." in text_of(staff.get(url))

    staff.post(url, {**form_of(staff, url), "policies": "", "merges": "{}", "_save": "1"})
    dataset.refresh_from_db()
    assert (dataset.policies, dataset.merges) == ({}, {})

    staff.post(url, {**form_of(staff, url), "merges": "", "_save": "1"})
    dataset.refresh_from_db()
    assert dataset.merges is None


@pytest.mark.parametrize(
    ("field", "sent", "message"),
    [
        ("policies", "{", "valid JSON"),
        ("policies", "[1]", "not valid"),
        ("policies", '{"columns": [{"column": "gender", "show": "hidden"}]}', "columns.0.column"),
        ("merges", '{"nccs": {"A": ["A"], "B": ["A"]}}', "more than one class"),
        ("merges", "3", "merges"),
    ],
)
def test_shows_what_is_wrong_with_a_rule_at_its_field(staff: Client, field: str, sent: str, message: str) -> None:
    dataset = make_row()

    answer = staff.post(change_url(dataset), {**form_of(staff, change_url(dataset)), field: sent, "_save": "1"})

    assert message in answer.context["adminform"].form.errors[field][0]
    dataset.refresh_from_db()
    assert (dataset.policies, dataset.merges) == ({}, None)


# ── the number of queries ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["index", *(f"{name}_changelist" for name in LISTS)])
def test_reads_a_list_in_as_many_queries_with_thirty_rows_as_with_three(staff: Client, name: str) -> None:
    url = reverse(f"admin:{name}")

    def fill(numbers: range) -> int:
        for number in numbers:
            dataset = make_row(f"shop{number}", status=Status.HUMAN_REVIEW)
            create_api_key(f"key{number}", all_datasets=False, datasets=[dataset.name])
            User.objects.create_user(f"user{number}")
        staff.get(url)  # permissions and content types are cached from here on
        with CaptureQueriesContext(connection) as few:
            assert staff.get(url).status_code == 200
        return len(few)

    assert fill(range(3)) == fill(range(3, 30))
    assert fill(range(0)) <= 20


def test_reads_an_object_page_in_as_many_queries_with_thirty_tables_as_with_one(staff: Client) -> None:
    dataset = make_row()

    def queries() -> int:
        staff.get(change_url(dataset))  # content types are cached from here on
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(change_url(dataset)).status_code == 200
        return len(captured)

    few = queries()
    for number in range(30):
        table = DatasetTable.objects.create(dataset=dataset, schema="public", name=f"t{number}", kind="table")
        DatasetColumn.objects.create(table=table, position=1, name="c", data_type="text")
        publish(dataset, actor="test")
        ProfilingRun.objects.create(dataset=dataset)

    assert queries() == few
    assert few <= 30


# ── the page that follows the catalog ────────────────────────────────────────────────────────────────────────
def test_names_what_differs_from_the_published_document() -> None:
    dataset = make_row()
    published = build_document(dataset)
    DatasetTable.objects.create(dataset=dataset, schema="public", name="events", kind="table")
    dataset.tables.filter(name="users").update(description="People", row_estimate=99)
    dataset.title = "Other"

    assert describe_changes(published, build_document(dataset)) == [
        "Changed: title.",
        "New tables: public.events.",
        "Changed tables: public.users.",
    ]
    assert describe_changes(published, published) == []


def test_names_what_changed_in_what_the_database_adds() -> None:
    dataset = make_row()
    make_routine(dataset, "gone")
    make_routine(dataset, "withdrawn", approved=True)
    published = build_document(dataset)
    dataset.routines.filter(name="gone").update(present=False)
    dataset.routines.filter(name="withdrawn").update(approved=False)
    dataset.routines.filter(name="doubled").update(approved=True)
    make_routine(dataset, "new")
    dataset.additions = {"extensions": {"citext": "public"}}

    assert describe_changes(published, build_document(dataset)) == [
        "Changed: extensions of the database.",
        "Functions approved: public.doubled.",
        "Functions no longer approved: public.withdrawn.",
        "New functions, not approved: public.new.",
        "Functions gone: public.gone.",
    ]


def test_a_document_of_an_earlier_version_differs_in_nothing_that_it_left_unsaid() -> None:
    dataset = make_row()
    dataset.routines.all().delete()
    earlier = {
        key: value for key, value in build_document(dataset).items() if key not in {"additions", "policies", "merges"}
    }

    assert describe_changes(earlier, build_document(dataset)) == []


def test_serves_its_script_from_a_file_and_marks_what_is_live(staff: Client) -> None:
    page = staff.get(change_url(make_row())).content.decode()

    assert 'src="/static/admin_pages/admin.js"' in page
    assert 'data-live="state"' in page


def test_lists_no_canary_row(staff: Client) -> None:
    register = staff.get(reverse("admin:index")).context["available_apps"]

    models = {model["object_name"] for app in register for model in app["models"]}
    assert "Dataset" in models
    assert "EncryptionCanary" not in models


# ── survey designs ───────────────────────────────────────────────────────────────────────────────────────────
DESIGN = """\
units:
  - table: users
    key: [id]
    weight: weight
    scale: 1000
"""


def design_url(dataset: Dataset) -> str:
    return reverse("admin:datasets_dataset_design", args=[dataset.pk])


def test_a_design_is_checked_then_confirmed_on_its_page(
    staff: Client, make_active: Callable[..., Dataset], shop_dsn: str
) -> None:
    dataset = make_active("shop", shop_dsn)

    checked = staff.post(design_url(dataset), {"text": DESIGN.replace("\n", "\r\n"), "check": "1"})
    dataset.refresh_from_db()
    assert "It fits" in text_of(checked)
    assert "Valid weights 50 of 50" in text_of(checked)
    assert dataset.design_decision == "open"

    confirmed = staff.post(design_url(dataset), {"text": DESIGN, "confirm": "1"}, follow=True)

    dataset.refresh_from_db()
    assert (dataset.design_decision, dataset.design_confirmed_by) == ("confirmed", "asha")
    shown = text_of(confirmed)
    assert "answers are weighted by it from now on" in shown
    assert "Stand for 75,000 (sum of weights x 1,000)" in shown
    assert LogEntry.objects.filter(change_message__contains="survey design").exists()
    assert "table: public.users" in form_text(staff, dataset)


def form_text(staff: Client, dataset: Dataset) -> str:
    return str(staff.get(design_url(dataset)).context["form"]["text"].value())


def test_faults_of_a_design_stand_at_their_lines_and_what_was_typed_stays(
    staff: Client, make_active: Callable[..., Dataset], shop_dsn: str
) -> None:
    dataset = make_active("shop", shop_dsn)
    text = DESIGN.replace("1000", "x").replace("users", "<b>")

    page = staff.post(design_url(dataset), {"text": text, "confirm": "1"})

    marked = {line["number"]: line["faults"] for line in page.context["lines"] if line["faults"]}
    assert marked == {2: ["there is no table <b>"], 5: ["scale must be a number above 0, not 'x'"]}
    assert b"there is no table <b>" not in page.content
    assert page.context["form"]["text"].value() == text
    dataset.refresh_from_db()
    assert dataset.design_document is None


def test_the_page_of_a_design_begins_with_an_example(staff: Client) -> None:
    assert "There is no design yet" in text_of(staff.get(design_url(make_row())))


def test_a_design_that_cannot_be_checked_says_why(staff: Client) -> None:
    dataset = make_row()

    page = staff.post(design_url(dataset), {"text": DESIGN.replace("id", "gender").replace("weight", "gender")})

    assert page.status_code == 200
    assert len(page.context["faults"]) >= 1


def test_a_design_is_changed_by_who_may_change_datasets_only(transactional_db: None) -> None:
    dataset = make_row()
    viewer = User.objects.create_user("vera", "vera@example.org", "pw", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_dataset"))
    client = Client()
    client.force_login(viewer)

    assert client.get(design_url(dataset)).status_code == 403
    assert client.post(design_url(dataset), {"text": DESIGN, "confirm": "1"}).status_code == 403
    shown = client.get(change_url(dataset))
    assert shown.status_code == 200
    assert design_url(dataset).encode() not in shown.content


def test_a_confirmation_is_taken_back_by_choosing_another_decision(
    staff: Client, make_active: Callable[..., Dataset], shop_dsn: str
) -> None:
    dataset = make_active("shop", shop_dsn)
    url = change_url(dataset)
    assert "Confirmed" not in text_of_decisions(staff, url)
    staff.post(design_url(dataset), {"text": DESIGN, "confirm": "1"})
    assert "Confirmed" in text_of_decisions(staff, url)

    page = staff.post(url, {**form_of(staff, url), "design_decision": "none", "_save": "1"}, follow=True)

    dataset.refresh_from_db()
    assert dataset.design_decision == "none"
    assert "Changed: survey design decision." in text_of(page)


def text_of_decisions(staff: Client, url: str) -> str:
    return str(staff.get(url).context["adminform"].form["design_decision"])
