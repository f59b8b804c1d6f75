"""The record of every question. No foreign keys: the log outlives what it names."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class QueryLog(models.Model):
    """One answered, refused or failed call.

    `id` is a UUIDv7 and `created_at` the same moment, both made by the process that answers. The table is
    partitioned by month over `id`, whose leading bits are the time (docs/decisions/0002), so that the primary
    key stays one column.
    """

    class Outcome(models.TextChoices):
        ANSWERED = "answered", "Answered"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField()
    door = models.CharField(max_length=20)
    tool = models.CharField(max_length=60)
    request_id = models.CharField(max_length=64, blank=True)
    query_text = models.TextField(blank=True)
    sql_executed = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=32, blank=True)
    query_type = models.CharField(max_length=20, blank=True)
    datasets = ArrayField(models.CharField(max_length=63), default=list)
    catalog_version = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=12, choices=Outcome)
    success = models.BooleanField()
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    row_count = models.IntegerField(default=0)
    answer_bytes = models.BigIntegerField(default=0)
    answer_tokens = models.IntegerField(default=0)
    response_format = models.CharField(max_length=20, blank=True)
    truncated = models.BooleanField(default=False)
    cached = models.BooleanField(default=False)
    weighting = models.CharField(max_length=30, blank=True)
    weight_column = models.CharField(max_length=200, blank=True)
    person = models.CharField(max_length=150, blank=True)
    api_key = models.CharField(max_length=100, blank=True)
    organisation = models.CharField(max_length=150, blank=True)
    client = models.CharField(max_length=40, blank=True)
    client_version = models.CharField(max_length=60, blank=True)
    client_confidence = models.CharField(max_length=10, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    session = models.CharField(max_length=100, blank=True)
    address = models.GenericIPAddressField(null=True)
    total_ms = models.FloatField(default=0)
    timings_ms = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name = "query log entry"
        verbose_name_plural = "query log"
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="querylog_created_at"),
            models.Index(fields=["outcome", "-created_at"], name="querylog_outcome"),
            models.Index(fields=["client", "-created_at"], name="querylog_client"),
        ]

    def __str__(self) -> str:
        return str(self.id)
