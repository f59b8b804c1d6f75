"""Enqueues actors by name, so that services need not import them."""

from __future__ import annotations

import dramatiq
from dramatiq.errors import BrokerConnectionError
from redis.exceptions import RedisError

from config.errors import QueueUnavailable

CHECK_DRIFT = "check_drift"
EMAIL_FINDINGS = "email_findings"
POST_FINDINGS = "post_findings"
PROBE_DATASET = "probe_dataset"
PROFILE_DATASET = "profile_dataset"


def enqueue(actor_name: str, *args: int) -> None:
    """Send ids to an actor; raises `QueueUnavailable` where the broker cannot be reached."""
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name="default", actor_name=actor_name, args=args, kwargs={}, options={}
    )
    try:
        dramatiq.get_broker().enqueue(message)
    except (RedisError, BrokerConnectionError, OSError) as error:
        raise QueueUnavailable("The job could not be queued.") from error
