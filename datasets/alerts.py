"""Telling people outside what a profile found in the database of a published dataset: by e-mail and webhook."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from smtplib import SMTPException
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from config.errors import DeliveryFailed, QueueUnavailable
from datasets.models import Dataset, Finding, SystemConfig
from datasets.profiling.observations import SEVERITIES
from datasets.queue import EMAIL_FINDINGS, POST_FINDINGS, enqueue
from datasets.system_config import Alerts, build_settings
from datasets.webhooks import post_json

LISTED_MOST: Final = 50
log = logging.getLogger(__name__)


def announce_findings(run_id: int) -> None:
    """Queue what is to be told of this run, once it is committed; a broker that is away costs the message only."""
    alerts = load_alerts()
    if alerts.emails and settings.EMAIL_CONFIGURED:
        transaction.on_commit(partial(_send, EMAIL_FINDINGS, run_id))
    if alerts.emails and not settings.EMAIL_CONFIGURED:
        log.warning("findings are not mailed: EMAIL_URL is not set")
    if alerts.webhook_url:
        transaction.on_commit(partial(_send, POST_FINDINGS, run_id))


def _send(actor_name: str, run_id: int) -> None:
    try:
        enqueue(actor_name, run_id)
    except QueueUnavailable:
        log.warning("the findings of profile %s are told to nobody: the broker is away", run_id)


def load_alerts() -> Alerts:
    return build_settings(dict(SystemConfig.objects.values_list("key", "value")))[0].alerts


@transaction.atomic
def email_findings(run_id: int) -> None:
    """Raises `DeliveryFailed`; nothing is marked as told then."""
    alerts = load_alerts()
    findings = _untold(run_id, alerts, emailed_at=None)
    if not findings or not alerts.emails:
        return
    dataset = findings[0].dataset
    try:
        send_mail(subject_of(dataset, findings), body_of(dataset, findings), None, list(alerts.emails))
    except (SMTPException, OSError) as error:
        # its text may hold what the server said of the account
        raise DeliveryFailed(f"The mail server did not take the message ({type(error).__name__}).") from None
    Finding.objects.filter(pk__in=[finding.pk for finding in findings]).update(emailed_at=timezone.now())


@transaction.atomic
def post_findings(run_id: int) -> None:
    """Raises `DeliveryFailed`, or `HostRefused`; nothing is marked as told then."""
    alerts = load_alerts()
    findings = _untold(run_id, alerts, posted_at=None)
    if not findings or not alerts.webhook_url:
        return
    document = document_of(findings[0].dataset, findings, run_id=run_id)
    async_to_sync(post_json)(alerts.webhook_url, document, local_allowed=settings.LOCAL_ADDRESSES_ALLOWED)
    Finding.objects.filter(pk__in=[finding.pk for finding in findings]).update(posted_at=timezone.now())


def _untold(run_id: int, alerts: Alerts, **untold: None) -> list[Finding]:
    """Locked, so that an actor that runs twice tells once: the second waits, then finds them told."""
    told_of = SEVERITIES[: SEVERITIES.index(alerts.least_severity) + 1]
    found: QuerySet[Finding] = Finding.objects.filter(
        opened_by_id=run_id, kind=Finding.Kind.DRIFT, state=Finding.State.OPEN, severity__in=told_of, **untold
    )
    # skipping what is locked would leave untold what the other channel is just telling
    locked = found.select_for_update(of=("self",)).select_related("dataset").order_by("pk")
    return sorted(locked, key=lambda one: (SEVERITIES.index(one.severity), one.table, one.column))


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────
def subject_of(dataset: Dataset, findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    told = [f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}" for severity in SEVERITIES]
    return f"[MCP Analytics] {dataset.name}: {', '.join(text for text in told if not text.startswith('0'))}"


def body_of(dataset: Dataset, findings: Sequence[Finding]) -> str:
    lines = [f"The database of {dataset.name} is not as it was when the dataset was approved.", ""]
    for finding in findings[:LISTED_MOST]:
        place = ".".join(part for part in (finding.table, finding.column) if part)
        lines.append(
            f"{finding.severity}: {place}: {finding.message}" if place else f"{finding.severity}: {finding.message}"
        )
    if len(findings) > LISTED_MOST:
        lines.append(f"... and {len(findings) - LISTED_MOST} more.")
    lines += [
        "",
        "Clients are still answered from what was approved. Look at the dataset's page, then approve it again.",
    ]
    return "\n".join(lines)


def document_of(dataset: Dataset, findings: Sequence[Finding], *, run_id: int) -> dict[str, Any]:  # Any: JSON
    fields = ("severity", "code", "table", "column", "count", "message")
    return {
        "event": "dataset.drift",
        "dataset": dataset.name,
        "run": run_id,
        "findings": [{field: getattr(finding, field) for field in fields} for finding in findings[:LISTED_MOST]],
        "more": max(0, len(findings) - LISTED_MOST),
    }
