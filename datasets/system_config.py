"""System configuration as typed values with their defaults and checks. Pure: no Django, no database.

The admin edits JSON; `parse_section` turns it into a value or says what is wrong, field by field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from config.errors import InvalidRequest

# what browsers take for an address: the mail library refuses a whole message for one that it cannot read
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+", re.IGNORECASE | re.ASCII)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    help_text: ClassVar[str] = ""


class WeightingRules(Section):
    """`merges` maps a column to its merged classes: {"nccs": {"A": ["A", "A1"]}}."""

    help_text = "Classes merged before aggregation, by column, and when weights apply."
    merges: dict[str, dict[str, tuple[str, ...]]] = Field(
        default={"nccs": {"A": ("A", "A1"), "C/D/E": ("C", "D", "E")}}
    )
    apply: Literal["always"] = "always"

    @cached_property
    def merges_text(self) -> str:
        """The merges as one string, by which what was built from them is kept."""
        return json.dumps(self.merges, sort_keys=True)

    @field_validator("merges")
    @classmethod
    def _members_belong_to_one_class(cls, merges: dict[str, dict[str, tuple[str, ...]]]) -> Any:  # Any: pydantic's own
        for column, classes in merges.items():
            members = [member for group in classes.values() for member in group]
            empty = sorted(label for label, group in classes.items() if not group)
            if empty:
                raise ValueError(f"{column}: class {', '.join(empty)} has no members")
            twice = sorted({member for member in members if members.count(member) > 1})
            if twice:
                raise ValueError(f"{column}: {', '.join(twice)} stands in more than one class")
        return merges


class QueryLimits(Section):
    """`answer_tokens` is estimated; `significant_digits` 0 means all; results are kept `result_ttl_s` seconds. Sums and
    means of events of a table with more than `error_rows` rows, as PostgreSQL estimates them, have no standard error.
    """

    help_text = "How much an answer may hold, and how many queries one call may run side by side."
    raw_rows: int = Field(default=5, ge=1, le=1000)
    aggregated_rows: int = Field(default=1000, ge=1, le=100_000)
    parallel_queries: int = Field(default=30, ge=1, le=100)
    answer_tokens: int = Field(default=20_000, ge=500, le=1_000_000)
    significant_digits: int = Field(default=5, ge=0, le=17)
    result_ttl_s: int = Field(default=60, ge=0, le=86_400)
    error_rows: int = Field(default=20_000_000, ge=0, le=10**12)


class LlmConfig(Section):
    help_text = "The model that drafts data dictionaries."
    model: str = Field(default="gpt-4o-mini", min_length=1, max_length=100)
    temperature: float = Field(default=0.3, ge=0, le=2)
    max_tokens: int = Field(default=4000, ge=100, le=200_000)


class CacheTtl(Section):
    help_text = "Seconds for which a rendered context of each level is kept."
    level_0: int = Field(default=3600, ge=0, le=86_400)
    level_1: int = Field(default=1800, ge=0, le=86_400)
    level_2: int = Field(default=900, ge=0, le=86_400)
    level_3: int = Field(default=300, ge=0, le=86_400)


class Alerts(Section):
    """Who is told of changes in the databases of published datasets. A webhook gets JSON; see docs/profiling.md."""

    help_text = "Who is told, by e-mail and webhook, when a published dataset's database has changed."
    emails: tuple[str, ...] = Field(default=(), max_length=20)
    webhook_url: str = Field(default="", max_length=2000, pattern=r"^(https?://[^\s/?#@\\]+(/\S*)?)?$")
    least_severity: Literal["alarm", "warning", "note"] = "warning"

    @field_validator("emails")
    @classmethod
    def _are_addresses(cls, emails: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [email for email in emails if not EMAIL.fullmatch(email)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} is no e-mail address")
        return emails

    @field_validator("webhook_url")
    @classmethod
    def _has_host_and_port(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            complete = not url or bool(parts.hostname and parts.port != 0)
        except ValueError:
            complete = False
        if not complete or not url.isprintable():
            # not repeated: the path of a webhook is often its secret
            raise ValueError("not an address of the form https://host:port/path")
        return url


class SystemSettings(Section):
    """All sections; what has no row yet stands at its default."""

    weighting_rules: WeightingRules = WeightingRules()
    query_limits: QueryLimits = QueryLimits()
    llm_config: LlmConfig = LlmConfig()
    cache_ttl: CacheTtl = CacheTtl()
    alerts: Alerts = Alerts()


SECTIONS: Mapping[str, type[Section]] = {
    "weighting_rules": WeightingRules,
    "query_limits": QueryLimits,
    "llm_config": LlmConfig,
    "cache_ttl": CacheTtl,
    "alerts": Alerts,
}


def parse_section(key: str, value: Any) -> Section:  # Any: JSON as a person typed it
    """The typed section, or `InvalidRequest` that names each faulty field."""
    if key not in SECTIONS:
        raise InvalidRequest(f"There is no setting named {key!r}.", hint=f"Settings: {', '.join(SECTIONS)}.")
    try:
        return SECTIONS[key].model_validate(value)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or key}: {fault['msg']}" for fault in error.errors())
        raise InvalidRequest(f"{key} is not valid: {faults}.", hint=f"Default: {default_of(key)}.") from error


def default_of(key: str) -> dict[str, Any]:  # Any: a JSON object
    return SECTIONS[key]().model_dump(mode="json")


def build_settings(rows: Mapping[str, Any]) -> tuple[SystemSettings, tuple[str, ...]]:  # Any: JSON as stored
    """The settings, and what is wrong with sections that therefore stand at their defaults."""
    sections: dict[str, Section] = {}
    faults: list[str] = []
    for key in SECTIONS.keys() & rows.keys():
        try:
            sections[key] = parse_section(key, rows[key])
        except InvalidRequest as error:
            faults.append(f"the default stands in, since {error.message}")
    return SystemSettings.model_validate(sections), tuple(faults)
