"""Text encrypted at rest with Fernet: the first key encrypts, every key decrypts. Pure: keys arrive as arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from config.errors import CredentialsUnreadable


@dataclass(frozen=True, slots=True)
class SealedText:
    """Ciphertext. It prints as dots, so that no log, traceback or admin history can show more."""

    ciphertext: str = field(repr=False)

    def __str__(self) -> str:
        return "••••••"


def seal(text: str, keys: Sequence[str]) -> SealedText:
    return SealedText(build_cipher(keys).encrypt(text.encode()).decode())


def unseal(sealed: SealedText, keys: Sequence[str]) -> str:
    """The text, or `CredentialsUnreadable` where none of the keys encrypted it."""
    try:
        return build_cipher(keys).decrypt(sealed.ciphertext.encode()).decode()
    except (InvalidToken, UnicodeDecodeError) as error:
        raise CredentialsUnreadable(
            "The stored connection string cannot be decrypted with this ENCRYPTION_KEY."
        ) from error


def build_cipher(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
