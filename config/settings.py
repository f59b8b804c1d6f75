"""All settings, read once from the environment; a wrong or missing value stops the start with its name.

Embedded mode (a laptop, `make run`) makes its own servers and secrets; outside it nothing has a default
that would be unsafe. See docs/settings.md.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
import warnings
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from config import embedded
from config.environment import (
    read_bool,
    read_database_url,
    read_email_url,
    read_int,
    read_list,
    read_schedule,
    read_text,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = embedded.data_dir()
COMMAND = sys.argv[1] if len(sys.argv) > 1 and Path(sys.argv[0]).name == "manage.py" else ""
UNREACHABLE = "postgresql://none:none@127.0.0.1:1/none"

# ── where the metadata database and Redis are ────────────────────────────────────────────────────────────────
METADATA_DATABASE_URL = read_text("METADATA_DATABASE_URL")
REDIS_URL = read_text("REDIS_URL")
RUNTIME = embedded.plan_runtime(DATA_DIR) if COMMAND == "quickstart" else embedded.read_runtime(DATA_DIR)
if RUNTIME is not None:
    METADATA_DATABASE_URL = METADATA_DATABASE_URL or RUNTIME.metadata_database_url
    REDIS_URL = REDIS_URL or RUNTIME.redis_url
CONFIGURED = bool(METADATA_DATABASE_URL and REDIS_URL)
EMBEDDED = RUNTIME is not None or read_bool("MCP_ANALYTICS_EMBEDDED") or not (METADATA_DATABASE_URL or REDIS_URL)
if not CONFIGURED and (METADATA_DATABASE_URL or REDIS_URL):
    missing = "REDIS_URL" if METADATA_DATABASE_URL else "METADATA_DATABASE_URL"
    raise ImproperlyConfigured(f"{missing} is not set. Set it too, or let `make run` start an embedded server for it.")


def read_secret(name: str, ephemeral: str) -> str:
    """From the environment or, in embedded mode, the data directory; `ephemeral` only where nothing runs."""
    value = read_text(name) or (embedded.read_secret(DATA_DIR, name) or "" if EMBEDDED else "")
    if value or not EMBEDDED or CONFIGURED:
        if not value:
            raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE). It has no default outside `make run`.")
        return value
    return ephemeral


def read_encryption_keys() -> tuple[str, ...]:
    keys = tuple(key.strip() for key in read_secret("ENCRYPTION_KEY", Fernet.generate_key().decode()).split(","))
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"ENCRYPTION_KEY: key {position} of {len(keys)} is not a Fernet key (32 bytes in URL-safe base64). "
                "Make one with: python -c "
                "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            ) from error
    return keys


SECRET_KEY = read_secret("SECRET_KEY", secrets.token_urlsafe(50))
ENCRYPTION_KEYS = read_encryption_keys()
# django-cryptography reads this at import; its cipher is replaced by ours (datasets/fields.py), so it never encrypts.
CRYPTOGRAPHY_KEY = base64.urlsafe_b64encode(b"unused: see datasets/fields.py").decode()
OPENAI_API_KEY = read_text("OPENAI_API_KEY")

# ── the web ──────────────────────────────────────────────────────────────────────────────────────────────────
DEBUG = read_bool("DJANGO_DEBUG")
LOCAL_HOSTS = "localhost,127.0.0.1,[::1]"
ALLOWED_HOSTS = read_list("ALLOWED_HOSTS", LOCAL_HOSTS if EMBEDDED else "")
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS is not set: the host names, separated by commas, at which this server answers."
    )
CSRF_TRUSTED_ORIGINS = read_list("CSRF_TRUSTED_ORIGINS")
ALLOWED_ORIGINS = read_list("ALLOWED_ORIGINS")
TRUST_PROXY = read_bool("TRUST_PROXY")
HTTPS_ONLY = read_bool("HTTPS_ONLY", default=not EMBEDDED)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS_ONLY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    # only its runserver is wanted from the app list; loading Twisted would cost every other command 0.4 s
    *(["daphne"] if COMMAND == "runserver" else []),
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "django_dramatiq",
    "channels",
    "dramatiq_crontab",
    "ninja",  # the page of the API's documentation, with its scripts from here and not from elsewhere
    "config",
    "datasets",
    "querying",
    "mcp_gateway",
    "logs_analytics",
]
MIDDLEWARE = [
    "config.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = EMBEDDED
if EMBEDDED:  # nothing is collected there
    warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if EMBEDDED
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────
DATABASES = {"default": read_database_url(METADATA_DATABASE_URL or UNREACHABLE, name="METADATA_DATABASE_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNEL_LAYERS = {
    "default": {
        # the pub/sub layer recovers by itself from a Redis restart; the core layer's listeners die
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL or "redis://127.0.0.1:1/0"], "prefix": "mcp-analytics"},
    }
}
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {
        "url": REDIS_URL or "redis://127.0.0.1:1/0",
        "namespace": "mcp-analytics",
        # with dramatiq's defaults a job of a killed worker was not delivered again in 150 s; with these in 7 s
        "heartbeat_timeout": 5000,
        "maintenance_chance": 100_000,
    },
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
        "datasets.heartbeat.HeartbeatMiddleware",
        "querying.worker.EndMiddleware",
    ],
}
DRAMATIQ_AUTODISCOVER_MODULES = ["actors"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

# ── the gateway's own limits ─────────────────────────────────────────────────────────────────────────────────
QUERY_TIMEOUT_MS = read_int("QUERY_TIMEOUT_MS", 30_000, least=100)
QUERY_MAX_BYTES = read_int("QUERY_MAX_BYTES", 8_000_000, least=10_000)
RESULT_CACHE_BYTES = read_int("RESULT_CACHE_BYTES", 64_000_000)
POOL_SIZE = read_int("POOL_SIZE", 6, least=1)
CONNECTION_BUDGET = read_int("CONNECTION_BUDGET", 200, least=1)
WEB_CONCURRENCY = read_int("WEB_CONCURRENCY", 1, least=1)
CONNECTIONS_PER_PROCESS = CONNECTION_BUDGET // WEB_CONCURRENCY
if CONNECTIONS_PER_PROCESS <= POOL_SIZE:
    raise ImproperlyConfigured(
        f"CONNECTION_BUDGET is {CONNECTION_BUDGET}: for {WEB_CONCURRENCY} web processes (WEB_CONCURRENCY) with "
        f"{POOL_SIZE} connections to a database (POOL_SIZE) it must be at least {WEB_CONCURRENCY * (POOL_SIZE + 1)}, "
        "or one database would take everything."
    )
POOL_ACQUIRE_TIMEOUT_MS = read_int("POOL_ACQUIRE_TIMEOUT_MS", 10_000, least=100)
# some clients give up after 60 s
BATCH_ANSWER_MS = read_int("BATCH_ANSWER_MS", 45_000, least=100)
BATCH_TIMEOUT_MS = read_int("BATCH_TIMEOUT_MS", 300_000, least=100)
# the pub/sub layer takes a second to listen again after a restart of Redis and misses what is sent meanwhile
CATALOG_POLL_MS = read_int("CATALOG_POLL_MS", 500, least=100)
LOG_PARTITION_MONTHS_AHEAD = 3
# production never runs a role that may write, whatever a command was told
ALLOW_UNSAFE_ROLES = EMBEDDED or DEBUG
UNIX_SOCKETS_ALLOWED = EMBEDDED
LOCAL_ADDRESSES_ALLOWED = EMBEDDED or DEBUG

# ── what happens by itself, and who is told ──────────────────────────────────────────────────────────────────
DRIFT_SCHEDULE = read_schedule("DRIFT_SCHEDULE", "0 2 * * *")
MAIL = read_email_url("EMAIL_URL")
EMAIL_CONFIGURED = bool(MAIL)
EMAIL_HOST, EMAIL_PORT = MAIL.get("EMAIL_HOST", ""), MAIL.get("EMAIL_PORT", 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.get("EMAIL_HOST_USER", ""), MAIL.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL.get("EMAIL_USE_SSL", False), MAIL.get("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = read_text("EMAIL_FROM", "mcp-analytics@localhost")
# one scheduler works, others wait until it is gone
DRAMATIQ_CRONTAB = {"REDIS_URL": REDIS_URL or "redis://127.0.0.1:1/0", "LOCK_BLOCKING_TIMEOUT": None}

# FastMCP would bring its own handler, in boxes; every refusal is in the query log with its code anyway
os.environ.setdefault("FASTMCP_LOG_ENABLED", "false")
QUIET = {
    "apscheduler": "WARNING",
    "asyncio": "WARNING",
    "daphne": "WARNING",
    "fastmcp": "ERROR",
    "httpcore2": "WARNING",
    "httpx": "WARNING",
    "httpx2": "WARNING",  # it names whole addresses, tokens and all
    "mcp": "WARNING",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO").upper()},
    "loggers": {name: {"level": level} for name, level in QUIET.items()},
}

UNFOLD = {
    "SITE_TITLE": "MCP Analytics Server",
    "SITE_HEADER": "MCP Analytics",
    "SITE_SYMBOL": "monitoring",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    # named here, called by the theme with each request
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "datasets.admin.site.favicon"}],
    "STYLES": ["datasets.admin.site.stylesheet"],
    "SCRIPTS": ["datasets.admin.site.script"],
    "DASHBOARD_CALLBACK": "datasets.admin.site.dashboard",
    "SIDEBAR": {"navigation": "datasets.admin.site.navigation"},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 230)",
            "100": "oklch(94% .03 230)",
            "200": "oklch(89% .06 231)",
            "300": "oklch(82% .1 232)",
            "400": "oklch(72% .13 235)",
            "500": "oklch(62% .14 240)",
            "600": "oklch(52% .13 243)",
            "700": "oklch(45% .11 244)",
            "800": "oklch(39% .09 244)",
            "900": "oklch(34% .07 245)",
            "950": "oklch(25% .05 246)",
        },
    },
}
