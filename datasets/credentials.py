"""Sealing and unsealing with this installation's keys, and the canary that says whether they fit."""

from __future__ import annotations

from django.conf import settings

from config.errors import CredentialsUnreadable
from datasets.connections import ConnectionTarget, parse_dsn
from datasets.models import EncryptionCanary
from datasets.sealing import SealedText, seal, unseal

CANARY = "mcp-analytics canary"


def seal_dsn(dsn: str) -> SealedText:
    return seal(dsn, settings.ENCRYPTION_KEYS)


def open_target(sealed: SealedText) -> ConnectionTarget:
    """The connection target behind ciphertext; the only place where a stored connection string is decrypted."""
    return parse_dsn(unseal(sealed, settings.ENCRYPTION_KEYS), unix_sockets=settings.UNIX_SOCKETS_ALLOWED)


def keys_fit() -> bool:
    """Whether ENCRYPTION_KEY decrypts the canary; the first call of an installation writes it."""
    canary, _ = EncryptionCanary.objects.get_or_create(
        id=1, defaults={"sealed": seal(CANARY, settings.ENCRYPTION_KEYS)}
    )
    try:
        return unseal(canary.sealed, settings.ENCRYPTION_KEYS) == CANARY
    except CredentialsUnreadable:
        return False
