"""Who is calling, and which channel of a result it shows to its model. Pure.

The client is the program (ChatGPT, Claude Code, ...), never the person.
"""

from __future__ import annotations

import re
from enum import Enum

from logs_analytics.records import Client


class Channel(Enum):
    """What a client forwards to the model: the text, the structured part, or both."""

    TEXT = "text"
    STRUCTURED = "structured"
    BOTH = "both"
    UNKNOWN = "unknown"


# substrings of the names that clients give themselves, lower case; the first match counts
NAMES: tuple[tuple[str, str], ...] = (
    ("claude-code", "claude-code"),
    ("claude", "claude"),
    ("chatgpt", "chatgpt"),
    ("openai", "chatgpt"),
    ("cursor", "cursor"),
    ("visual studio code", "vscode"),
    ("vscode", "vscode"),
    ("inspector", "inspector"),
    ("opencode", "opencode"),
    ("langchain", "langchain"),
    ("kimi", "kimi"),
)

# anthropics/claude-code#55677: text is dropped where there is structured content; the others show only text
CHANNELS: dict[str, Channel] = {
    "chatgpt": Channel.BOTH,
    "claude-code": Channel.STRUCTURED,
    "kimi": Channel.TEXT,
    "langchain": Channel.TEXT,
    "opencode": Channel.TEXT,
}


def identify(*, name: str, version: str, user_agent: str) -> Client:
    """The client by the name it gave (high confidence), else by its user agent (low), else unknown."""
    for text, confidence in ((name, "high"), (user_agent, "low")):
        found = _match(text)
        if found:
            return Client(name=found, version=version, confidence=confidence, user_agent=user_agent)
    return Client(
        name=_clean(name) or "unknown", version=version, confidence="medium" if name else "none", user_agent=user_agent
    )


def _match(text: str) -> str:
    lowered = text.lower()
    return next((known for part, known in NAMES if part in lowered), "")


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9 ._/-]", "", name)[:40].strip()


def channel_of(client: Client) -> Channel:
    return CHANNELS.get(client.name, Channel.UNKNOWN)
