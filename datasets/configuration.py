"""Service for the system's settings: checked, stored, and live in every process at once."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from datasets.models import SystemConfig
from datasets.publishing import grow_version
from datasets.system_config import parse_section


@transaction.atomic
def update_config(key: str, value: Any, *, actor: str) -> SystemConfig:  # Any: JSON as a person typed it
    """Store one section; `InvalidRequest` names each faulty field and nothing changes."""
    checked = parse_section(key, value).model_dump(mode="json")
    row, _ = SystemConfig.objects.update_or_create(key=key, defaults={"value": checked, "updated_by": actor})
    grow_version()
    return row
