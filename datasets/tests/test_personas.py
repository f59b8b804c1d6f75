"""Personas: kept, published, suggested, never telling what is hidden; over real PostgreSQL."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from dramatiq import Worker

from config.errors import DatasetNotFound, InvalidRequest, NameTaken, QueryTimeout, SourceUnreachable
from datasets.access import Principal
from datasets.approval import approve_dataset
from datasets.catalog import EMPTY, DatasetSpec
from datasets.check_sessions import SETTINGS
from datasets.conditions import Condition, document_of, parse_conditions, render_conditions
from datasets.credentials import seal_dsn
from datasets.models import CatalogEntry, Dataset, DatasetColumn, Persona
from datasets.personas import delete_persona, list_personas, save_persona, suggest_personas
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import load_catalog, read_version
from datasets.registration import delete_dataset, register_dataset
from datasets.seen import as_seen_by
from datasets.survey_designs import set_survey_design
from querying.context import render_description
from querying.engine import Engine
from querying.services import Call, describe_dataset
from tests.servers import MakeDatabase, ReadonlyDsn

pytestmark = pytest.mark.django_db(transaction=True)

# 300 women and 200 men; every tenth has no valid weight. Of nccs A1 and A each have a fifth, B the rest
SURVEY = """
CREATE TYPE town AS ENUM ('Metro', 'Rural');
CREATE TABLE people (id int PRIMARY KEY, gender text, age_group varchar(10), nccs text, town town, age int, born date,
    heavy boolean, email text, phone text, salary numeric, weight double precision);
INSERT INTO people SELECT i, CASE WHEN i <= 300 THEN 'Female' ELSE 'Male' END,
    CASE WHEN i % 2 = 0 THEN '18-24' ELSE '25-34' END, (ARRAY['A1', 'A', 'B', 'B', 'B'])[1 + i % 5],
    CASE WHEN i % 4 = 0 THEN 'Metro' ELSE 'Rural' END::town, 18 + i % 17, date '1990-01-01' + i, i % 3 = 0,
    'p' || i || '@example.org', i::text, i,
    CASE i % 10 WHEN 0 THEN (ARRAY[NULL, 0, 'NaN', 'Infinity', -1]::float8[])[1 + i / 10 % 5] ELSE 2 END
    FROM generate_series(1, 500) i;
UPDATE people SET town = NULL WHERE id % 7 = 0;
CREATE TABLE events (person int REFERENCES people, day date, app text, gender text);
CREATE TABLE months (person int, month date, weight real, PRIMARY KEY (person, month));
INSERT INTO months SELECT i, m, CASE WHEN i <= 400 THEN 1 ELSE 0 END
    FROM generate_series(1, 500) i, (VALUES (date '2026-01-01'), ('2026-02-01')) v(m);
CREATE TABLE visits (visit int PRIMARY KEY, person int NOT NULL, gender text, nccs text, weight real,
    visit_weight real);
INSERT INTO visits SELECT i, i / 3, CASE i / 3 % 2 WHEN 0 THEN 'Female' ELSE 'Male' END, 'B', 1, 1
    FROM generate_series(3, 902) i;
INSERT INTO events SELECT 1 + i % 500, date '2026-01-01' + i % 60, 'Video', 'Female' FROM generate_series(1, 900) i;
ANALYZE;
"""
ATTRIBUTES = "gender, age_group, nccs, town, age, born, heavy, email, phone"
DESIGN = f"""\
units:
  - table: people
    key: [id]
    weight: weight
    attributes: [{ATTRIBUTES}]
"""
FEMALE = [{"column": "gender", "op": "=", "value": "Female"}]
YOUNG_WOMEN = [*FEMALE, {"column": "age", "op": "between", "value": [18, 24]}]


@pytest.fixture
def survey(make_active: Callable[..., Dataset], make_database: MakeDatabase, readonly_dsn: ReadonlyDsn) -> Dataset:
    """Live, weighted, with email hidden and phone masked."""
    dataset = make_active("survey", readonly_dsn(make_database(SURVEY)))
    DatasetColumn.objects.filter(table__dataset=dataset, name="email").update(shown="hidden")
    masked = {"column": "public.people.phone", "show": "masked", "mask": {"kind": "hash"}}
    Dataset.objects.filter(pk=dataset.pk).update(policies={"columns": [masked]})
    approve_dataset(dataset.pk, actor="test")
    set_survey_design(dataset.pk, DESIGN, actor="test")
    return Dataset.objects.get(pk=dataset.pk)


def live() -> DatasetSpec:
    return load_catalog(EMPTY).datasets["survey"]


def run(command: str, *arguments: str) -> Any:  # Any: JSON
    out = io.StringIO()
    call_command(command, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def refusal(dataset: Dataset, where: object, *, name: str = "p") -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        save_persona(dataset.pk, name, where, actor="ana")
    return caught.value


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_saved_persona_is_live_at_once_in_a_new_version(survey: Dataset) -> None:
    before = read_version()

    saved = save_persona(survey.pk, "  Young   women ", YOUNG_WOMEN, description="18 to 24", actor="ana")

    assert saved.catalog_version == read_version() == before + 1
    assert live().personas == {"Young women": parse_conditions(YOUNG_WOMEN)}
    row = Persona.objects.get()
    assert (row.name, row.description, row.created_by, row.updated_by) == ("Young women", "18 to 24", "ana", "ana")


def test_a_persona_is_found_however_its_letters_are_written(survey: Dataset) -> None:
    save_persona(survey.pk, "Young Women", YOUNG_WOMEN, actor="ana")

    assert live().find_persona("young  WOMEN") == parse_conditions(YOUNG_WOMEN)
    assert live().find_persona("old women") is None


def test_nothing_else_of_the_working_copy_goes_live_with_a_persona(survey: Dataset) -> None:
    published = live()
    Dataset.objects.filter(pk=survey.pk).update(title="Draft", policies={})
    DatasetColumn.objects.filter(table__dataset=survey, name="email").update(shown="visible")

    save_persona(survey.pk, "Women", FEMALE, actor="ana")

    now = live()
    assert (now.title, now.policies, now.tables) == (published.title, published.policies, published.tables)


def test_a_persona_takes_the_place_of_another_and_is_deleted(survey: Dataset) -> None:
    saved = save_persona(survey.pk, "Women", FEMALE, actor="ana")

    save_persona(survey.pk, "Young", YOUNG_WOMEN, replaces=saved.persona_id, actor="ben")
    assert list(live().personas) == ["Young"]
    row = Persona.objects.get()
    assert (row.created_by, row.updated_by) == ("ana", "ben")

    version = delete_persona(saved.persona_id, actor="ben")
    assert (live().personas, version) == ({}, read_version())
    with pytest.raises(InvalidRequest):
        delete_persona(saved.persona_id, actor="ben")


def test_a_name_stands_for_one_persona_whatever_its_letters(survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")

    with pytest.raises(NameTaken):
        save_persona(survey.pk, "WOMEN", YOUNG_WOMEN, actor="ana")

    assert Persona.objects.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "a,b", "x" * 81, "a\0b", "a\u202eb"])
def test_a_name_that_a_list_could_not_tell_is_refused(survey: Dataset, name: str) -> None:
    assert "cannot be the name" in refusal(survey, FEMALE, name=name).message


@pytest.mark.parametrize(
    ("condition", "message", "hint"),
    [
        ({"column": "gendr", "value": "x"}, "No table of survey has a column gendr.", "The nearest is gender."),
        (
            {"column": "events.nccs", "value": "x"},
            "not an attribute",
            "gender, age_group, nccs, town, age, born, heavy",
        ),
        ({"column": "app", "value": "Video"}, "not an attribute", "gender, age_group"),
        ({"column": "weight", "op": "=", "value": 2}, "not an attribute", "gender, age_group"),
        ({"column": "salary", "op": "=", "value": 2}, "not an attribute", "gender, age_group"),
        ({"column": "email", "value": "p1@example.org"}, "email is hidden or masked", "gender, age_group"),
        ({"column": "people.email", "op": "is_null"}, "people.email is hidden or masked", "gender, age_group"),
        ({"column": "phone", "value": "1"}, "phone is hidden or masked", "gender, age_group"),
        ({"column": "gender", "value": 1}, "1 does not fit gender, which is text.", 'a text, as in "Female"'),
        ({"column": "age", "value": "old"}, "'old' does not fit age, which is integer.", "a number"),
        ({"column": "age", "value": True}, "True does not fit age", "a number"),
        ({"column": "age", "op": "like", "value": "1%"}, "like does not fit age", "= != in between is_null"),
        ({"column": "born", "value": "yesterday"}, "'yesterday' does not fit born", "a date"),
        ({"column": "born", "value": "2026-W05"}, "'2026-W05' does not fit born", "a date"),
        ({"column": "heavy", "value": "yes"}, "'yes' does not fit heavy", "true or false"),
        ({"column": "town", "op": "like", "value": "M%"}, "like does not fit town", "= != in is_null"),
        ({"column": "nccs", "value": "A1"}, "nccs shows A1 as part of A.", "Write A"),
    ],
)
def test_a_condition_that_does_not_fit_is_refused_with_what_would(
    survey: Dataset, condition: dict[str, object], message: str, hint: str
) -> None:
    refused = refusal(survey, [condition])

    assert message in refused.message
    assert hint in refused.hint
    assert "email" not in refused.hint
    assert not Persona.objects.exists()


@pytest.mark.parametrize(
    "condition",
    [
        {"column": "people.gender", "op": "in", "value": ["Female", "Male"]},
        {"column": "public.people.age", "op": "between", "value": [18, 24.5]},
        {"column": "born", "op": "between", "value": ["1990-01-01", "1995-12-31"]},
        {"column": "heavy", "op": "=", "value": True},
        {"column": "town", "op": "!=", "value": "Metro"},
        {"column": "age_group", "op": "like", "value": "18%"},
        {"column": "nccs", "op": "=", "value": "A"},
        {"column": "town", "op": "is_null", "value": False},
    ],
)
def test_each_kind_of_condition_that_fits_is_kept(survey: Dataset, condition: dict[str, object]) -> None:
    save_persona(survey.pk, "p", [condition], actor="ana")

    assert live().personas["p"] == parse_conditions([condition])


def test_a_persona_without_a_condition_is_everybody_and_refused(survey: Dataset) -> None:
    assert "is everybody" in refusal(survey, []).message


def test_a_persona_needs_a_confirmed_design(make_active: Callable[..., Dataset], shop_dsn: str) -> None:
    shop = make_active("shop", shop_dsn)

    assert "no confirmed survey design" in refusal(shop, FEMALE).message
    with pytest.raises(InvalidRequest):
        suggest_personas(shop)


def test_a_persona_of_a_deleted_dataset_is_not_kept(survey: Dataset) -> None:
    delete_dataset(survey.pk, actor="ana")

    with pytest.raises(DatasetNotFound):
        save_persona(survey.pk, "Women", FEMALE, actor="ana")


def test_a_persona_saved_before_the_first_approval_goes_live_with_it(
    worker: Worker, make_database: MakeDatabase, readonly_dsn: ReadonlyDsn
) -> None:
    registration = register_dataset(
        "survey", readonly_dsn(make_database(SURVEY)), personal_data="visible", actor="test"
    )
    wait_for_run(registration.profiling_run_id, wait_s=20)
    set_survey_design(registration.dataset_id, DESIGN, actor="ana")

    saved = save_persona(registration.dataset_id, "Women", FEMALE, actor="ana")
    assert (saved.catalog_version, CatalogEntry.objects.count()) == (None, 0)
    approve_dataset(registration.dataset_id, actor="ana")

    assert list(live().personas) == ["Women"]


# ── what changes under a persona ─────────────────────────────────────────────────────────────────────────────
def test_a_persona_over_a_column_that_is_hidden_later_is_left_out_and_says_why(survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")
    save_persona(survey.pk, "Grown", [{"column": "age", "op": "between", "value": [25, 34]}], actor="ana")
    DatasetColumn.objects.filter(table__dataset=survey, name="gender").update(shown="hidden")

    approve_dataset(survey.pk, actor="ana")

    assert list(live().personas) == ["Grown"]
    survey.refresh_from_db()
    facts = {persona.name: (persona.live, persona.fault) for persona in list_personas(survey)}
    assert facts == {
        "Grown": (True, ""),
        "Women": (False, "gender is hidden or masked, so no persona may tell its values."),
    }


def test_a_persona_whose_attribute_the_design_no_longer_has_is_left_out_at_once(survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")

    set_survey_design(survey.pk, DESIGN.replace("gender, ", ""), actor="ana")
    assert live().personas == {}

    set_survey_design(survey.pk, DESIGN, actor="ana")
    assert list(live().personas) == ["Women"]


def test_an_entry_of_an_earlier_version_has_no_personas(survey: Dataset) -> None:
    entry = CatalogEntry.objects.latest("version")
    del entry.document["personas"]
    entry.save()

    assert live().personas == {}


def test_a_persona_that_cannot_be_read_is_a_fault_of_its_entry(survey: Dataset) -> None:
    entry = CatalogEntry.objects.latest("version")
    entry.document["personas"] = {"Women": [{"column": "gender", "op": "~"}]}
    entry.save()

    catalog = load_catalog(EMPTY)

    assert "survey" not in catalog.datasets
    assert "survey" in catalog.faults[0]


# ── what callers see ─────────────────────────────────────────────────────────────────────────────────────────
async def test_describe_dataset_names_the_personas(survey: Dataset, engine: Engine) -> None:
    for number in range(12):
        await sync_to_async(save_persona)(survey.pk, f"Women {number:02}", FEMALE, actor="ana")
    await engine.refresh()
    call = Call(principal=Principal(person="ana", datasets=None), door="test", tool="describe_dataset")

    answer = await describe_dataset(call, "survey", engine=engine)

    (line,) = [line for line in answer.text.splitlines() if line.startswith("Personas")]
    names = ", ".join(f"Women {number:02}" for number in range(10))
    assert line == f"Personas: {names} and 2 more."


def test_a_caller_hears_of_no_persona_over_a_column_that_is_hidden_from_them(survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")
    save_persona(survey.pk, "Grown", [{"column": "age", "op": "between", "value": [25, 34]}], actor="ana")
    save_persona(survey.pk, "Rich", [{"column": "nccs", "op": "=", "value": "A"}], actor="ana")
    save_persona(survey.pk, "Rich visitors", [{"column": "visits.nccs", "op": "=", "value": "A"}], actor="ana")
    hidden = [
        {"column": f"public.people.{name}", "show": "hidden", "groups": ["partners"]} for name in ("gender", "nccs")
    ]
    Dataset.objects.filter(pk=survey.pk).update(policies={"columns": hidden})
    approve_dataset(survey.pk, actor="ana")

    partner = as_seen_by(Principal(groups=frozenset({"partners"})), live(), merges={})
    analyst = as_seen_by(Principal(), live(), merges={})

    # a bare name means the person's own column, never a copy elsewhere that happens to be visible
    assert list(partner.personas) == ["Grown", "Rich visitors"]
    assert "Women" not in render_description(partner, partner.tables)
    assert list(analyst.personas) == ["Grown", "Rich", "Rich visitors", "Women"]


def test_conditions_are_told_in_words() -> None:
    conditions = (
        Condition("gender", "=", ("Female",)),
        Condition("age", "between", (25, 34)),
        Condition("state", "in", ("KA", "TN")),
        Condition("income", "is_null", (False,)),
        Condition("heavy", "=", (True,)),
    )

    told = render_conditions(conditions)

    assert told == "gender = Female and age between 25 and 34 and state in KA, TN and income is known and heavy = true"


# ── suggestions ──────────────────────────────────────────────────────────────────────────────────────────────
def test_suggests_what_the_sample_carries_with_unweighted_bases_the_largest_first(survey: Dataset) -> None:
    set_low_base(survey, 80)

    found = suggest_personas(survey)

    bases = {one.name: one.base for one in found}
    assert len(found) == len(bases) == 20
    assert [one.base for one in found] == sorted(bases.values(), reverse=True)
    assert min(bases.values()) >= 80
    # every tenth person has no valid weight; all of these are 18-24
    assert (bases["Female 25-34"], bases["Female 18-24"]) == (150, 120)
    # A1 and A are shown as A: those of 300 women whose number ends in 1, 5 or 6
    assert (bases["Female B"], bases["Female A"]) == (180, 90)
    assert (Condition("gender", "=", ("Female",)), Condition("nccs", "=", ("A",))) in [one.where for one in found]
    assert "A1" not in " ".join(bases)


def test_suggests_words_only_and_never_what_is_hidden_masked_or_missing(survey: Dataset) -> None:
    set_low_base(survey, 1)

    found = suggest_personas(survey)

    assert {one.column for each in found for one in each.where} <= {"gender", "age_group", "nccs", "town"}
    assert "None" not in {one.values[0] for each in found for one in each.where}


def set_low_base(dataset: Dataset, low: int) -> None:
    lowest = min(low, 30)
    text = f"{DESIGN}low_base: {{minimum: {lowest}, very_low: {min(low, 50)}, low: {low}}}\n"
    set_survey_design(dataset.pk, text, actor="test")
    dataset.refresh_from_db()


def test_suggests_nothing_below_the_designs_low_base(survey: Dataset) -> None:
    set_low_base(survey, 1000)

    assert suggest_personas(survey) == ()


def test_a_person_on_several_rows_counts_once(survey: Dataset) -> None:
    design = """\
units:
  - {table: visits, key: [person], weight: weight, attributes: [gender, nccs]}
  - {table: visits, key: [visit], weight: visit_weight, level: event}
"""
    set_survey_design(survey.pk, design, actor="test")
    survey.refresh_from_db()

    assert {one.name: one.base for one in suggest_personas(survey)} == {"Female B": 150, "Male B": 150}


def test_persons_with_weights_by_month_alone_count_where_some_month_has_one(survey: Dataset) -> None:
    periods = "    period_weights: {table: months, key: [person], period: month, weight: weight}\n"
    set_survey_design(survey.pk, DESIGN.replace("    weight: weight\n", "") + periods, actor="test")
    survey.refresh_from_db()

    bases = {one.name: one.base for one in suggest_personas(survey)}

    assert (bases["Female 25-34"], bases["Female 18-24"]) == (150, 150)
    assert "Male 25-34" not in bases  # 50 of them have a weight


def test_a_kept_suggestion_is_suggested_no_more(survey: Dataset) -> None:
    first, second, *_ = suggest_personas(survey)

    save_persona(survey.pk, second.name, document_of(first.where), actor="ana")

    later = suggest_personas(survey)
    assert first.where not in [one.where for one in later]
    (renamed,) = [one for one in later if one.where == second.where]
    assert renamed.name == " ".join(f"{one.column} {one.values[0]}" for one in second.where)


def test_suggestions_say_when_the_database_does_not_answer(survey: Dataset) -> None:
    nowhere = seal_dsn("postgresql://nobody:x@127.0.0.1:1/none")
    Dataset.objects.filter(pk=survey.pk).update(connection=nowhere)
    survey.refresh_from_db()

    with pytest.raises(SourceUnreachable):
        suggest_personas(survey)


def test_suggestions_end_in_time_however_slow_the_database_is(survey: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "statement_timeout", "1")

    with pytest.raises(QueryTimeout) as caught:
        suggest_personas(survey)

    assert caught.value.message == "The count of combinations did not finish in time."


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_commands_keep_list_change_and_delete(survey: Dataset) -> None:
    kept = run("set_persona", "survey", "Women", "--where", json.dumps(FEMALE), "--description", "all of them")
    assert kept == {"dataset": "survey", "name": "Women", "deleted": False, "catalog_version": read_version()}

    changed = run("set_persona", "survey", "women", "--where", json.dumps(YOUNG_WOMEN))
    assert changed["name"] == "women"
    assert run("list_personas", "survey")["personas"] == [
        {"name": "women", "where": YOUNG_WOMEN, "description": "all of them", "live": True, "fault": None}
    ]

    assert run("set_persona", "survey", "WOMEN", "--delete")["deleted"] is True
    assert run("list_personas", "survey") == {"dataset": "survey", "personas": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Women"], "Either --where or --delete is needed."),
        (["Women", "--delete", "--where", "[]"], "Either --where or --delete is needed."),
        (["Women", "--where", "gender=Female"], "--where is not JSON."),
        (["Women", "--delete"], "survey has no persona named 'Women'."),
    ],
)
def test_a_command_that_cannot_do_its_work_says_why(
    survey: Dataset, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call_command("set_persona", "survey", *arguments)

    assert message in capsys.readouterr().err


def test_the_command_suggests_with_bases(survey: Dataset) -> None:
    found = run("list_personas", "survey", "--suggest")["suggestions"]

    assert found[0]["base"] == max(one["base"] for one in found)
    assert parse_conditions(found[0]["where"]) == suggest_personas(survey)[0].where


# ── the admin ────────────────────────────────────────────────────────────────────────────────────────────────
ADD = "/admin/datasets/persona/add/"
LIST = "/admin/datasets/persona/"


@pytest.fixture
def staff(survey: Dataset) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("asha", "asha@example.org", "pw"))
    return client


def sent(dataset: Dataset, name: str, where: object, **fields: str) -> dict[str, str]:
    values = {"dataset": str(dataset.pk), "name": name, "where": json.dumps(where), "description": "", **fields}
    return {f"persona-{field}": value for field, value in values.items()}


def suggestions_of(page: Any) -> list[dict[str, str]]:  # Any: the stubs' private answer type
    return list(page.context["suggestions"])


def test_a_persona_is_written_changed_and_deleted_in_the_admin(staff: Client, survey: Dataset) -> None:
    added = staff.post(ADD, sent(survey, "Women", FEMALE, description="All of them"), follow=True)
    assert added.redirect_chain == [(LIST, 302)]
    assert "gender = Female" in added.content.decode()
    row = Persona.objects.get()
    assert (row.created_by, row.description) == ("asha", "All of them")
    assert list(live().personas) == ["Women"]

    staff.post(f"{LIST}{row.pk}/change/", sent(survey, "Young women", YOUNG_WOMEN))
    assert live().personas == {"Young women": parse_conditions(YOUNG_WOMEN)}

    staff.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert (live().personas, Persona.objects.count()) == ({}, 0)


def test_selected_personas_are_deleted_through_the_service(staff: Client, survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")

    chosen = [str(Persona.objects.get().pk)]
    staff.post(LIST, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})

    assert live().personas == {}


@pytest.mark.parametrize(
    ("name", "where", "field", "message"),
    [
        ("p", [{"column": "email", "value": "x"}], "where", "email is hidden or masked"),
        ("p", [{"column": "gender", "op": "~"}], "where", "is unknown"),
        ("p", "women", "where", "is no list"),
        ("p", [], "where", "is everybody"),
        ("women", FEMALE, "name", "has a persona women already"),
        ("a,b", FEMALE, "name", "without a comma"),
    ],
)
def test_what_is_wrong_with_a_persona_stands_at_its_field(
    staff: Client, survey: Dataset, name: str, where: object, field: str, message: str
) -> None:
    save_persona(survey.pk, "Women", YOUNG_WOMEN, actor="ana")

    page = staff.post(ADD, sent(survey, name, where))

    errors = page.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in errors[field][0]
    assert list(live().personas) == ["Women"]


def test_a_suggestion_is_kept_with_one_button(staff: Client, survey: Dataset) -> None:
    url = f"/admin/datasets/dataset/{survey.pk}/personas/"
    first = suggestions_of(staff.get(url))[0]

    kept = staff.post(url, {"name": first["name"], "where": first["where"]}, follow=True)

    assert f"{first['name']} is kept" in kept.content.decode()
    assert first["name"] in live().personas
    assert first["name"] not in [one["name"] for one in suggestions_of(kept)]
    shown = staff.get(f"/admin/datasets/dataset/{survey.pk}/change/").content.decode()
    assert url in shown
    assert first["conditions"] in shown


def test_the_page_of_suggestions_says_why_there_are_none(staff: Client, survey: Dataset) -> None:
    Dataset.objects.filter(pk=survey.pk).update(connection=seal_dsn("postgresql://nobody:x@127.0.0.1:1/none"))

    page = staff.get(f"/admin/datasets/dataset/{survey.pk}/personas/")

    assert page.status_code == 200
    assert "cannot be reached" in page.content.decode()


def test_who_may_only_look_keeps_nothing(survey: Dataset) -> None:
    viewer = User.objects.create_user("vera", "vera@example.org", "pw", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__in=["view_dataset", "view_persona"]))
    save_persona(survey.pk, "Women", FEMALE, actor="ana")
    client = Client()
    client.force_login(viewer)

    assert client.get(LIST).status_code == 200
    assert client.get(ADD).status_code == 403
    assert (
        client.post(f"/admin/datasets/dataset/{survey.pk}/personas/", {"name": "x", "where": "[]"}).status_code == 403
    )


def test_the_list_tells_which_personas_are_live(staff: Client, survey: Dataset) -> None:
    save_persona(survey.pk, "Women", FEMALE, actor="ana")
    assert "ma-badge--success" in staff.get(LIST).content.decode()

    set_survey_design(survey.pk, DESIGN.replace("gender, ", ""), actor="ana")

    assert "Not live" in staff.get(LIST).content.decode()
    assert "Does not fit" in staff.get(f"/admin/datasets/dataset/{survey.pk}/change/").content.decode()
