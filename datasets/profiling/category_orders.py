"""Values of a category in the order that people expect: bands, classes, scales of answers. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

NCCS: Final = re.compile(r"[A-E][1-3]?")
CUT: Final = re.compile(r"[\[(]\s*(-?[\d.]+|-?inf)\s*,\s*(-?[\d.]+|\+?inf)\s*[\])]", re.IGNORECASE)
NUMBERED: Final = re.compile(r"\(?(\d{1,2})\s*[-.:)=]\s*[^\W\d].*")
NUMBER: Final = re.compile(
    r"(\d{1,3}(?:[.,]\d{3})+|\d+(?:\.\d+)?)\s*(k|m|l|lakh|lakhs|cr|crore)?(?![^\W\d_])", re.IGNORECASE
)
TIMES: Final = {"k": 1e3, "m": 1e6, "l": 1e5, "lakh": 1e5, "lakhs": 1e5, "cr": 1e7, "crore": 1e7}
UNDER: Final = re.compile(
    r"<|≤|\b(under|below|less|up to|younger|unter|bis zu|jünger|moins|jusqu|menos|hasta|menor|ate|até|meno|sotto)\b"
)
OVER: Final = re.compile(
    r"\+|>|≥|\b(over|above|more|older|plus|über|ueber|ab|mehr|älter|et plus|más|mas|mais|o más|mayor|oltre|older)\b"
)
# no answer, and what has no place between the others: they stand last
OUTSIDE: Final = re.compile(
    r"(don'?t know|dk|refused|prefer not to (say|answer)|not (stated|applicable|available)|no answer|"
    r"unknown|other|n/?a|"
    r"none|missing|weiß nicht|weiss nicht|keine angabe|unbekannt|ne sait pas|nsp|no sabe|ns/nc|"
    r"sonstige|autre|otro|outro)",
    re.IGNORECASE,
)
LOWEST: Final = frozenset({"rural"})  # below every size of a town

# from the lowest to the highest, whole or in part; a line that is indented goes on with the one before
SCALES: Final = tuple(
    tuple(step.strip() for step in line.split(" < "))
    for line in """
strongly disagree < disagree < somewhat disagree < neither agree nor disagree < neutral < somewhat agree <
  agree < strongly agree
very dissatisfied < dissatisfied < somewhat dissatisfied < neither < neutral < somewhat satisfied < satisfied
  < very satisfied
very unlikely < unlikely < neutral < likely < very likely
never < rarely < seldom < occasionally < sometimes < often < usually < very often < always
never < yearly < quarterly < monthly < weekly < daily
very poor < very bad < poor < bad < fair < average < good < very good < excellent
not at all < a little < somewhat < moderately < very < extremely
very low < low < lower < medium < middle < moderate < high < higher < very high < critical
light < medium < heavy
tiny < small < medium < large < very large < huge
xxs < xs < s < m < l < xl < xxl < xxxl
bronze < silver < gold < platinum < diamond
stimme überhaupt nicht zu < stimme gar nicht zu < stimme nicht zu < stimme eher nicht zu < teils/teils <
  teils teils < neutral < stimme eher zu < stimme zu < stimme voll zu < stimme voll und ganz zu
nie < selten < manchmal < oft < häufig < immer
niedrig < mittel < hoch
jamais < rarement < parfois < souvent < toujours
pas du tout d'accord < plutôt pas d'accord < ni d'accord ni pas d'accord < plutôt d'accord <
  tout à fait d'accord
nunca < raramente < rara vez < a veces < às vezes < a menudo < frequentemente < siempre < sempre
muy en desacuerdo < en desacuerdo < neutral < de acuerdo < muy de acuerdo
bajo < baixo < medio < médio < alto
no schooling < illiterate < less than primary < primary < elementary < some primary < middle school <
  less than high school < secondary < some high school < high school < higher secondary < vocational <
  some college < diploma < associate < college < bachelor < graduate < tertiary < university < higher < master
  < post graduate < postgraduate < doctorate < phd
hauptschule < realschule < mittlere reife < fachabitur < abitur < bachelor < hochschule < universität < master
  < promotion
primaria < secundaria < bachillerato < universitaria < posgrado
monday < tuesday < wednesday < thursday < friday < saturday < sunday
mon < tue < wed < thu < fri < sat < sun
january < february < march < april < may < june < july < august < september < october < november < december
jan < feb < mar < apr < may < jun < jul < aug < sep < oct < nov < dec
""".strip()
    .replace("\n  ", " ")
    .splitlines()
)

Order = tuple[str, ...]


def natural_order(values: Sequence[str]) -> tuple[Order, str] | None:
    """All values in their order and what they are (`bands`...), or None where they have none that can be told."""
    if len(set(values)) < 3:
        return None
    last = sorted(value for value in values if OUTSIDE.fullmatch(value.strip()))
    inner = [value for value in values if value not in last]
    for order in (_classes, _bands, _numbered, _scale):
        found = order(inner) if len(inner) >= 3 else None
        if found is not None:
            return (*found[0], *last), found[1]
    return None


def _classes(values: Sequence[str]) -> tuple[Order, str] | None:
    """A1 stands above A, which stands for the rest of its letter."""
    if not all(NCCS.fullmatch(value) for value in values) or len({value[0] for value in values}) < 3:
        return None
    return tuple(sorted(values, key=lambda value: (value[0], value[1:] or "9"))), "socio-economic classes"


def _bands(values: Sequence[str]) -> tuple[Order, str] | None:
    spans = {value: span for value in values if (span := read_band(value)) is not None}
    wide = [span for span in spans.values() if span[0] < span[1]]
    rest = set(values) - spans.keys()
    if len(spans) < 3 or len(wide) < 2 or len(wide) * 2 < len(spans) or any(v.lower() not in LOWEST for v in rest):
        return None
    ordered = sorted(spans.items(), key=lambda item: item[1])
    for (_, (_, high)), (_, (low, _)) in pairwise(ordered):
        if low < high:  # they overlap: no bands of one thing
            return None
    return (*sorted(rest), *(value for value, _ in ordered)), "bands of a number"


def read_band(value: str) -> tuple[float, float] | None:
    """15-17, 55+, under 18, (19,39], 10-40L, $25,000 to $49,999 and a single number."""
    text = value.strip().lower()
    cut = CUT.fullmatch(text)
    if cut:
        return float(cut[1]), float(cut[2])
    found = NUMBER.findall(text)
    units = [unit.lower() for _, unit in found]
    numbers = [_plain(digits) * TIMES.get(unit or units[-1], 1) for digits, unit in found]
    if len(numbers) == 2 and numbers[0] < numbers[1]:
        return numbers[0], numbers[1]
    if len(numbers) != 1:
        return None
    (number,) = numbers
    if OVER.search(text):
        return number, math.inf
    return (-math.inf, number) if UNDER.search(text) else (number, number) if text.isdigit() else None


def _plain(digits: str) -> float:
    return float(re.sub(r"[.,](?=\d{3}(\D|$))", "", digits))


def _numbered(values: Sequence[str]) -> tuple[Order, str] | None:
    """`1 - Very bad`: the answers carry their place."""
    places = {value: int(match[1]) for value in values if (match := NUMBERED.fullmatch(value.strip()))}
    if len(places) != len(values) or len(set(places.values())) != len(places):
        return None
    return tuple(sorted(places, key=lambda value: places[value])), "numbered answers"


def _scale(values: Sequence[str]) -> tuple[Order, str] | None:
    lowered = {value: " ".join(value.lower().replace("’", "'").split()) for value in values}
    for scale in SCALES:
        if set(lowered.values()) <= set(scale):
            return tuple(sorted(values, key=lambda value: scale.index(lowered[value]))), "steps of a scale"
    return None
