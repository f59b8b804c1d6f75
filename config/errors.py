"""Every error that leaves a door, as one tree.

    GatewayError
      AccessError        unauthenticated · forbidden
      CatalogError       dataset_not_found · table_not_found
      RequestError       invalid_request · sql_invalid · query_refused · name_not_found · batch_too_large
                         result_not_found · weighting_unsupported · base_unknown
      SourceError        query_timeout · query_failed · source_unavailable · credentials_unreadable
      BusyError          gateway_busy · queue_unavailable · holding_unavailable · result_lost
      OnboardingError    dsn_invalid · name_taken · transition_refused · role_unsafe · profiling_failed
                         design_invalid
        PreflightError   source_unreachable · source_dns_failed · source_tls_refused · source_password_rejected
                         source_database_missing · source_not_postgresql · host_refused
      DeliveryFailed     delivery_failed
      InternalError      internal · record_unavailable · not_configured

An error says what happened (`message`) and what to do next (`hint`), both written for a model that will
retry. `context` holds names and numbers only: never a connection string, never rows.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """Base of the tree; doors map it once, by its class attributes."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", **context: Any) -> None:  # Any: JSON scalars of the context
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.context = context

    def as_dict(self) -> dict[str, Any]:  # Any: a JSON object
        """The one shape in which every door shows an error."""
        shown = {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.retryable}
        return {**shown, "context": self.context} if self.context else shown


class AccessError(GatewayError):
    code, status = "forbidden", 403
    default_hint = "Ask an administrator for access."


class Unauthenticated(AccessError):
    code, status = "unauthenticated", 401
    default_hint = "Send an API key as `Authorization: Bearer <key>`."


class CatalogError(GatewayError):
    code, status = "dataset_not_found", 404
    default_hint = "Call list_datasets for the names you can use."


class DatasetNotFound(CatalogError):
    pass


class TableNotFound(CatalogError):
    code = "table_not_found"
    default_hint = "Call describe_dataset for the tables of this dataset."


class RequestError(GatewayError):
    code, status = "invalid_request", 400


class InvalidRequest(RequestError):
    pass


class SqlInvalid(RequestError):
    code = "sql_invalid"
    default_hint = "Correct the SQL (PostgreSQL dialect) and send it again."


class QueryRefused(RequestError):
    code, status = "query_refused", 403
    default_hint = "Write one SELECT over the dataset's tables."


class BatchTooLarge(RequestError):
    code, status = "batch_too_large", 413
    default_hint = "Split it into several calls."


class NameNotFound(RequestError):
    code = "name_not_found"
    default_hint = "Call describe_dataset for the tables and columns of this dataset."


class ResultNotFound(RequestError):
    """Absent, expired, malformed or somebody else's: a caller cannot tell which."""

    code, status = "result_not_found", 404
    default_hint = (
        "A handle lives 10 minutes and belongs to the caller who got it. Copy it exactly, or ask the questions again."
    )


class WeightingUnsupported(RequestError):
    """No rule says how to weight this question, so no number is given: it could look weighted and not be."""

    code = "weighting_unsupported"
    default_hint = (
        "Write the question in one of the forms of the hint, or send weighting: off for unweighted figures of the "
        "sample."
    )


class BaseUnknown(RequestError):
    """The dataset withholds estimates on few persons, and it cannot be told how many are behind these."""

    code = "base_unknown"
    default_hint = (
        "Write one SELECT that aggregates persons or their events itself (COUNT, SUM, AVG with GROUP BY), without a "
        "further SELECT around it, UNION or weights of your own; several questions go into execute_multi_query."
    )


class SourceError(GatewayError):
    code, status = "source_unavailable", 502


class SourceUnavailable(SourceError):
    retryable = True
    default_hint = (
        "Try again in a minute; other datasets are not affected. An administrator can run `manage.py doctor`."
    )


class QueryTimeout(SourceError):
    code, status = "query_timeout", 504
    default_hint = "Ask for less: a shorter period, fewer groups, or a filter on an indexed column."


class QueryFailed(SourceError):
    code, status = "query_failed", 422
    default_hint = "Correct the SQL and send it again."


class CredentialsUnreadable(SourceError):
    code, status = "credentials_unreadable", 503
    default_hint = (
        "ENCRYPTION_KEY does not fit this dataset's stored connection string. Start with the key that encrypted it "
        "(several may be listed, separated by commas), or enter the connection string again in the admin."
    )


class BusyError(GatewayError):
    code, status, retryable = "gateway_busy", 503, True


class GatewayBusy(BusyError):
    default_hint = "All connections to this dataset are in use; try again in a few seconds."


class ResultLost(BusyError):
    code = "result_lost"
    default_hint = "Ask this query again, with fewer rows or alone."


class QueueUnavailable(BusyError):
    code = "queue_unavailable"
    default_hint = (
        "The job queue (Redis) cannot be reached. Start it, then profile again; `manage.py doctor` checks it."
    )


class HoldingUnavailable(BusyError):
    """Answers that take longer cannot be kept for later: Redis is away, or the room for them is full."""

    code = "holding_unavailable"
    default_hint = "Ask fewer questions in one call, or try again in a minute."


class OnboardingError(GatewayError):
    code, status = "onboarding_failed", 409


class DsnInvalid(OnboardingError):
    code, status = "dsn_invalid", 400
    default_hint = "Write it as postgresql://user:password@host:5432/database?sslmode=require."


class NameTaken(OnboardingError):
    code = "name_taken"
    default_hint = "Choose another name; it is part of every question, so keep it short."


class TransitionRefused(OnboardingError):
    code = "transition_refused"


class RoleUnsafe(OnboardingError):
    code = "role_unsafe"
    default_hint = (
        "Register a role that can only read: CREATE ROLE reader LOGIN PASSWORD '...'; "
        "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader."
    )


class ProfilingFailed(OnboardingError):
    code, status = "profiling_failed", 502


class DesignInvalid(OnboardingError):
    """`context.faults` holds each fault with its line."""

    code, status = "design_invalid", 400
    default_hint = "Correct each line; docs/onboarding.md shows the form of a survey design."


class PreflightError(OnboardingError):
    """The connection could not be opened or is not what it should be; each cause has its own code."""

    code, status = "source_unreachable", 502


class SourceUnreachable(PreflightError):
    retryable = True
    default_hint = "Check host and port, that the database is running, and that its firewall admits this server."


class SourceFull(SourceUnreachable):
    """The server has no connection left for this role."""


class SourceDnsFailed(PreflightError):
    code = "source_dns_failed"
    default_hint = "Check the host name in the connection string."


class HostRefused(PreflightError):
    """An address of this machine, or one that only machines of a cloud may ask."""

    code, status = "host_refused", 403
    default_hint = "Name a host whose address is neither this machine's own nor link-local; see docs/security.md."


class SourceTlsRefused(PreflightError):
    code = "source_tls_refused"
    default_hint = "Change sslmode in the connection string, or turn TLS on at the database."


class SourcePasswordRejected(PreflightError):
    code = "source_password_rejected"
    default_hint = "Check user and password, and pg_hba.conf of the database."


class SourceDatabaseMissing(PreflightError):
    code = "source_database_missing"
    default_hint = "Check the database name at the end of the connection string."


class SourceNotPostgresql(PreflightError):
    code = "source_not_postgresql"
    default_hint = "Another kind of server answers at this address; check host and port (PostgreSQL's default is 5432)."


class DeliveryFailed(GatewayError):
    """A message could not be delivered to where people are told of findings."""

    code, status, retryable = "delivery_failed", 502, True
    default_hint = "Check EMAIL_URL, or the webhook_url of the system setting alerts."


class InternalError(GatewayError):
    default_hint = (
        "Nothing that you sent caused this. Try again; if it persists, give the request id to an administrator."
    )


class RecordUnavailable(InternalError):
    """The answer could not be written to the query log, so it is withheld."""

    code, status, retryable = "record_unavailable", 503, True
    default_hint = (
        "Answers are given only when they can be logged. Try again; an administrator can run `manage.py doctor`."
    )


class NotConfigured(InternalError):
    code, status = "not_configured", 503
    default_hint = "Set the environment variable, or start the embedded servers with `make run`."


def build_error(document: dict[str, Any]) -> GatewayError:  # Any: a JSON object, as `as_dict` made it
    """The error that a document describes, for what was written by another process."""
    classes = {found.code: found for found in _descendants(GatewayError)}
    kind = classes.get(document["code"], GatewayError)
    return kind(document["message"], hint=document["hint"], **document.get("context", {}))


def _descendants(kind: type[GatewayError]) -> list[type[GatewayError]]:
    # the deepest first, so that the one that brought a code in stands last
    return [*(found for child in kind.__subclasses__() for found in _descendants(child)), kind]
