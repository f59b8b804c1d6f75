"""Typed readers of environment variables; secrets may also come from the file that NAME_FILE names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]  # ships no stubs
from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def read_text(name: str, default: str = "") -> str:
    """The variable, else the contents of the file named by NAME_FILE, else the default."""
    value = os.environ.get(name, "").strip()
    path = os.environ.get(f"{name}_FILE", "").strip()
    if value or not path:
        return value or default
    try:
        return Path(path).read_text(encoding="utf-8").strip() or default
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {error.strerror}.") from error


def read_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in read_text(name, default).split(",") if item.strip()]


def read_bool(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if name not in os.environ:
        return default
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be one of true, false, 1, 0, yes, no, on, off.")
    return value in TRUE


def read_int(name: str, default: int, *, least: int = 0) -> int:
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isdigit() or int(text) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}.")
    return int(text)


def read_schedule(name: str, default: str) -> str:
    """Five fields of cron, days of the week by their names; "off" is none."""
    text = read_text(name, default)
    if text.lower() == "off":
        return ""
    fault = ImproperlyConfigured(f'{name} must be five fields of cron in UTC, as "{default}" or "30 1 * * mon-fri".')
    # a number is another day here than in cron, so none is taken
    if not re.fullmatch(r"(?:[\d*/,-]+ +){4}(?:\*|[a-z]{3}(?:[,-][a-z]{3})*)", text, re.IGNORECASE):
        raise fault
    try:
        CronTrigger.from_crontab(text, timezone="UTC")
    except ValueError:
        raise fault from None
    return " ".join(text.split())


def read_email_url(name: str) -> dict[str, object]:
    """Django's settings of outgoing mail for smtp://, smtps:// or smtp://...?tls=starttls; none where it is not set."""
    url = read_text(name)
    if not url:
        return {}
    fault = ImproperlyConfigured(f"{name} must be smtp://user:password@host:port?tls=starttls or smtps://user:...")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise fault from None
    # a misspelt option would send the password in clear; a path or fragment is a piece of a password with "/" or "#"
    options = {"smtp": {"", "tls=starttls"}, "smtps": {""}}.get(parts.scheme, set())
    if parts.query not in options or not parts.hostname or port == 0 or parts.path.strip("/") or parts.fragment:
        raise fault
    uses_starttls = bool(parts.query)
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or {"smtps": 465, "smtp": 587 if uses_starttls else 25}[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": uses_starttls,
    }


def read_database_url(url: str, *, name: str) -> dict[str, object]:
    """Django's DATABASES entry for a postgresql:// URL; libpq options stay in the query string."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must be postgresql://user:password@host:port/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(parts.query))},
    }
