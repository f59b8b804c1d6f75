"""Work done by the Dramatiq workers. Actors take ids, may run twice, and leave the work to services."""

from __future__ import annotations

from typing import Any

import dramatiq

from config.errors import GatewayError, ProfilingFailed
from datasets.alerts import email_findings, post_findings
from datasets.models import ProfilingRun
from datasets.profiling.service import SCHEDULE, fail_run, request_profiles, run_profile
from datasets.queue import CHECK_DRIFT, EMAIL_FINDINGS, POST_FINDINGS, PROFILE_DATASET

# whoever is at a run may be dead without the database knowing it yet
LOOK_AGAIN_MS = 15_000


def worth_retrying(retries: int, error: BaseException) -> bool:
    """Three more tries where trying again may help; a wrong password stays wrong."""
    return retries < 3 and (
        not isinstance(error, GatewayError) or error.retryable or isinstance(error, ProfilingFailed)
    )


def worth_telling_again(retries: int, error: BaseException) -> bool:
    """Five more tries within six minutes; a host that is refused stays refused."""
    return retries < 5 and (not isinstance(error, GatewayError) or error.retryable)


@dramatiq.actor(
    actor_name=PROFILE_DATASET,
    retry_when=worth_retrying,
    min_backoff=1_000,
    max_backoff=30_000,
    time_limit=180_000,
    on_retry_exhausted="give_up_profiling",
)
def profile_dataset(run_id: int) -> None:
    if not run_profile(run_id):
        profile_dataset.send_with_options(args=(run_id,), delay=LOOK_AGAIN_MS)


@dramatiq.actor(actor_name=CHECK_DRIFT, max_retries=3)
def check_drift() -> None:
    request_profiles(actor=SCHEDULE)


@dramatiq.actor(actor_name=EMAIL_FINDINGS, retry_when=worth_telling_again, min_backoff=10_000, time_limit=60_000)
def mail_findings(run_id: int) -> None:
    email_findings(run_id)


@dramatiq.actor(actor_name=POST_FINDINGS, retry_when=worth_telling_again, min_backoff=10_000, time_limit=60_000)
def post_findings_outside(run_id: int) -> None:
    post_findings(run_id)


@dramatiq.actor
def give_up_profiling(message: dict[str, Any], retries: dict[str, int]) -> None:  # Any: dramatiq's own message
    run = ProfilingRun.objects.get(pk=message["args"][0])
    fail_run(
        run.pk, ProfilingFailed(run.error_message or "Profiling failed.", hint="Mend the cause, then profile again.")
    )
