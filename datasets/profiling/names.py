"""Names of tables and columns as words, as people of several languages write them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ID_WORDS: Final = word_set(
    "code fk guid id ident identifier idno key kennung no nr num numero number nummer pid pk seq seqn sk uid uuid"
)
# userid, respid, caseid, hhid: one word, its last letters say what it is
GLUED_ID: Final = re.compile(
    r"^(user|cust|client|customer|resp|respondent|case|person|panel|panelist|member|patient|pat|subject|hh|household|"
    r"sample|record|row|seq|order|item|product|device|session|visit|event|student|hous|indiv|kunden|haushalts|per)"
    r"(id|nr|no|num|key|code|uid)$"
)
SPLIT: Final = re.compile(r"[^\w]+|_+|(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=8192)
def words_of(name: str) -> tuple[str, ...]:
    """`fkUser_ID` and `fk_userid` as fk, user, id."""
    found = [word.lower() for word in SPLIT.split(name) if word]
    split = [part for word in found for part in _unglued(word)]
    return tuple(split)


def _unglued(word: str) -> tuple[str, ...]:
    match = GLUED_ID.match(word)
    return (match[1], match[2]) if match and word not in ID_WORDS else (word,)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Singular and plural alike, in the languages that write plurals by s, es, n, en or e; no word of any."""
    if word in ("people", "persons"):
        word = "person"
    if word.endswith("y"):
        word = f"{word[:-1]}i"
    while len(word) > 3 and word[-1] in "sne":
        word = word[:-1]
    return word


def stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, words.split()))


def stems_of(name: str) -> frozenset[str]:
    return frozenset(map(stem, words_of(name)))


def is_id_name(name: str) -> bool:
    words = words_of(name)
    return bool(words) and (words[-1] in ID_WORDS or words[0] in ("id", "fk", "pk", "uuid"))


def base_of(name: str) -> tuple[str, ...]:
    """What an id is of: `fk_user_id` of user."""
    return tuple(stem(word) for word in words_of(name) if word not in ID_WORDS)
