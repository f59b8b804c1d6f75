"""The states of a dataset and the moves between them."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    """`draft -> profiling -> metadata_pending -> human_review -> approved -> active <-> inactive`, or `error`.

    approved: decided, but the connection not yet proven; active follows in the same service once it is.
    The status moves back to profiling only before the first approval; later runs have their own state.
    """

    DRAFT = "draft", "Draft"
    PROFILING = "profiling", "Profiling"
    METADATA_PENDING = "metadata_pending", "Metadata pending"
    HUMAN_REVIEW = "human_review", "Human review"
    APPROVED = "approved", "Approved"
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    ERROR = "error", "Error"

    def may_become(self, other: Status) -> bool:
        return other in MOVES[self]


MOVES: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.PROFILING, Status.ERROR}),
    Status.PROFILING: frozenset({Status.METADATA_PENDING, Status.ERROR}),
    Status.METADATA_PENDING: frozenset({Status.HUMAN_REVIEW, Status.PROFILING, Status.ERROR}),
    Status.HUMAN_REVIEW: frozenset({Status.APPROVED, Status.PROFILING, Status.ERROR}),
    Status.APPROVED: frozenset({Status.ACTIVE, Status.HUMAN_REVIEW, Status.ERROR}),
    Status.ACTIVE: frozenset({Status.INACTIVE, Status.ERROR}),
    Status.INACTIVE: frozenset({Status.ACTIVE, Status.ERROR}),
    Status.ERROR: frozenset({Status.PROFILING, Status.HUMAN_REVIEW, Status.ACTIVE, Status.INACTIVE}),
}
