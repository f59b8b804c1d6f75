"""The demo datasets are weighted by themselves, and by nobody against a person's decision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dramatiq import Worker

from config.embedded import make_password
from datasets.approval import approve_dataset
from datasets.catalog import EMPTY, DatasetSpec
from datasets.demo.databases import DEMO_DATABASES, prepare_database, reader_dsn
from datasets.demo.onboarding import ACTOR, DEMO_DATASETS, approve_reviewable, confirm_design, register_demo
from datasets.demo.tests.test_databases import drop
from datasets.models import CatalogEntry, Dataset
from datasets.profiling.waiting import wait_for_run
from datasets.publishing import load_catalog
from datasets.survey_designs import check_survey_design

pytestmark = pytest.mark.django_db(transaction=True)
ONBOARDING = Path(__file__).resolve().parents[3] / "docs" / "onboarding.md"


@pytest.fixture(scope="module")
def dsns(postgres_superuser_dsn: str) -> Iterator[dict[str, str]]:
    found = {}
    for demo in DEMO_DATABASES:
        drop(postgres_superuser_dsn, demo)
        password = make_password()
        prepare_database(postgres_superuser_dsn, demo, reader_password=password)
        found[demo.name] = reader_dsn(postgres_superuser_dsn, demo, reader_password=password)
    yield found
    for demo in DEMO_DATABASES:
        drop(postgres_superuser_dsn, demo)


@pytest.fixture
def approved(worker: Worker, dsns: dict[str, str]) -> dict[str, str]:
    """The demo datasets as a version before survey designs left them."""
    ids = {found for demo in DEMO_DATASETS if (found := register_demo(demo, dsns[demo.database.name]))}
    for dataset in Dataset.objects.filter(pk__in=ids):
        wait_for_run(dataset.profiling_runs.get().pk, wait_s=30)
    approve_reviewable(ids)
    return dsns


def confirm_all() -> list[str]:
    return [demo.name for demo in DEMO_DATASETS if confirm_design(demo)]


def live() -> dict[str, DatasetSpec]:
    return dict(load_catalog(EMPTY).datasets)


def test_demos_of_an_earlier_version_get_their_designs_once(approved: dict[str, str]) -> None:
    names = [demo.name for demo in DEMO_DATASETS]

    assert confirm_all() == names
    entries = CatalogEntry.objects.count()
    assert (confirm_all(), CatalogEntry.objects.count()) == ([], entries)

    designs = {name: spec.survey_design for name, spec in live().items()}
    units = {name: design.units[0] for name, design in designs.items() if design}
    assert set(units) == set(names)
    assert (units["panel_in"].scale, units["panel_in"].units, units["panel_in"].excluded) == (1000, 1500, 27)
    monthly = units["panel_in_monthly"].period_weights
    assert monthly is not None
    assert (monthly.rule, monthly.dates) == ("refuse", {("public", "panel_events"): "event_date"})
    assert (units["nhanes2009"].key, units["nhanes2009"].stratum, units["nhanes2009"].psu) == (
        (),
        "sdmvstra",
        "sdmvpsu",
    )
    assert (units["yrbs2015"].kind, units["yrbs2015"].units) == ("normalised", 15_624)
    assert {name: spec.merges for name, spec in live().items()} == {name: {} for name in names}


def test_what_a_person_decided_about_a_demo_stays(approved: dict[str, str]) -> None:
    Dataset.objects.filter(name="yrbs2015").update(design_decision="none")
    assert "yrbs2015" not in confirm_all()
    taken_back = Dataset.objects.get(name="panel_in")
    Dataset.objects.filter(pk=taken_back.pk).update(design_decision="open")
    approve_dataset(taken_back.pk, actor="ana")

    assert confirm_all() == []

    assert live()["panel_in"].survey_design is None


def test_a_dataset_of_a_person_with_a_demos_name_is_left_alone(approved: dict[str, str]) -> None:
    Dataset.objects.filter(name="panel_in").update(created_by="ana")

    assert "panel_in" not in confirm_all()
    assert all(dataset.created_by == ACTOR for dataset in Dataset.objects.filter(design_decision="confirmed"))


def test_the_design_of_the_documentation_is_one(approved: dict[str, str]) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", ONBOARDING.read_text(encoding="utf-8"), re.DOTALL)

    checked = check_survey_design(Dataset.objects.get(name="panel_in").pk, example)

    assert checked.goes_live
    assert checked.report.warnings == ()
