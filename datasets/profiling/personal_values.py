"""Whether a text is what it may be taken for: an e-mail address, a card's number, a person's name. Pure.

Checksums and lengths are python-stdnum's, those of telephone numbers phonenumbers'.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import phonenumbers
from stdnum import ean, iban, imei, luhn
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.id import nik
from stdnum.in_ import epic
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.my import nric
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.tr import tckimlik
from stdnum.us import ssn
from stdnum.za import idnr as za_idnr

Check = Callable[[str], bool]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EMAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+'-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,5}(?P<top>[a-z]{2,24})(?![\w@-])", re.I
)
NO_DOMAINS: Final = _words("css gif html jpeg jpg js json pdf png svg webp")  # logo@2x.png
NINO: Final = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", re.I)
MAC: Final = re.compile(r"(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}", re.I)
DEVICE: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{14,64}|[\w:/+=-]{20,}", re.I)
POSTAL: Final = re.compile(
    r"\d{4,6}|\d{5}-\d{3,4}|\d{3}[ -]\d{2,4}|\d\d-\d{3}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d"
    r"|\d{4} ?[A-Z]{2}|[A-Z]{1,2}-\d{4,6}",
    re.I,
)
DEGREES: Final = re.compile(r"[-+]?(\d{1,3})\.(\d{3,})")
PAIR: Final = re.compile(r"(?:POINT ?)?[(\[]?\s*([-+]?\d{1,3}\.\d{3,})\s*[,; ]\s*([-+]?\d{1,3}\.\d{3,})\s*[)\]]?", re.I)
CARD_PREFIXES: Final = re.compile(
    r"4\d{12}(?:\d{3})?(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|(?:508|60[68]|65|81|82)\d{13,14}"
    r"|62\d{14,17}"
)
DATES: Final = (
    re.compile(r"(?P<year>\d{4})[-/.]?(?P<month>\d\d?)[-/.]?(?P<day>\d\d?)(?:[T ].*)?"),
    re.compile(r"(?P<day>\d\d?)[-/.](?P<month>\d\d?)[-/.](?P<year>\d{4})"),
    re.compile(r"(?P<month>\d\d?)[-/.](?P<day>\d\d?)[-/.](?P<year>\d{4})"),
)
OLDEST: Final = 1890
LATEST: Final = 2100
DENSE: Final = 1000  # the mean gap of keys at most
WORD: Final = re.compile(r"[^\W\d_][^\W\d_'’.-]*(?:['’-][^\W\d_]+)*\.?")
PARTICLES: Final = _words("al bin d' da das de del della den der di do dos du e el ibn la le o' of st van von y")
FIRMS: Final = _words("ab ag bank bv co corp foundation gmbh group inc limited llc llp ltd plc pvt sa sarl srl")

# people's names that are few things' names, to tell a `name` of persons from one of products
PEOPLE: Final = _words("""
    aarav abdul ahmed aisha alejandro alice amit ana andreas andrew anil anita anna anne antoine antonio arjun asha
    ashok barbara bauer becker benjamin bernard carlos carmen catherine charles chen christian christine claire clara
    daniel daniela david deepak diego dmitri dubois dupont durand edward elena elizabeth emily emma eva fatima felix
    fernandez fischer francesca francesco francois garcia george giovanni giulia gomez gonzalez gupta hans hassan helen
    henry hoffmann hussein ibrahim ines irina ivan jack jacques james jan jean jennifer jessica joao john johannes john
    jones jorge jose joseph juan julia julie jürgen kapoor karen karthik kavya keller khan kim klaus krishnan kumar
    kumari laura lefebvre lopez lorenzo louis lucas lucia luis luisa magdalena mahesh manish marco maria marie mario
    martin martina martinez mary matteo matthew mehta meera mehmet meyer michael michel miguel miller mohammed mohan
    mukherjee müller muller naidu nair nathalie neha nguyen nikhil nicole noah olga olivia oliveira omar pablo patel
    patricia paul paula pedro peter petra philippe pierre pooja prakash priya rahul raj rajesh raju rakesh ramesh ravi
    reddy rekha richard robert rodriguez rohan romano rossi ruth sandra sanjay sanjeev santos sara sarah schmidt
    schneider schulz sharma silva singh smith sofia sophie souza stefan steven sunil sunita suresh susan tanaka thomas
    torres ursula verma victoria vijay vikram vinod wagner wang weber william williams wilson yadav yusuf zhang
    иван иванов мария анна сергей елена дмитрий петров смирнов
    """)
KNOWN_NAMES: Final = 0.15
REGIONS: Final = (
    "IN",
    "US",
    "GB",
    "DE",
    "FR",
    "ES",
    "IT",
    "BR",
    "MX",
    "NL",
    "PL",
    "SE",
    "AU",
    "ZA",
    "NG",
    "ID",
    "CN",
    "JP",
)


def is_email(text: str) -> bool:
    """An address alone, or within words: `Jane <jane@...>`."""
    found = EMAIL.search(text)
    if not found or found["top"].lower() in NO_DOMAINS:
        return False
    return found.span() == (0, len(text)) or any(character in text for character in ' <\t\n:"')


def is_international_phone(text: str) -> bool:
    return text.startswith("+") and _is_phone(text, None)


def phone_check(values: Sequence[str]) -> Check:
    """A check that takes national numbers to be of the one country whose rules most of the values keep."""
    region = max(REGIONS, key=lambda region: sum(_is_phone(value, region) for value in values))
    return lambda text: is_international_phone(text) or _is_phone(text, region)


def written_phone_check(values: Sequence[str]) -> Check:
    """`phone_check` for numbers written as such, `(415) 555-2671`: of bare digits nine in ten are somewhere valid."""
    check = phone_check(values)
    return lambda text: re.search(r"\d[ ()/-]+\d", text) is not None and not is_birth_date(text) and check(text)


def _is_phone(text: str, region: str | None) -> bool:
    if not 6 <= sum(map(str.isdigit, text)) <= 16 or re.search(r"[^\d\s()+./x-]", text):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def looks_like_phone(text: str) -> bool:
    return 7 <= sum(map(str.isdigit, text)) <= 15 and re.fullmatch(r"\+?[\d\s()./x-]+", text) is not None


def is_card(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    return CARD_PREFIXES.fullmatch(digits) is not None and luhn.is_valid(digits)


def is_ssn(text: str) -> bool:
    return bool(ssn.is_valid(text))


def is_dashed_ssn(text: str) -> bool:
    """With its dashes: nine digits alone are valid nearly always."""
    return text.count("-") == 2 and bool(ssn.is_valid(text))


def is_nino(text: str) -> bool:
    return NINO.fullmatch(text) is not None


def is_imei(text: str) -> bool:
    return len(re.sub(r"[ -]", "", text)) == 15 and bool(imei.is_valid(text))


def is_iban(text: str) -> bool:
    return bool(iban.is_valid(text, check_country=False))


def is_ip(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return "." in text or ":" in text


def is_no_version(text: str) -> bool:
    """An IP address that is no version such as 2.10.3.1."""
    return is_ip(text) and (":" in text or any(int(part) >= 100 for part in text.split("/")[0].split(".")))


def is_mac(text: str) -> bool:
    return MAC.fullmatch(text) is not None


def is_device_id(text: str) -> bool:
    return DEVICE.fullmatch(text) is not None


def is_postal_code(text: str) -> bool:
    return POSTAL.fullmatch(text) is not None


def is_degrees(text: str) -> bool:
    found = DEGREES.fullmatch(text)
    return bool(found and int(found[1]) < 180) or is_pair(text)


def is_pair(text: str) -> bool:
    found = PAIR.fullmatch(text)
    return bool(found) and all(abs(float(part)) <= 180 for part in found.groups()) if found else False


def is_birth_date(text: str) -> bool:
    return any(_is_date(form.fullmatch(text)) for form in DATES)


def _is_date(found: re.Match[str] | None) -> bool:
    if not found:
        return False
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return False
    return OLDEST <= day.year <= LATEST


def is_address(text: str) -> bool:
    return bool(re.search(r"\d", text)) and len(re.findall(r"[^\W\d_]{2,}", text)) >= 2


def looks_like_address(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]{2,}", text)) >= 2


def is_person_name(text: str) -> bool:
    """One to five capitalised words without digits, in any script."""
    words = re.split(r"[\s,]+", text.strip())
    own = [word for word in words if word.lower() not in PARTICLES]
    return (
        0 < len(own) <= 5
        and all(WORD.fullmatch(word) or re.fullmatch(r"[^\W\d_]\.([^\W\d_]\.)*", word) for word in own)
        and all(word[0].isupper() or word[0].lower() == word[0].upper() for word in own)
        and not any(word.lower().rstrip(".") in FIRMS for word in own)
    )


def looks_like_name(text: str) -> bool:
    return len(text) <= 60 and len(text.split()) <= 5 and re.fullmatch(r"[^\W\d_][^\d_@/]*", text) is not None


def bare_name_check(values: Sequence[str]) -> Check:
    """`is_person_name`, or a check that nothing passes where hardly any value has a name known to be a person's."""
    known = sum(map(_has_known_name, values))
    return is_person_name if known >= max(1, KNOWN_NAMES * len(values)) else lambda _: False


def _has_known_name(text: str) -> bool:
    return is_person_name(text) and any(word.strip(".,") in PEOPLE for word in text.lower().split())


def is_username(text: str) -> bool:
    return re.fullmatch(r"@?[\w.@+-]{3,60}", text) is not None and not text.isdigit()


def is_passport(text: str) -> bool:
    return re.fullmatch(r"(?=.*\d{4})[A-Z0-9<]{6,10}", text.replace(" ", ""), re.I) is not None


def looks_like_id(text: str) -> bool:
    """Enough digits for a person's number, or hidden in part."""
    if re.fullmatch(r"[-+]?\d*\.\d+(?:e[-+]?\d+)?", text, re.I):  # a measure
        return False
    short = re.sub(r"[\s./-]", "", text)
    return (7 <= len(short) <= 20 and short.isalnum() and sum(map(str.isdigit, short)) >= 4) or is_starred(text)


def is_starred(text: str) -> bool:
    return re.fullmatch(r"[Xx*•#\s/-]{4,}[\dA-Z]{2,6}|\d{4,6}[Xx*•#\s-]{4,}\d{2,4}", text) is not None


def looks_like_card(text: str) -> bool:
    return re.fullmatch(r"\d{13,19}", re.sub(r"[ -]", "", text)) is not None or is_starred(text)


def looks_like_aadhaar(text: str) -> bool:
    return re.fullmatch(r"\d{12}", re.sub(r"[ -]", "", text)) is not None or is_starred(text)


def looks_like_imei(text: str) -> bool:
    return re.fullmatch(r"\d{14,16}", re.sub(r"[ -]", "", text)) is not None or is_starred(text)


def looks_like_ssn(text: str) -> bool:
    return re.fullmatch(r"\d{9}", text.replace("-", "")) is not None or is_starred(text)


def is_free_text(text: str) -> bool:
    """Words enough for a sentence; no code, address of a page or log."""
    words = re.findall(r"(?<![\w/=.:])[^\W\d_]{1,20}(?=[\s.,;:!?'’\")]|$)", text)
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return len(words) >= 6 and len(text) >= 35 and letters >= 0.85 * len(text) and text[0] not in "{[<"


def looks_like_text(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]{2,}", text)) >= 2


def are_numbers_of_things(texts: Sequence[str]) -> bool:
    """Keys that count up, moments as seconds or milliseconds, product codes."""
    digits = [short for text in texts if (short := re.sub(r"[ -]", "", text)).isdecimal()]
    if len(digits) < 0.9 * len(texts):
        return False
    numbers = [int(text) for text in digits]
    ordered = sorted(set(numbers))
    dense = ordered[-1] - ordered[0] <= DENSE * len(ordered)
    moments = all(10**9 <= number < 2 * 10**9 or 10**12 <= number < 2 * 10**12 for number in numbers)
    products = sum(map(_is_product_code, digits)) >= 0.8 * len(digits)
    return dense or moments or products


def _is_product_code(text: str) -> bool:
    return len(text) in {8, 12, 13, 14} and bool(ean.is_valid(text))


# so seldom right by chance that they are sought in columns of any name
RARE_IDS: Final[tuple[Check, ...]] = (
    codicefiscale.is_valid,
    cnp.is_valid,
    cpf.is_valid,
    curp.is_valid,
    dni.is_valid,
    fodselsnummer.is_valid,
    hetu.is_valid,
    nie.is_valid,
    nir.is_valid,
    nn.is_valid,
    personnummer.is_valid,
    pesel.is_valid,
    ric.is_valid,
    rrn.is_valid,
    tckimlik.is_valid,
    za_idnr.is_valid,
)
# sought where the name says so: chance gets one in ten of these right, or nearly all
COMMON_IDS: Final[tuple[Check, ...]] = (
    bsn.is_valid,
    cpr.is_valid,
    egn.is_valid,
    epic.is_valid,
    nhs.is_valid,
    nik.is_valid,
    nric.is_valid,
    rut.is_valid,
    sin.is_valid,
    tfn.is_valid,
)


def best_of(checks: Sequence[Check]) -> Callable[[Sequence[str]], Check]:
    """The one of these checks that most values pass: a column holds the numbers of one country."""
    return lambda values: max(checks, key=lambda check: sum(map(check, values)))
