"""Whether a column holds personal data, by its name and by sampled values. Pure; says nothing that quotes a value.

A name alone is a suspicion, which values confirm or clear; values alone must pass checks far more often than chance.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from stdnum.in_ import aadhaar, pan

from datasets.profiling.introspection import FoundColumn
from datasets.profiling.personal_names import find_named, names_things
from datasets.profiling.personal_values import (
    COMMON_IDS,
    RARE_IDS,
    Check,
    are_numbers_of_things,
    bare_name_check,
    best_of,
    is_address,
    is_birth_date,
    is_card,
    is_dashed_ssn,
    is_degrees,
    is_device_id,
    is_email,
    is_free_text,
    is_iban,
    is_imei,
    is_international_phone,
    is_ip,
    is_mac,
    is_nino,
    is_no_version,
    is_pair,
    is_passport,
    is_person_name,
    is_postal_code,
    is_ssn,
    is_starred,
    is_username,
    looks_like_aadhaar,
    looks_like_address,
    looks_like_card,
    looks_like_id,
    looks_like_imei,
    looks_like_name,
    looks_like_phone,
    looks_like_ssn,
    looks_like_text,
    phone_check,
    written_phone_check,
)

CONFIDENT: Final = 0.5
UNSEEN: Final = 0.6  # named so, and no values to clear it
CLEARED: Final = 0.1
SURE: Final = 0.99
ABOUT_THINGS: Final = 0.3
MOST_VALUES: Final = 2000
SCREENED: Final = 40
MOST_KEYS: Final = 40
LONGEST_HINT: Final = 60  # a longer comment speaks of more than what is in the column

# how a column with personal data starts, until a reviewer decides; a mask keeps what can be counted or grouped
STARTS: Final[Mapping[str, Literal["hidden", "masked"]]] = {
    "aadhaar": "hidden",
    "address": "hidden",
    "birth_date": "masked",
    "card": "hidden",
    "coordinates": "masked",
    "device_id": "masked",
    "email": "hidden",
    "free_text": "hidden",
    "iban": "hidden",
    "imei": "hidden",
    "ip": "masked",
    "mac": "masked",
    "name": "hidden",
    "national_id": "hidden",
    "nino": "hidden",
    "pan": "hidden",
    "passport": "hidden",
    "phone": "hidden",
    "postal_code": "masked",
    "ssn": "hidden",
    "username": "masked",
}

Family = Literal["inet", "json", "macaddr", "moment", "number", "point", "text", "uuid"]
FAMILIES: Final[Mapping[str, Family | None]] = {
    '"char"': None,
    "bigint": "number",
    "bit": None,
    "boolean": None,
    "bytea": None,
    "cidr": "inet",
    "date": "moment",
    "daterange": None,
    "double precision": "number",
    "hstore": "json",
    "inet": "inet",
    "int4range": None,
    "int8range": None,
    "integer": "number",
    "interval": None,
    "json": "json",
    "jsonb": "json",
    "macaddr": "macaddr",
    "macaddr8": "macaddr",
    "money": None,
    "numeric": "number",
    "numrange": None,
    "oid": None,
    "point": "point",
    "real": "number",
    "smallint": "number",
    "time with time zone": None,
    "time without time zone": None,
    "timestamp with time zone": "moment",
    "timestamp without time zone": "moment",
    "tsrange": None,
    "tstzrange": None,
    "tsvector": None,
    "uuid": "uuid",
}  # a type that is not here (text, citext, a domain) may hold any text
TEXT: Final = frozenset[Family]({"text"})
DIGITS: Final = frozenset[Family]({"number", "text"})

ARRAY_ELEMENT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)')
JSON_PAIR: Final = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s*(?::|=>)\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d[\d.]*)(?=[,\s}\]]))')
JSON_START: Final = re.compile(r'\{\s*"|\[\s*["{]')
JSON_KEY: Final = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s*(?::|=>)')
JSON_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(?!\s*(?::|=>))')


@dataclass(frozen=True, slots=True)
class Personal:
    """`confidence` is 0 to 1, `share` that of the known values which pass the kind's check."""

    kind: str
    confidence: float
    reason: str
    share: float


def is_to_be_hidden(personal: Personal) -> bool:
    return starts_as(personal) == "hidden"


def starts_as(personal: Personal | None) -> Literal["hidden", "masked", "visible"]:
    """How a column is shown before anybody has looked at it."""
    return STARTS[personal.kind] if personal and personal.confidence >= CONFIDENT else "visible"


def find_personal(column: FoundColumn, values: Sequence[str | None]) -> Personal | None:
    """The likeliest kind of personal data in a column, or None; `values` are sampled texts, NULL as None.

    A `confidence` under `CONFIDENT` is a suspicion that the values do not bear out.
    Costs some 0.1 ms a value.
    """
    data_type = re.sub(r"\(.*?\)", "", column.data_type)
    family = FAMILIES.get(data_type.removesuffix("[]"), "text")
    if family is None:
        return None
    known = [value.strip() for value in values if value and value.strip()][:MOST_VALUES]
    if data_type.endswith("[]"):
        known = [element for value in known for element in _split_array(value)][:MOST_VALUES]
    if family == "json" or (family == "text" and _is_json(known)):
        return _find_in_json(column, known)
    if family == "number":
        known = [re.sub(r"\.0+$", "", value) for value in known]
    return _likeliest(_judge(kind, column, known) for kind in KINDS if family in kind.families)


def _likeliest(found: Iterable[Personal | None]) -> Personal | None:
    """The surest; of two that are sure enough the one to be hidden: a login may be a name or an e-mail address."""
    return max(
        (personal for personal in found if personal),
        key=lambda personal: (is_to_be_hidden(personal), personal.confidence),
        default=None,
    )


def _is_json(texts: Sequence[str]) -> bool:
    """Whether a column of texts holds JSON, as many do."""
    return bool(texts) and sum(JSON_START.match(text) is not None for text in texts) >= 0.9 * len(texts)


def _split_array(text: str) -> list[str]:
    elements = [quoted or bare.strip() for quoted, bare in ARRAY_ELEMENT.findall(text)]
    return [element for element in elements if element and element != "NULL"]


def _find_in_json(column: FoundColumn, texts: Sequence[str]) -> Personal | None:
    """Judges what stands under each key as a column of that name; texts may be cut off, so they are not parsed.

    A key may itself be somebody's (`{"jane@...": 3}`): keys are judged like values, and no reason names one.
    """
    held: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        for key, string, number in JSON_PAIR.findall(text):
            held[key].append(string or number)
    parts = [(key, values) for key, values in held.items() if not key.isdecimal()]
    parts = sorted(parts, key=lambda part: -len(part[1]))[:MOST_KEYS]
    parts.append((column.name, [string for text in texts for string in JSON_TEXT.findall(text)]))
    parts.append(("", [key for text in texts for key in JSON_KEY.findall(text)]))
    found = (find_personal(replace(column, name=name, data_type="text", comment=""), part) for name, part in parts)
    best = _likeliest(found)
    return replace(best, reason=f"inside its JSON: {best.reason}") if best else None


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of personal data is known.

    `check` makes the column's check from some of its values. `looks` is a weaker one, for what is meant to be one
    and is not valid. `alone` is that of columns whose name does not say so: `enough` is the share needed, `least` how
    many different values must pass. `varied` is the share of values that must differ, digits aside.
    """

    name: str
    noun: str
    families: frozenset[Family]
    check: Callable[[Sequence[str]], Check]
    looks: Check | None = None
    alone: Callable[[Sequence[str]], Check] | None = None
    enough: float = 0.9
    least: int = 20
    named: str = ""
    proven: bool = False
    varied: float = 0.0
    of_persons: bool = True  # whether found values are a person's, whatever thing the name speaks of
    unseen: float = UNSEEN
    sure: float = 1.0


def _judge(kind: Kind, column: FoundColumn, known: Sequence[str]) -> Personal | None:
    named = (kind.named or kind.name) in find_named(column.name)
    if known and not named and len(column.comment) <= LONGEST_HINT:
        named = (kind.named or kind.name) in find_named(column.comment)
    return _judge_named(kind, known) if named else _judge_unnamed(kind, column, known)


def _judge_named(kind: Kind, known: Sequence[str]) -> Personal | None:
    if not known:
        return Personal(kind.name, kind.unseen, f"named like {kind.noun}; no value is known", 0.0)
    if _variety(known) < kind.varied:
        return Personal(kind.name, CLEARED, f"named like {kind.noun}, but few of its values differ", 0.0)
    share = _share(kind.check(known[:SCREENED]), known)
    likeness = _share(kind.looks, known) if kind.looks else 0.0
    confidence = max(CLEARED, min(SURE, 0.2 + 0.8 * share), 0.2 + 0.5 * likeness if likeness else 0.0)
    but = "and" if confidence >= CONFIDENT else "but"
    reason = f"named like {kind.noun}, {but} {_describe(kind, share, known)}"
    if likeness > share:
        reason += f", {likeness:.0%} in part".replace("%", " %")
    return Personal(kind.name, round(confidence, 2), reason, share)


def _judge_unnamed(kind: Kind, column: FoundColumn, known: Sequence[str]) -> Personal | None:
    if not kind.alone or not known:
        return None
    check = kind.alone(known[:SCREENED])
    if kind.enough >= CONFIDENT and _share(check, known[:SCREENED]) < kind.enough / 2:
        return None
    valid = {text for text in set(known) if check(text)}
    share = sum(text in valid for text in known) / len(known)
    if share < kind.enough or len(valid) < kind.least or _variety(known) < kind.varied:
        return None
    if are_numbers_of_things(known):
        return None
    of_things = not kind.of_persons and names_things(column.name)
    confidence = ABOUT_THINGS if of_things else min(SURE, kind.sure * (0.5 + 0.5 * share))
    reason = f"not named like {kind.noun}, but {_describe(kind, share, known)}"
    return Personal(kind.name, round(confidence, 2), reason, share)


def _describe(kind: Kind, share: float, known: Sequence[str]) -> str:
    verb = "are valid ones" if kind.proven else "look like one"
    return f"{share:.0%}".replace("%", " %") + f" of {len(known):,} values {verb}"


def _share(check: Check, known: Sequence[str]) -> float:
    counts = Counter(known)
    return sum(count for text, count in counts.items() if check(text)) / len(known)


def _variety(known: Sequence[str]) -> float:
    """The share of values that differ by more than their digits, as those made from a template do not."""
    return len({re.sub(r"\d+", "9", text) for text in known}) / len(known)


def _always(check: Check) -> Callable[[Sequence[str]], Check]:
    return lambda _: check


# the first of equals wins
KINDS: Final = (
    Kind(
        "email",
        "an e-mail address",
        TEXT,
        check=_always(is_email),
        looks=lambda text: "@" in text,
        alone=_always(is_email),
        enough=0.1,
        least=1,
        proven=True,
    ),
    Kind(
        "iban",
        "an IBAN",
        TEXT,
        check=_always(is_iban),
        looks=looks_like_id,
        alone=_always(is_iban),
        enough=0.3,
        least=3,
        proven=True,
    ),
    Kind(
        "card",
        "a card number",
        DIGITS,
        check=_always(is_card),
        looks=looks_like_card,
        alone=_always(is_card),
        least=10,
        proven=True,
    ),
    Kind(
        "aadhaar",
        "an Aadhaar number",
        DIGITS,
        check=_always(aadhaar.is_valid),
        looks=looks_like_aadhaar,
        alone=_always(aadhaar.is_valid),
        proven=True,
    ),
    Kind(
        "pan",
        "a PAN",
        TEXT,
        check=_always(pan.is_valid),
        looks=is_starred,
        alone=_always(pan.is_valid),
        enough=0.8,
        least=10,
        proven=True,
    ),
    Kind(
        "ssn",
        "a US social security number",
        DIGITS,
        check=_always(is_ssn),
        looks=looks_like_ssn,
        alone=_always(is_dashed_ssn),
        least=10,
        proven=True,
    ),
    Kind(
        "nino",
        "a UK national insurance number",
        TEXT,
        check=_always(is_nino),
        looks=looks_like_id,
        alone=_always(is_nino),
        least=10,
        proven=True,
    ),
    Kind("imei", "an IMEI", DIGITS, check=_always(is_imei), looks=looks_like_imei, proven=True),
    Kind("passport", "a passport number", TEXT, check=_always(is_passport), looks=looks_like_id),
    Kind(
        "national_id",
        "a national identity number",
        DIGITS,
        check=best_of((*RARE_IDS, *COMMON_IDS, aadhaar.is_valid, pan.is_valid, is_ssn, is_nino)),
        looks=looks_like_id,
        alone=best_of(RARE_IDS),
        proven=True,
    ),
    Kind(
        "phone",
        "a phone number",
        DIGITS,
        check=phone_check,
        looks=looks_like_phone,
        alone=_always(is_international_phone),
        enough=0.4,
        least=3,
        proven=True,
    ),
    Kind(
        "phone",
        "a phone number",
        TEXT,
        check=phone_check,
        alone=written_phone_check,
        enough=0.97,
        least=30,
        proven=True,
        sure=0.7,
    ),
    Kind("birth_date", "a birth date", DIGITS | {"moment"}, check=_always(is_birth_date)),
    Kind("ip", "an IP address", frozenset({"inet"}), _always(is_ip), alone=_always(is_ip), least=1, of_persons=False),
    Kind(
        "ip",
        "an IP address",
        TEXT,
        check=_always(is_ip),
        alone=_always(is_no_version),
        enough=0.6,
        least=3,
        proven=True,
        of_persons=False,
    ),
    Kind(
        "mac",
        "a MAC address",
        TEXT | {"macaddr"},
        check=_always(is_mac),
        alone=_always(is_mac),
        enough=0.8,
        least=3,
        proven=True,
    ),
    Kind("device_id", "a device's identifier", TEXT | {"uuid"}, check=_always(is_device_id)),
    Kind(
        "coordinates",
        "a place's coordinates",
        DIGITS | {"point"},
        check=_always(is_degrees),
        alone=_always(is_pair),
        of_persons=False,
    ),
    Kind("coordinates", "a place's coordinates", TEXT | {"point"}, check=_always(is_pair), named="place", unseen=0.4),
    Kind("postal_code", "a postal code", DIGITS, check=_always(is_postal_code)),
    Kind("name", "a person's name", TEXT, check=_always(is_person_name), looks=looks_like_name),
    Kind("name", "a name", TEXT, check=bare_name_check, named="bare_name", unseen=0.4),
    Kind("address", "an address", TEXT, check=_always(is_address), looks=looks_like_address),
    Kind("username", "a user's name", TEXT, check=_always(is_username)),
    Kind(
        "free_text",
        "free text",
        TEXT,
        check=_always(is_free_text),
        looks=looks_like_text,
        alone=_always(is_free_text),
        enough=0.6,
        least=10,
        varied=0.5,
        of_persons=False,
        sure=0.8,
    ),
)
