"""Which columns are survey weights, and of what kind: by names, comments, neighbours and distributions. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from datasets.design import HOUSEHOLD, NORMALISED, PERSON, PROJECTED
from datasets.design_fit import plain_type
from datasets.policies import NUMBERS
from datasets.profiling.distribution import Distribution, read_distribution
from datasets.profiling.facts import ColumnFacts, TableFacts
from datasets.profiling.introspection import FoundColumn, FoundTable
from datasets.profiling.keys import rows_of
from datasets.profiling.names import stems, stems_of, word_set, words_of

# nothing else is called so
SURVEY_NAME: Final = re.compile(
    r"^_?(p|pw|f|d|an|hh|ps|psp|per|person|personal|final|fin|pop|samp|sample|sampling|survey|calib|calibration|rake|"
    r"raking|raked|rim|post|base|design|analysis|panel|respondent|household|grossing|proj|projection|trimmed|normalised|"
    r"normalized)_?(weight|weighting|wght|wgt|wt)s?(_?[a-z0-9]+)?$"
    r"|^wt(mec|int|saf|dr|ph|fin|fa|supp|ss|ssps)\w*$|wgtp?\b|wght|wgt_|wgt\d|llcpwt|weighting|weegfactor|wegingsfactor"
    r"|hochrechnung|^[ph]?h?hrf$|gewichtung|kalibrer|(^|_)ponder|(^|_)pondi[hi]|coef\w*_?(pond|extrap)|^fexp"
    r"|fac\w*_?(exp|elev|pond)|fat\w*_?(de_)?expans|expansion_?(factor|weight|wt)|(proj\w*|universe|grossing)_?factor"
    r"|(peso|poids|waga)_?(muestral|amostral|sondage|final|indiv|enq|analit|pop)|painokerroin"
    r"|(weight|gewicht)(s|ing)?_?(factor|faktor|norm\w*|proj\w*|pop\w*|sample|final|adj\w*|trim\w*|20\d\d|w\d+)"
)
# may weigh a body or a parcel as well
OTHER_NAMES: Final = word_set(
    "weight weights weightvar weightvalue wt wts wtg wgt gewicht gew poids peso waga vikt vægt vaegt vekt paino bobot "
    "agirlik ağırlık vaha váha pw pond lw xw weging redressement penimbang wfactor вес 权重 ウェイト w"
)
GLUED_NAME: Final = re.compile(
    r"^[a-zäöü]{0,12}(wt|weight)\d{0,4}$|^[a-zäöü]{0,20}gewicht\d{0,4}$|^wt[a-z]{2,6}$|^[a-z]\d{0,2}wt[a-z]{2,6}$"
    r"|^fac(tor)?(_[a-z]{2,4})?$"
)
COMMENT: Final = re.compile(
    r"\b(survey|sampling|sample|population|design|projection|raking|expansion|panel)[ -]*weight|"
    r"weight(ing|ed)?[ -]factor"
    r"|\bstands? for\b|hochrechnung|gewichtung|pond[eé]ra|factor de expansi|fator de expans|represent(s|ed)? .{0,30}"
    r"(people|persons|population|households)",
    re.IGNORECASE,
)
OTHER_THING: Final = re.compile(
    r"\b(kg|kilo\w*|lbs?|pounds?|grams?|gramm|ounces?|tonnes?|body|bmi|parcel|shipping|obese|"
    r"gross weight|net weight)\b",
    re.IGNORECASE,
)
UNITS: Final = word_set(
    "kg kgs g gr gram grams lb lbs oz ounce ounces pound pounds ton tons tonne tonnes mg kilo kilos t"
)
# of a body, of goods, of a model
NOT_OF_PERSONS: Final = re.compile(
    r"^(light|dead|heavy|paper|feather|class$|unit$|units$|body|birth|ship|gross$|brut|tare$|dry$|wet$|cargo|freight|parcel|pack|item|product|vehic|truck|"
    r"k(oe|ö)rper|geburt|"
    r"versand|net$|neto|netto|corp|naiss|naci|badan|mass$|carat|font|portion|target|goal|ideal|lean|"
    r"fat$|loss|gain|max|min$|"
    r"baby|bwt|bw$|bmxwt|fetal|load|lift|rank|sort|score|feature|edge|importance|price|curb|animal|"
    r"carcass|mother|father|"
    r"before|after|current|initial|avg|mean|vect|token|rule|criteri|attr|rel$|relative)"
)
GOODS: Final = stems(
    "product item parcel shipment package order sku article artikel produkt producto produit produto "
    "vehicle animal cattle "
    "livestock ingredient recipe edge tag feature criterion criteria rule model delivery price preis prix precio preco "
    "barcode ean shipping carrier freight warehouse stock length width depth volume dimension dimensions tracking grade"
)
BODY: Final = stems(
    "height bmi hgt waist hip systolic diastolic sbp dbp bp pulse temperature glucose taille "
    "estatura altura imc körpergröße "
    "koerpergroesse groesse größe bmxht bmxbmi heart hemoglobin length diagnosis medication dose vitals pressure"
)
PERSONS: Final = stems(
    "gender sex age agecat agegroup birth race ethnicity education income region state nccs marital "
    "religion stratum strata "
    "psu geschlecht alter bildung sexe genre edad sexo genero género idade escolaridade educacion "
    "ingreso user panel survey "
    "respondent person panelist panellist household sample interview wave befragte haushalt personen "
    "encuesta encuestado "
    "hogar persona enquete enquête répondant repondant menage ménage individu pesquisa respondente "
    "domicilio pessoa weights "
    "weighting demographics consumer viewer demo riagendr ridageyr płeć wiek kön ålder urban rural town townclass"
)
OF_HOUSEHOLDS: Final = re.compile(r"^(hh|hous|haush|hogar|menage|ménage|foyer|domic)|hhw")
REPLICATE: Final = re.compile(r"rep|brr|jk\d|jack|boot|bsw|wr\d")
SERIES: Final = 8  # so many numbered alike are replicates
THOUSANDS: Final = re.compile(r"thousand|\b000s?\b|tausend|millier|\bmiles\b|\bmil\b|in k\b", re.IGNORECASE)
NORMALISED_WORDS: Final = re.compile(
    r"mean (of )?(one|1)\b|normali[sz]ed|scaled to (a )?mean|average (of )?(1|one)\b", re.IGNORECASE
)
ENOUGH: Final = 0.5
# weights that add up to less are no country; a thousand times as much is
COUNTRY_IN_THOUSANDS: Final = (20_000, 1_600_000)


@dataclass(frozen=True, slots=True)
class WeightReading:
    """What speaks for a column being a weight. `scale` units are meant by one of it; `certain` "
    "where a comment says so."""

    confidence: float
    reasons: tuple[str, ...]
    kind: str = PROJECTED
    scale: float = 1.0
    certain: bool = False
    level: str = PERSON
    sure: bool = False  # name or comment leave no other meaning


def read_weights(table: FoundTable, known: TableFacts) -> dict[str, WeightReading]:
    """The table's columns that look like survey weights, by name."""
    series = Counter(re.sub(r"\d+$", "", column.name.lower()) for column in table.columns)
    found = {}
    for column in table.columns:
        stemmed = re.sub(r"\d+$", "", column.name.lower())
        if stemmed != column.name.lower() and (series[stemmed] >= SERIES or REPLICATE.search(column.name.lower())):
            continue  # replicates serve errors, not estimates
        reading = _read(table, column, known)
        if reading is not None and reading.confidence >= ENOUGH:
            found[column.name] = reading
    return found


def _read(table: FoundTable, column: FoundColumn, known: TableFacts) -> WeightReading | None:
    if plain_type(column.data_type) not in NUMBERS:
        return None
    named = _by_name(column)
    if named is None:
        return None
    confidence, reasons, sure = named[0], [named[1]], named[2]
    facts = known.columns.get(column.name, ColumnFacts())
    values = read_distribution(facts)
    if values is None:
        confidence -= 0.15
    else:
        told = _by_values(values, rows_of(table, known), sure=sure)
        if told is None:
            return None
        confidence += told[0]
        reasons += told[1]
    change, said = _by_neighbours(table, column, sure=sure)
    reasons += said
    kind, scale, certain, why = _kind(column, values, rows_of(table, known))
    level = (
        HOUSEHOLD if OF_HOUSEHOLDS.search(column.name.lower()) or OF_HOUSEHOLDS.match(table.name.lower()) else PERSON
    )
    return WeightReading(
        confidence=round(max(0.0, min(0.98, confidence + change)), 2),
        reasons=(*reasons, why),
        kind=kind,
        scale=scale,
        certain=certain,
        level=level,
        sure=sure,
    )


def _by_name(column: FoundColumn) -> tuple[float, str, bool] | None:
    """A first confidence, and whether name or comment leave no other meaning; None where they speak of other things."""
    name, words = column.name.lower(), words_of(column.name)
    comment = bool(COMMENT.search(column.comment))
    if not comment and (set(words) & UNITS or OTHER_THING.search(column.comment)):
        return None
    if any(NOT_OF_PERSONS.match(word) for word in words) and not comment:
        return None
    if SURVEY_NAME.search(name):
        return 0.8, f"{column.name} is a name of survey weights.", True
    if set(words) & OTHER_NAMES or GLUED_NAME.match(name):
        if comment:
            return 0.85, f"{column.name} is a name of weights, and its comment says that it is one.", True
        return 0.55, f"{column.name} is a name of weights, of persons or of things.", False
    if comment and re.search(r"weight|gewicht|pond|expansi|hochrechn", column.comment, re.IGNORECASE):
        return 0.7, f"The comment of {column.name} speaks of a survey weight.", True
    return None


def _by_values(values: Distribution, rows: int | None, *, sure: bool) -> tuple[float, list[str]] | None:
    """What the distribution adds; None where it cannot be that of weights."""
    if values.at(0.05) < 0 or values.null_share > 0.5 or values.zero_share > 0.5:
        return None
    if values.maximum <= values.minimum or (values.distinct is not None and values.distinct < 3):
        return None  # it weighs everybody alike
    spread = values.maximum / max(values.at(0.05), 1e-9)
    if values.whole and values.maximum <= 20:
        return None  # ranks and answers
    told, reasons = 0.0, ["It is never negative, and seldom NULL or 0."]
    if values.null_share > 0.2 or values.zero_share > 0.2:
        told -= 0.15
        reasons = ["More than a fifth of its rows have no weight."]
    if values.whole and spread < 20:
        told -= 0.1
    looks_like_body = 25 <= values.at(0.5) <= 220 and values.maximum <= 500 and values.at(0.95) < 6 * values.at(0.05)
    if looks_like_body and not sure:
        told -= 0.35
        reasons.append("Its values are such as bodies weigh.")
    mean = values.mean
    if is_normalised(mean):
        told += 0.1
        reasons.append("Its mean is about 1.")
    elif mean >= 5 and rows and not looks_like_body:
        told += 0.1
        reasons.append(f"Its mean is about {mean:,.0f}, far above 1.")
    elif mean < 0.3:
        told -= 0.3
        reasons.append("Its mean is far below 1.")
    return told, reasons


def is_normalised(mean: float) -> bool:
    return 0.7 <= mean <= 1.4


def _by_neighbours(table: FoundTable, column: FoundColumn, *, sure: bool) -> tuple[float, list[str]]:
    around = {stem for other in table.columns if other is not column for stem in stems_of(other.name)}
    own = stems_of(table.name)
    persons = len((around | own) & PERSONS)
    goods, body = (around | own) & GOODS, (around | own) & BODY
    change, reasons = 0.0, []
    if any(is_design_name(other.name) for other in table.columns):
        change += 0.1
        reasons.append("Beside it stand columns of a sample design.")
    elif persons:
        change += 0.05 * min(persons, 2)
        reasons.append("Its table speaks of persons.")
    if sure:
        return change, reasons
    if not persons:
        change -= 0.2
        reasons.append("Nothing in its table speaks of persons.")
    if goods:
        change -= 0.25 if persons < 3 else 0.1
        reasons.append("Its table speaks of goods.")
    if body:
        change -= 0.25 if not reasons or "design" not in reasons[0] else 0.1
        reasons.append("Its table has measures of the body.")
    return change, reasons


STRATUM: Final = re.compile(
    r"^_?(sdmv|v|e|p|h|i|survey|sample|sampling|design|var)?_?(strat(um|a|e|o|os|en|ums)?|stra|"
    r"ststr)(_?(id|no|nr|num|code|key|var|\d+))?$"
)
PSU: Final = re.compile(
    r"^_?(sdmv|v|e|p|h|i|survey|sample|sampling|design|var)?_?(psu|upm|ppu|upe|ups|"
    r"primary_?sampling_?unit|sampling_?unit|"
    r"enumeration_?area|secu|grappe|conglomerado|klumpen)s?(_?(id|no|nr|num|code|key|var|\d+))?$"
)
# names that mean other things beside no weight
STRATUM_BESIDE: Final = re.compile(
    r"^(schicht|schichtung|estrato|strate|couche|estratos|sampling_?cell)(_?(id|nr|no|num|\d+))?$"
)
PSU_BESIDE: Final = re.compile(
    r"^(cluster|clusters|ea|cluster_?(id|no|nr|num|number)|ea_?(id|no|code)|sample_?point|"
    r"sampling_?point|village_?id|punto_?muestra)$"
)


def is_design_name(name: str) -> bool:
    return bool(STRATUM.match(name.lower()) or PSU.match(name.lower()))


def _kind(column: FoundColumn, values: Distribution | None, rows: int | None) -> tuple[str, float, bool, str]:
    """Kind, scale, whether a comment says so, and why."""
    mean = values.mean if values else None
    if THOUSANDS.search(column.comment):
        return PROJECTED, 1000.0, True, "Its comment says that it counts in thousands."
    if NORMALISED_WORDS.search(column.comment) and (mean is None or is_normalised(mean)):
        return NORMALISED, 1.0, True, "Its comment says that its mean is one."
    if mean is None or values is None or not rows:
        return (
            PROJECTED,
            1.0,
            False,
            "Nothing is known of its sum: whether it is projected to a population is for you to say.",
        )
    if is_normalised(mean):
        return NORMALISED, 1.0, False, "With a mean of about 1 its sum is that of the rows: counts are not people."
    total = mean * rows * (1 - values.null_share)
    low, high = COUNTRY_IN_THOUSANDS
    if low <= total <= high and mean >= 5 and not COMMENT.search(column.comment):
        text = f"Its sum is about {total:,.0f}, which in thousands would be a population of {total * 1000:,.0f}."
        return PROJECTED, 1000.0, False, text
    return PROJECTED, 1.0, False, f"Its sum is about {total:,.0f}."
