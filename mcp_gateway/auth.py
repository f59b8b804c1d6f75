"""Bearer tokens, checked against the catalog's snapshot."""

from __future__ import annotations

from datetime import UTC, datetime

from fastmcp.server.auth import AccessToken, TokenVerifier

from datasets.access import verify_token
from querying.engine import Engine


class ApiKeyVerifier(TokenVerifier):
    """No database on this path: a key is as valid as the snapshot says, and that is under a second old."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    async def verify_token(self, token: str) -> AccessToken | None:
        key = verify_token(token, self._engine.catalog.keys, now=datetime.now(UTC))
        if key is None:
            return None
        # the prefix stands in for the token, which need not travel any further
        return AccessToken(token=key.prefix, client_id=key.name, scopes=[], claims={"prefix": key.prefix})
