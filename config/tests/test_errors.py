from __future__ import annotations

from collections.abc import Iterator

import pytest

from config import errors
from config.errors import GatewayError


def every_error(base: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in base.__subclasses__():
        yield child
        yield from every_error(child)


LEAVES = [error for error in every_error() if not error.__subclasses__()]


def test_codes_are_unique_and_documented_in_the_tree() -> None:
    codes = [error.code for error in LEAVES]

    assert len(codes) == len(set(codes))
    assert errors.__doc__ is not None
    assert all(code in errors.__doc__ for code in codes)


@pytest.mark.parametrize("error", LEAVES)
def test_an_error_shows_code_message_and_hint(error: type[GatewayError]) -> None:
    shown = error("What happened.", hint="What to do.", table="users").as_dict()

    assert shown["code"] == error.code
    assert (shown["message"], shown["hint"], shown["context"]) == ("What happened.", "What to do.", {"table": "users"})
    assert 400 <= error.status < 600
