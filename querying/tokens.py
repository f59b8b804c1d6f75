"""A quick estimate of how many tokens a text costs a model."""

from __future__ import annotations

CHARACTERS_PER_TOKEN = 3.2  # Markdown tables of numbers and short words, o200k


def estimate_tokens(text: str) -> int:
    return round(len(text) / CHARACTERS_PER_TOKEN)
