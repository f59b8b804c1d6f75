"""What people should know of a dataset, kept while it holds: opened by a profile, dismissed by a person, gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone

from config.errors import InvalidRequest
from datasets.models import Dataset, Finding
from datasets.profiling.observations import DRIFT, SEVERITIES, WARNING, Observation

PROFILE_FAILED: Final = "profile_failed"
PROBE_CODES: Final = frozenset({"design_broken", "not_answered", "unreachable"})
NAME_LENGTH: Final = 63
MOST_KEPT: Final = 2_000  # nobody reads more, and each is a row
SEEN: Final = ("severity", "message", "count", "seen_at")
OPENED: Final = (
    *SEEN,
    "state",
    "opened_by",
    "found_at",
    "emailed_at",
    "posted_at",
    "decided_at",
    "decided_by",
)
# 0 for the gravest
RANK: Final = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES)),
    default=Value(len(SEVERITIES)),
    output_field=IntegerField(),
)
Key = tuple[str, str, str, str]


def keep_observed(dataset_id: int, observations: Sequence[Observation], *, run_id: int) -> None:
    """What one profile noticed, in the place of what earlier ones did."""
    earlier = Finding.objects.filter(dataset_id=dataset_id).exclude(code__in=PROBE_CODES)
    _keep(dataset_id, earlier, observations, run_id=run_id)


def keep_probed(
    dataset_id: int,
    observations: Sequence[Observation],
    *,
    unasked: Collection[tuple[str, str]] = (),
    run_id: int,
) -> None:
    """What questions to the published dataset brought to light; findings that could not be looked for (`unasked`, by
    code and table) stay as they are."""
    earlier = Finding.objects.filter(dataset_id=dataset_id, code__in=PROBE_CODES)
    _keep(dataset_id, earlier, observations, unasked=unasked, run_id=run_id)


def keep_failed(dataset_id: int, code: str, *, run_id: int) -> None:
    """A published dataset could not be profiled: nobody knows whether it still fits."""
    message = f"Its profile failed ({code}): what changed in its database since is not known."
    failed = Observation(DRIFT, PROFILE_FAILED, WARNING, message)
    _keep(dataset_id, Finding.objects.filter(dataset_id=dataset_id, code=PROFILE_FAILED), [failed], run_id=run_id)


@transaction.atomic
def _keep(
    dataset_id: int,
    earlier: QuerySet[Finding],
    observations: Iterable[Observation],
    *,
    unasked: Collection[tuple[str, str]] = (),
    run_id: int,
) -> None:
    """A finding that a person dismissed stays dismissed while nothing about it changes but its count."""
    Dataset.objects.select_for_update(of=("self",)).get(pk=dataset_id)  # two runs would open the same finding
    now = timezone.now()
    known = {_key(finding.kind, finding.code, finding.table, finding.column): finding for finding in earlier}
    seen: set[Key] = set()
    gravest = sorted(observations, key=lambda one: SEVERITIES.index(one.severity))[:MOST_KEPT]
    for noticed in gravest:
        column = noticed.column[:NAME_LENGTH]
        key = _key(noticed.kind, noticed.code, noticed.table, column)
        if key in seen:
            continue
        seen.add(key)
        finding = known.get(key) or Finding(
            dataset_id=dataset_id, kind=noticed.kind, code=noticed.code, table=noticed.table, column=column
        )
        is_new = finding.pk is None or finding.state == Finding.State.GONE
        is_new = is_new or finding.severity != noticed.severity
        if is_new:
            finding.state, finding.opened_by_id, finding.found_at = Finding.State.OPEN, run_id, now
            finding.emailed_at = finding.posted_at = finding.decided_at = None
            finding.decided_by = ""
        finding.severity, finding.message, finding.count = noticed.severity, noticed.message, noticed.count
        finding.seen_at = now
        # not when it was told: somebody may be telling it just now
        finding.save() if finding.pk is None else finding.save(update_fields=OPENED if is_new else SEEN)
    gone = [
        finding.pk for key, finding in known.items() if key not in seen and (finding.code, finding.table) not in unasked
    ]
    Finding.objects.filter(pk__in=gone).exclude(state=Finding.State.GONE).update(state=Finding.State.GONE)


def _key(kind: str, code: str, table: str, column: str) -> Key:
    return kind, code, table, column


def open_findings(dataset_id: int, *, kinds: Collection[str] = ()) -> QuerySet[Finding]:
    """The gravest first."""
    found = Finding.objects.filter(dataset_id=dataset_id, state=Finding.State.OPEN)
    found = found.filter(kind__in=kinds) if kinds else found
    return found.order_by(RANK, "kind", "table", "column", "code")


def dismiss_finding(finding_id: int, *, actor: str) -> None:
    """A person has read it. It opens again where it went and came back, or grows graver."""
    dismissed = Finding.objects.filter(pk=finding_id, state=Finding.State.OPEN).update(
        state=Finding.State.DISMISSED, decided_by=actor, decided_at=timezone.now()
    )
    if not dismissed:
        raise InvalidRequest("That finding is not open any more.", hint="Look at the dataset's findings again.")
