"""Every table of the control plane. Rules live in services, not here."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5, Lower
from django.utils import timezone

from datasets.fields import SealedTextField
from datasets.lifecycle import Status
from datasets.system_config import SECTIONS

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,62}$"


class DatasetType(models.TextChoices):
    EVENT_LEVEL = "event_level", "Event level"
    AGGREGATED = "aggregated", "Aggregated"
    MIXED = "mixed", "Mixed"


class DataSource(models.TextChoices):
    FABRIC = "fabric", "Microsoft Fabric"
    POSTGRES = "postgres", "PostgreSQL"
    CUSTOM = "custom", "Custom"


class DataCategory(models.TextChoices):
    CTV = "ctv", "Connected TV"
    MOBILE = "mobile", "Mobile"
    ECOMMERCE = "ecommerce", "E-commerce"
    ADS = "ads", "Advertising"
    SURVEY = "survey", "Survey"
    MIXED = "mixed", "Mixed"


class DesignDecision(models.TextChoices):
    OPEN = "open", "Not decided"
    NONE = "none", "No survey design"
    RECORDED = "recorded", "Recorded, not confirmed"
    CONFIRMED = "confirmed", "Confirmed"


class PersonalData(models.TextChoices):
    """How found columns with personal data start, until a person decides about each."""

    HIDDEN = "hidden", "Hidden"
    MASKED = "masked", "Masked"
    VISIBLE = "visible", "Visible"


class Shown(models.TextChoices):
    VISIBLE = "visible", "Visible"
    MASKED = "masked", "Masked"
    HIDDEN = "hidden", "Hidden"


class Dataset(models.Model):
    """A registered database: how to reach it, what is known of it, and where it stands on its way to being asked."""

    name = models.CharField(
        max_length=63,
        validators=[RegexValidator(NAME_PATTERN, "Use a to z, 0 to 9, _ and -, starting with a letter, 63 at most.")],
        help_text="The name by which every client asks for it.",
    )
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    connection = SealedTextField()
    connection_id = models.CharField(max_length=32, editable=False)
    host = models.CharField(max_length=255, editable=False)
    port = models.PositiveIntegerField(editable=False)
    database = models.CharField(max_length=63, editable=False)
    username = models.CharField(max_length=63, editable=False)
    dataset_type = models.CharField(max_length=20, choices=DatasetType, default=DatasetType.MIXED)
    data_source = models.CharField(max_length=20, choices=DataSource, default=DataSource.POSTGRES)
    data_category = models.CharField(max_length=20, choices=DataCategory, default=DataCategory.MIXED)
    status = models.CharField(max_length=20, choices=Status, default=Status.DRAFT, editable=False)
    status_reason = models.TextField(blank=True, editable=False)
    status_code = models.CharField(max_length=40, blank=True, editable=False)
    date_column = models.CharField(max_length=200, blank=True, help_text="schema.table.column of the main date.")
    date_range_start = models.DateField(null=True, blank=True)
    date_range_end = models.DateField(null=True, blank=True)
    use_cases = models.JSONField(default=list, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    query_limits = models.JSONField(
        default=dict, blank=True, help_text='Overrides of the system limits, e.g. {"aggregated_rows": 500}.'
    )
    design_decision = models.CharField(max_length=20, choices=DesignDecision, default=DesignDecision.OPEN)
    # as a person wrote it; what its names mean and how many units there are; what the check of the data found
    design_document = models.JSONField(null=True, blank=True, editable=False)
    survey_design = models.JSONField(null=True, editable=False)
    design_report = models.JSONField(null=True, editable=False)
    design_confirmed_at = models.DateTimeField(null=True, editable=False)
    design_confirmed_by = models.CharField(max_length=150, blank=True, editable=False)
    personal_data = models.CharField(max_length=20, choices=PersonalData, default=PersonalData.HIDDEN)
    policies = models.JSONField(
        default=dict, blank=True, help_text="Masks, hidden columns and row rules; see docs/security.md."
    )
    merges = models.JSONField(
        null=True,
        blank=True,
        default=None,
        help_text='Classes shown as one, by column, e.g. {"nccs": {"A": ["A", "A1"]}}; empty: as the system setting '
        "says, {}: none.",
    )
    # extensions, operators, types and casts; its functions are rows, since a person judges each
    additions = models.JSONField(null=True, default=None, editable=False)  # None: not read yet
    unsafe_role_allowed_by = models.CharField(max_length=150, blank=True, editable=False)
    preflight = models.JSONField(default=list, editable=False)
    preflight_at = models.DateTimeField(null=True, editable=False)
    # what the newest profile takes the data for, and the survey design it puts forward; used once a person agrees
    detected = models.JSONField(null=True, default=None, editable=False)
    proposal = models.JSONField(null=True, default=None, editable=False)
    estimated_row_count = models.BigIntegerField(null=True, editable=False)
    estimated_size_bytes = models.BigIntegerField(null=True, editable=False)
    last_profiled_at = models.DateTimeField(null=True, editable=False)
    live_entry = models.ForeignKey(
        "CatalogEntry", null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.CharField(max_length=150, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=Q(deleted_at=None), name="dataset_name_unique"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="dataset_status_known"),
        ]

    def __str__(self) -> str:
        return self.name


class DatasetTable(models.Model):
    """A table or view of the working copy; what is published is in `CatalogEntry`."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="tables")
    schema = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=20)
    comment = models.TextField(blank=True)
    description = models.TextField(blank=True)
    included = models.BooleanField(default=True, help_text="Clients may query it once the dataset is approved.")
    # what is gone is kept, so that what people decided of it holds should it return
    present = models.BooleanField(default=True, editable=False)
    primary_key = models.JSONField(default=list)
    unique_keys = models.JSONField(default=list)
    foreign_keys = models.JSONField(default=list)
    definitions = models.JSONField(default=list, editable=False)
    routines = models.JSONField(default=list, editable=False)
    indexes = models.JSONField(default=list, editable=False)
    partition_key = models.TextField(blank=True, editable=False)
    partitions = models.PositiveIntegerField(null=True, editable=False)
    row_estimate = models.BigIntegerField(null=True)
    size_bytes = models.BigIntegerField(null=True)
    # how many rows the newest profile looked at, and why it could not
    rows_sampled = models.PositiveIntegerField(null=True, editable=False)
    read_error = models.CharField(max_length=20, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["schema", "name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "schema", "name"], name="table_unique_in_dataset")
        ]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class DatasetColumn(models.Model):
    table = models.ForeignKey(DatasetTable, on_delete=models.CASCADE, related_name="columns")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=63)
    data_type = models.CharField(max_length=300)
    nullable = models.BooleanField(default=True)
    comment = models.TextField(blank=True)
    description = models.TextField(blank=True)
    shown = models.CharField(max_length=20, choices=Shown, default=Shown.VISIBLE)
    # who decided it; a profile changes nothing then
    shown_by = models.CharField(max_length=150, blank=True, editable=False)
    present = models.BooleanField(default=True, editable=False)
    # of the newest profile: what is in it, without any value where it holds personal data; what it is for
    statistics = models.JSONField(default=dict, blank=True)
    personal = models.JSONField(null=True, default=None, editable=False)
    role = models.JSONField(null=True, default=None, editable=False)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["table", "name"], name="column_unique_in_table")]

    def __str__(self) -> str:
        return self.name


class DatasetRoutine(models.Model):
    """A function that the database adds to PostgreSQL's own, and whether callers may run it."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="routines")
    schema = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    arguments = models.TextField(blank=True)
    kind = models.CharField(max_length=20)
    returns = models.TextField()
    returns_set = models.BooleanField(default=False)
    volatility = models.CharField(max_length=20)
    language = models.CharField(max_length=63)
    owner = models.CharField(max_length=63)
    security_definer = models.BooleanField("SECURITY DEFINER", default=False)
    extension = models.CharField(max_length=63, blank=True)
    comment = models.TextField(blank=True)
    body_hash = models.CharField(max_length=64)
    approved = models.BooleanField(default=False)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True)
    approval_note = models.TextField(blank=True)
    present = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["schema", "name", "arguments"]
        verbose_name = "function"
        constraints: ClassVar = [
            # hashed: the arguments of one function may be longer than an index entry
            models.UniqueConstraint(F("dataset"), F("schema"), F("name"), MD5("arguments"), name="routine_unique")
        ]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}({self.arguments})"


class Persona(models.Model):
    """A combination of attributes under a name, by which questions may ask for it: `Female 25-34 NCCS A`."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="personas")
    name = models.CharField(max_length=80, help_text="The name by which questions ask for it.")
    where = models.JSONField(
        help_text='Conditions that hold together, e.g. [{"column": "gender", "op": "=", "value": "Female"}].'
    )
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(F("dataset"), Lower("name"), name="persona_name_unique")]

    def __str__(self) -> str:
        return self.name


class ProfilingRun(models.Model):
    """One reading of a database: its catalogue, then table by table what is in it. It runs beside the published entry
    and never disturbs it; a run whose worker died goes on with the tables that are left."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="profiling_runs")
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    requested_by = models.CharField(max_length=150, blank=True)
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    tables_found = models.PositiveIntegerField(default=0)
    columns_found = models.PositiveIntegerField(default=0)
    tables_read = models.PositiveIntegerField(default=0)
    table_at_hand = models.CharField(max_length=130, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True)
    # when questions to what is published had been asked after it
    probed_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]

    def __str__(self) -> str:
        return f"{self.dataset} {self.requested_at:%Y-%m-%d %H:%M}"


class TableReading(models.Model):
    """What one run found in one table; kept as soon as it is known, so that nothing is read twice."""

    run = models.ForeignKey(ProfilingRun, on_delete=models.CASCADE, related_name="readings")
    schema = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    facts = models.JSONField()
    error = models.CharField(max_length=20, blank=True)
    read_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["schema", "name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "schema", "name"], name="reading_once_in_run")]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Finding(models.Model):
    """Something that a person should know of a dataset: personal data, bad data, what changed since it was published.

    Counts, never rows or values. It is open until a profile no longer finds it or a person dismisses it.
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal", "Personal data"
        QUALITY = "quality", "Data quality"
        DRIFT = "drift", "Change"

    class Severity(models.TextChoices):
        ALARM = "alarm", "Alarm"
        WARNING = "warning", "Warning"
        NOTE = "note", "Note"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DISMISSED = "dismissed", "Dismissed"
        GONE = "gone", "Gone"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=20, choices=Kind)
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=20, choices=Severity)
    table = models.CharField(max_length=130, blank=True)
    column = models.CharField(max_length=63, blank=True)
    message = models.TextField()
    count = models.BigIntegerField(null=True)
    state = models.CharField(max_length=20, choices=State, default=State.OPEN)
    found_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    # the run that opened it, and when people outside were told
    opened_by = models.ForeignKey(ProfilingRun, null=True, on_delete=models.SET_NULL, related_name="opened")
    emailed_at = models.DateTimeField(null=True)
    posted_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["dataset", "kind", "table", "column", "code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "kind", "code", "table", "column"], name="finding_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.message}"[:120]


class CatalogEntry(models.Model):
    """The published document of a dataset, immutable: what processes load. A new approval writes a new one."""

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="entries")
    version = models.BigIntegerField()
    document = models.JSONField()
    connection = SealedTextField()
    connection_id = models.CharField(max_length=32)
    # the profile that its reviewer had before them: what later ones are compared with
    profiling_run = models.ForeignKey(ProfilingRun, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering: ClassVar = ["-version"]
        verbose_name_plural = "catalog entries"
        constraints: ClassVar = [models.UniqueConstraint(fields=["dataset", "version"], name="entry_version_unique")]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.version}"


class CatalogVersion(models.Model):
    """One row: the number that grows with every published change. A process compares its own with it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="catalog_version_one_row")]

    def __str__(self) -> str:
        return str(self.version)


class ApiKey(models.Model):
    """A program's key. Only its hash is kept; the key itself is shown once."""

    name = models.CharField(max_length=100, unique=True)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, editable=False)
    owner = models.CharField(max_length=150, blank=True, help_text="The person who answers for it.")
    organisation = models.CharField(max_length=150, blank=True)
    all_datasets = models.BooleanField(default=True)
    datasets = models.ManyToManyField(Dataset, blank=True, help_text="Used where 'all datasets' is off.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name


class SystemConfig(models.Model):
    """One section of the system's settings; its shape is in datasets/system_config.py."""

    key = models.CharField(max_length=40, primary_key=True, choices=[(key, key) for key in SECTIONS])
    value = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["key"]
        verbose_name = "system setting"

    def __str__(self) -> str:
        return self.key


class EncryptionCanary(models.Model):
    """One row of known text, sealed: it says at start whether ENCRYPTION_KEY fits what is stored."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sealed = SealedTextField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="encryption_canary_one_row")]

    def __str__(self) -> str:
        return "encryption canary"
