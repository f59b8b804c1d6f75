"""The demo datasets on their way through the services that every dataset takes: register, profile, approve, weight.

Each step looks at where the dataset stands, so a start that was killed half-way is finished by the next one, and
what a person has done to a demo dataset since (deleted it, deactivated it) stays done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from datasets.approval import approve_dataset
from datasets.connections import parse_dsn
from datasets.demo.databases import NHANES2009, PANEL_IN, YRBS2015, DemoDatabase
from datasets.lifecycle import Status
from datasets.models import DataCategory, Dataset, DatasetType, DesignDecision, PersonalData
from datasets.profiling.service import request_profile
from datasets.registration import register_dataset, update_connection
from datasets.survey_designs import set_survey_design

DESIGNS = Path(__file__).resolve().parent / "designs"
ACTOR = "quickstart"
UNPROFILED = frozenset({Status.DRAFT, Status.PROFILING, Status.METADATA_PENDING, Status.ERROR})
REVIEWABLE = frozenset({Status.HUMAN_REVIEW, Status.APPROVED})


@dataclass(frozen=True, slots=True)
class DemoDataset:
    name: str
    database: DemoDatabase
    title: str
    description: str
    category: DataCategory
    kind: DatasetType

    @property
    def design(self) -> str:
        """Its survey design, as YAML."""
        return (DESIGNS / f"{self.name}.yaml").read_text(encoding="utf-8")


DEMO_DATASETS = (
    DemoDataset(
        "panel_in",
        PANEL_IN,
        "Digital panel India",
        "A synthetic digital consumer panel in India, January to March 2026: who uses which apps, where, for how long. "
        "Weights are in thousands of people (panel_users.weight).",
        DataCategory.MOBILE,
        DatasetType.EVENT_LEVEL,
    ),
    DemoDataset(
        "panel_in_monthly",
        PANEL_IN,
        "Digital panel India, monthly weights",
        "The same panel, for estimates of single months: weights by person and month (panel_weights_monthly).",
        DataCategory.MOBILE,
        DatasetType.EVENT_LEVEL,
    ),
    DemoDataset(
        "nhanes2009",
        NHANES2009,
        "NHANES 2009-10, cholesterol",
        "US National Health and Nutrition Examination Survey 2009-10: high total cholesterol by age, gender and race, "
        "with the survey's design (sdmvstra, sdmvpsu, wtmec2yr).",
        DataCategory.SURVEY,
        DatasetType.EVENT_LEVEL,
    ),
    DemoDataset(
        "yrbs2015",
        YRBS2015,
        "YRBS 2015, bicycle helmets",
        "US Youth Risk Behavior Survey 2015, one question: who rarely or never wore a bicycle helmet, with the "
        "survey's design (stratum, psu, weight).",
        DataCategory.SURVEY,
        DatasetType.EVENT_LEVEL,
    ),
)


def register_demo(demo: DemoDataset, dsn: str) -> int | None:
    """Register it or go on where an earlier start stopped; its id while it is on its way to approval, else None."""
    dataset = Dataset.objects.filter(name=demo.name, deleted_at=None).first()
    if dataset is None:
        return None if _was_deleted(demo) else _register(demo, dsn)
    if dataset.created_by != ACTOR:
        return None
    if dataset.connection_id != parse_dsn(dsn, unix_sockets=settings.UNIX_SOCKETS_ALLOWED).connection_id:
        # the embedded server had to move to another port, or lost its secrets
        update_connection(dataset.pk, dsn, actor=ACTOR)
    if dataset.live_entry_id is not None:
        return None
    if dataset.status in UNPROFILED:
        request_profile(dataset.pk, actor=ACTOR)
    return dataset.pk


def _was_deleted(demo: DemoDataset) -> bool:
    return Dataset.objects.filter(name=demo.name, created_by=ACTOR).exists()


def _register(demo: DemoDataset, dsn: str) -> int:
    return register_dataset(
        demo.name,
        dsn,
        title=demo.title,
        description=demo.description,
        data_category=demo.category,
        dataset_type=demo.kind,
        # free, public or made up: there is nobody to protect
        personal_data=PersonalData.VISIBLE,
        actor=ACTOR,
    ).dataset_id


def approve_reviewable(dataset_ids: set[int]) -> set[int]:
    """Approve those whose profile is there; the ids of those that wait for one. Raises what approval raises."""
    # one look: a profile that arrives between two would be in neither
    datasets = list(Dataset.objects.filter(pk__in=dataset_ids, deleted_at=None))
    for dataset in datasets:
        if dataset.status in REVIEWABLE:
            approve_dataset(dataset.pk, actor=ACTOR)
    return {dataset.pk for dataset in datasets if dataset.status in UNPROFILED - {Status.ERROR}}


def confirm_design(demo: DemoDataset) -> bool:
    """Confirm the design of a live demo dataset about which nobody has decided; whether it was confirmed now.

    A demo of an earlier version gets it at its next start. Whoever takes the confirmation back, or says that there are
    no weights, is not overruled: the date of the first confirmation stays.
    """
    dataset = Dataset.objects.filter(
        name=demo.name,
        deleted_at=None,
        created_by=ACTOR,
        status=Status.ACTIVE,
        design_decision=DesignDecision.OPEN,
        design_document__isnull=True,
        design_confirmed_at__isnull=True,
    ).first()
    if dataset is None:
        return False
    set_survey_design(dataset.pk, demo.design, actor=ACTOR)
    return True


def find_unready(dataset_ids: set[int]) -> list[Dataset]:
    return list(Dataset.objects.filter(pk__in=dataset_ids, deleted_at=None).exclude(status=Status.ACTIVE))
