"""Services for API keys. A key works, and stops working, in every process as soon as the catalog has been told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from config.errors import DatasetNotFound, NameTaken
from datasets.access import KeySpec, build_key
from datasets.models import ApiKey, Dataset
from datasets.publishing import build_key_spec, grow_version


@transaction.atomic
def create_api_key(
    name: str,
    *,
    all_datasets: bool = True,
    datasets: Collection[str] = (),
    owner: str = "",
    organisation: str = "",
    expires_at: datetime | None = None,
    created_by: str = "",
) -> str:
    """The new key's token, which is shown once and kept nowhere; `NameTaken` where the name is in use."""
    if ApiKey.objects.filter(name=name).exists():
        raise NameTaken(f"There is an API key named {name!r} already.", hint="Choose another name.")
    made = build_key()
    key = ApiKey.objects.create(
        name=name,
        prefix=made.prefix,
        key_hash=made.key_hash,
        owner=owner,
        organisation=organisation,
        all_datasets=all_datasets,
        expires_at=expires_at,
        created_by=created_by,
    )
    key.datasets.set(_find_datasets(datasets))
    grow_version()
    return made.token


def _find_datasets(names: Collection[str]) -> list[Dataset]:
    found = list(Dataset.objects.filter(name__in=names, deleted_at=None))
    missing = sorted(set(names) - {dataset.name for dataset in found})
    if missing:
        raise DatasetNotFound(f"There is no dataset named {', '.join(missing)}.")
    return found


@transaction.atomic
def update_api_key(
    key_id: int,
    *,
    all_datasets: bool,
    datasets: Collection[str],
    owner: str,
    organisation: str,
    expires_at: datetime | None,
) -> None:
    """Change whose key it is, what it may ask and until when; its name and its token stay."""
    found = _find_datasets(datasets)
    ApiKey.objects.filter(pk=key_id).update(
        all_datasets=all_datasets, owner=owner, organisation=organisation, expires_at=expires_at
    )
    ApiKey.objects.get(pk=key_id).datasets.set(found)
    grow_version()


@transaction.atomic
def revoke_api_key(key_id: int) -> None:
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=timezone.now())
    grow_version()


def find_key(name: str) -> KeySpec | None:
    """The key of that name as the snapshot would hold it, or None where there is none in use."""
    key = ApiKey.objects.filter(name=name, revoked_at=None).prefetch_related("datasets").first()
    return build_key_spec(key) if key else None
