"""What the scheduler sends, and when; `manage.py crontab` loads it."""

from __future__ import annotations

from django.conf import settings
from dramatiq_crontab import cron  # type: ignore[import-untyped]  # ships no stubs

from datasets.actors import check_drift

if settings.DRIFT_SCHEDULE:
    cron(settings.DRIFT_SCHEDULE)(check_drift)
