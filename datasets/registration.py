"""Services that register a database, change its connection, and take it away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from config.errors import DatasetNotFound, InvalidRequest, NameTaken, RoleUnsafe, TransitionRefused
from datasets.connections import ConnectionTarget, parse_dsn
from datasets.credentials import seal_dsn
from datasets.lifecycle import Status
from datasets.models import NAME_PATTERN, DataCategory, Dataset, DatasetType, DataSource, DesignDecision, PersonalData
from datasets.preflight import Check, Preflight, run_preflight
from datasets.profiling.service import request_profile
from datasets.publishing import grow_version, republish
from datasets.transitions import move


@dataclass(frozen=True, slots=True)
class Registration:
    """What registering did: the draft's id, its checklist, and the profiling run that was queued."""

    dataset_id: int
    checks: tuple[Check, ...]
    profiling_run_id: int

    @property
    def blocked(self) -> tuple[Check, ...]:
        return Preflight(self.checks).blocked


def register_dataset(
    name: str,
    dsn: str,
    *,
    title: str = "",
    description: str = "",
    data_category: str = DataCategory.MIXED,
    dataset_type: str = DatasetType.MIXED,
    data_source: str = DataSource.POSTGRES,
    use_cases: Sequence[str] = (),
    owner: str = "",
    design_decision: str = DesignDecision.OPEN,
    design_document: Mapping[str, Any] | None = None,  # Any: YAML, modelled when weighting reads it
    personal_data: str = PersonalData.HIDDEN,
    allow_unsafe_role: bool = False,
    actor: str,
) -> Registration:
    """Check the connection, store a draft with its checklist, queue its profile.

    Raises `DsnInvalid`, a `PreflightError` (nothing is stored), `NameTaken`, or `RoleUnsafe` where an override is
    asked for in production. A role that may write is stored as a draft that cannot be activated.
    """
    check_name(name)
    refuse_unsafe_override(allow_unsafe_role)
    target = parse_dsn(dsn, unix_sockets=settings.UNIX_SOCKETS_ALLOWED)
    preflight = async_to_sync(run_preflight)(target, local_allowed=settings.LOCAL_ADDRESSES_ALLOWED)
    dataset = Dataset(
        name=name,
        title=title or name,
        description=description,
        data_category=data_category,
        dataset_type=dataset_type,
        data_source=data_source,
        use_cases=list(use_cases),
        owner=owner,
        design_decision=design_decision,
        design_document=design_document,
        personal_data=personal_data,
        created_by=actor,
        updated_by=actor,
    )
    _set_connection(dataset, dsn, target, preflight)
    dataset.unsafe_role_allowed_by = actor if allow_unsafe_role and preflight.blocked else ""
    try:
        with transaction.atomic():
            dataset.save()
    except IntegrityError as error:
        raise _name_taken(name) from error
    run = request_profile(dataset.pk, actor=actor)
    return Registration(dataset_id=dataset.pk, checks=preflight.checks, profiling_run_id=run.pk)


def check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidRequest(
            f"{name!r} cannot be a dataset's name.",
            hint="Use a to z, 0 to 9, _ and -, starting with a letter, 63 characters at most.",
        )
    if Dataset.objects.filter(name=name, deleted_at=None).exists():
        raise _name_taken(name)


def _name_taken(name: str) -> NameTaken:
    return NameTaken(f"There is a dataset named {name!r} already.")


def refuse_unsafe_override(asked: bool) -> None:
    if asked and not settings.ALLOW_UNSAFE_ROLES:
        raise RoleUnsafe("A role that may write cannot be overridden in production.")


def _set_connection(dataset: Dataset, dsn: str, target: ConnectionTarget, preflight: Preflight) -> None:
    dataset.connection = seal_dsn(dsn.strip())
    dataset.connection_id = target.connection_id
    dataset.host, dataset.port = target.host, target.port
    dataset.database, dataset.username = target.database, target.username
    dataset.preflight, dataset.preflight_at = preflight.as_list(), timezone.now()


def update_connection(dataset_id: int, dsn: str, *, allow_unsafe_role: bool = False, actor: str) -> Preflight:
    """Replace a dataset's connection string after the same checks; a live dataset is reached by it from now on."""
    refuse_unsafe_override(allow_unsafe_role)
    target = parse_dsn(dsn, unix_sockets=settings.UNIX_SOCKETS_ALLOWED)
    preflight = async_to_sync(run_preflight)(target, local_allowed=settings.LOCAL_ADDRESSES_ALLOWED)
    with transaction.atomic():
        dataset = _get(dataset_id)
        if preflight.blocked and dataset.status == Status.ACTIVE and not allow_unsafe_role:
            raise role_unsafe(preflight)
        _set_connection(dataset, dsn, target, preflight)
        dataset.unsafe_role_allowed_by = actor if allow_unsafe_role and preflight.blocked else ""
        dataset.updated_by = actor
        dataset.save()
        republish(dataset, actor=actor)
    return preflight


def role_unsafe(preflight: Preflight) -> RoleUnsafe:
    found = "; ".join(f"{check.label.lower()}: {check.detail}" for check in preflight.blocked)
    return RoleUnsafe(f"The role may do more than read ({found}).", checks=[check.code for check in preflight.blocked])


def _get(dataset_id: int) -> Dataset:
    try:
        return Dataset.objects.select_for_update(of=("self",)).get(pk=dataset_id, deleted_at=None)
    except Dataset.DoesNotExist as error:
        raise DatasetNotFound("That dataset does not exist.") from error


@transaction.atomic
def deactivate_dataset(dataset_id: int, *, actor: str, reason: str = "") -> None:
    """Take an active dataset out of every client's reach; its entry stays, so that it can return."""
    if not move(dataset_id, Status.INACTIVE, only_from=[Status.ACTIVE], reason=reason or f"deactivated by {actor}"):
        raise TransitionRefused("Only an active dataset can be deactivated.")
    grow_version()


@transaction.atomic
def delete_dataset(dataset_id: int, *, actor: str) -> None:
    """Soft delete: nobody can ask it any more, its name is free, its history stays."""
    dataset = _get(dataset_id)
    # a later dataset of the same name is another one
    dataset.apikey_set.clear()
    dataset.deleted_at = timezone.now()
    dataset.updated_by = actor
    dataset.save(update_fields=["deleted_at", "updated_by", "updated_at"])
    grow_version()
