"""Who is asking and what they may see. Pure: no Django, no database.

A key is `mcpa_<prefix>_<secret>`: the prefix finds the record, the SHA-256 of the whole key is compared in
constant time. 256 random bits need no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets.catalog import Catalog, DatasetSpec

KEY_MARK = "mcpa"
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request. `datasets` is None where every dataset is granted.

    `operator` is the person at the server's shell: all datasets, no masks.
    """

    person: str = ""
    key: str = ""
    groups: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    client: str = ""
    scope: str = ""
    datasets: frozenset[str] | None = frozenset()
    organisation: str = ""
    operator: bool = False

    @property
    def name(self) -> str:
        """Who it is, for what is shared fairly or belongs to somebody."""
        return f"{self.organisation}/{self.person}/{self.key}"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One API key as the snapshot holds it: enough to verify a token and to name its bearer."""

    name: str
    prefix: str
    key_hash: str = field(repr=False)
    datasets: frozenset[str] | None = None
    owner: str = ""
    organisation: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `token` is shown once and kept nowhere."""

    token: str = field(repr=False)
    prefix: str
    key_hash: str = field(repr=False)


def build_key() -> NewKey:
    prefix = secrets.token_hex(4)
    token = f"{KEY_MARK}_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return NewKey(token=token, prefix=prefix, key_hash=hash_token(token))


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def verify_token(token: str, keys: Mapping[str, KeySpec], *, now: datetime) -> KeySpec | None:
    """The key that this token is, or None; unknown, wrong and expired keys take the same path."""
    parts = token.split("_", 2)
    found = keys.get(parts[1]) if len(parts) == 3 and parts[0] == KEY_MARK else None
    matches = hmac.compare_digest(hash_token(token), found.key_hash if found else "0" * 64)
    if found is None or not matches:
        return None
    return None if found.expires_at and found.expires_at <= now else found


def principal_of(key: KeySpec, *, client: str = "") -> Principal:
    return Principal(
        person=key.owner, key=key.name, client=client, datasets=key.datasets, organisation=key.organisation
    )


def may_see(principal: Principal, dataset: str) -> bool:
    return principal.datasets is None or dataset in principal.datasets


def visible_datasets(principal: Principal, catalog: Catalog) -> tuple[DatasetSpec, ...]:
    """The datasets this caller may see, by name; the one rule behind every list, search and query."""
    return tuple(catalog.datasets[name] for name in sorted(catalog.datasets) if may_see(principal, name))
