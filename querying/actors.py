"""Work of the Dramatiq workers that asks questions. Actors take ids and may run twice."""

from __future__ import annotations

import dramatiq
from django.utils import timezone

from datasets.alerts import announce_findings
from datasets.findings import keep_probed
from datasets.lifecycle import Status
from datasets.models import ProfilingRun
from datasets.queue import PROBE_DATASET
from querying.background import run_in_engine
from querying.probes import observe_published

PROBES_TIMEOUT_S = 120.0


@dramatiq.actor(actor_name=PROBE_DATASET, max_retries=3, min_backoff=10_000, time_limit=180_000)
def probe_dataset(run_id: int) -> None:
    """After a profile of a published dataset: can it still be asked?"""
    run = ProfilingRun.objects.select_related("dataset").filter(pk=run_id).first()
    if run is None or run.dataset.status != Status.ACTIVE or run.dataset.deleted_at is not None:
        return
    name = run.dataset.name
    standing = run_in_engine(lambda engine: observe_published(name, engine=engine), timeout_s=PROBES_TIMEOUT_S)
    keep_probed(run.dataset_id, standing.observed, unasked=standing.unasked, run_id=run.pk)
    ProfilingRun.objects.filter(pk=run.pk).update(probed_at=timezone.now())
    announce_findings(run.pk)
