"""A quick estimate of how many o200k tokens a text costs a model, within a few percent. Pure.

Every byte becomes a byte of class bits and the text one long integer: shifts and masks then find at once where runs
begin, and counting bits counts them, several times as fast as a tokenizer and without its 145 MB of tables.
"""

from __future__ import annotations

from typing import Final

CHUNK: Final = 1 << 14  # bytes looked at in one go: integers of this size stay in the processor's cache

# neighbours on purpose: shifts by 9 compare SPACE with the next DIGIT, PUNCTUATION with NEWLINE, GLUE with LETTER
SPACE, DIGIT, PUNCTUATION, NEWLINE, GLUE, LETTER, UPPER, CONSONANT = (1 << bit for bit in range(8))


def _classify(byte: int) -> int:
    char = chr(byte)
    if byte >= 0x80:
        return LETTER
    if char.isalpha():
        return LETTER | UPPER * char.isupper() | CONSONANT * (char.lower() not in "aeiouy")
    if char.isspace():
        return NEWLINE if char in "\r\n" else SPACE
    # `_id` and `,null` are often one token, `|id` and `"id` never are
    return DIGIT if char.isdigit() else PUNCTUATION | GLUE * (char in "_,")


def _everywhere(bits: int) -> int:
    return int.from_bytes(bytes([bits]) * CHUNK, "little")


CLASSES: Final = bytes(_classify(byte) for byte in range(256))
THREE_DIGITS: Final = bytes([DIGIT] * 3)
ONE_TOKEN: Final = bytes([DIGIT, 0, 0])
ASCII: Final = bytes(range(0x80))
# the first bytes of characters: Latin with accents, other two bytes (Cyrillic), Indic, signs and kana, CJK and above
SCRIPTS: Final = (range(0xC2, 0xCA), range(0xCA, 0xE0), range(0xE0, 0xE1), range(0xE1, 0xE4), range(0xE4, 0xF5))
SCRIPT_BYTES: Final = tuple(bytes(script) for script in SCRIPTS)

BEGINNINGS: Final = _everywhere(DIGIT | PUNCTUATION | LETTER)
SPACES, NEWLINES, PUNCTUATIONS = _everywhere(SPACE), _everywhere(NEWLINE), _everywhere(PUNCTUATION)
GLUES = _everywhere(GLUE)
LETTERS, UPPERS, CONSONANTS = _everywhere(LETTER), _everywhere(UPPER), _everywhere(CONSONANT)

# Tokens a feature adds: least squares of relative errors, by `python -m benchmarks.tokens --fit` over 35 kinds of text,
# 200 characters to 100 KB. Only their sum has a meaning: a consonant run takes off what its letters have added.
PIECE: Final = 1.001  # beginnings of words and punctuation, three digits, line ends and spaces that stand alone
STRESS: Final = 0.601  # a lone capital; punctuation from the fourth in a row
SOUND: Final = 0.083  # a letter, a lone consonant once more; spaces from the fourth in a row
RUN: Final = -0.255  # consonants in a row; punctuation that melts into the word after it
NULL: Final = -0.326  # ",null" of JSON
SCRIPT: Final = (1.395, 0.008, -0.025, 0.322, 0.323)  # a character of SCRIPTS, beside its bytes, which are letters
COSTS: Final = (PIECE, STRESS, SOUND, RUN, NULL, *SCRIPT)


def estimate_tokens(text: str) -> int:
    """About the text's o200k tokens, in 0.25 to 0.4 ms for 64 KB, 0.5 ms where all of it is non-ASCII."""
    return round(sum(cost * count for cost, count in zip(COSTS, count_features(text), strict=False)))


def count_features(text: str) -> tuple[int, ...]:
    """What `COSTS` are for, counted; without the scripts' counts where the text is ASCII."""
    data = text.encode(errors="replace")
    # digits go three to a token, and one class bit stands for a token
    classes = data.translate(CLASSES).replace(THREE_DIGITS, ONE_TOKEN)
    chunks = (int.from_bytes(classes[at : at + CHUNK], "little") for at in range(0, len(classes), CHUNK))
    counts = tuple(map(sum, zip(*map(_count_chunk, chunks), strict=True)))
    # searching takes a tenth of the time, and only our JSON says null
    counts += (data.count(b",null") if text.startswith("{") else 0,)
    return counts if text.isascii() else counts + _count_scripts(data)


def _count_chunk(x: int) -> tuple[int, int, int, int]:
    later = x & (x << 8)  # the second and further bytes of a run of their class
    # x ^ (x & y) is x & ~y in half the time
    runs = x ^ later
    lone = runs ^ (runs & (later >> 8))
    fourth = later & (later << 16)
    leading = x & (x >> 9)  # SPACE before DIGIT, GLUE before LETTER
    pieces = (runs & BEGINNINGS) | ((runs ^ (runs & (x << 9))) & NEWLINES) | (leading & SPACES)
    stressed = (lone & UPPERS) | (fourth & PUNCTUATIONS)
    sounds = (x & LETTERS) | (lone & CONSONANTS) | (fourth & SPACES)
    clusters = (runs & CONSONANTS) | (lone & leading & GLUES)
    return pieces.bit_count(), stressed.bit_count(), sounds.bit_count(), clusters.bit_count()


def _count_scripts(data: bytes) -> tuple[int, ...]:
    beyond = data.translate(None, ASCII)
    return tuple(len(beyond) - len(beyond.translate(None, script)) for script in SCRIPT_BYTES)
