"""What a profile notices that a person should know: counts and names of columns, never a value. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PERSONAL: Final = "personal"
QUALITY: Final = "quality"
DRIFT: Final = "drift"
ALARM: Final = "alarm"  # answers fail or are wrong
WARNING: Final = "warning"
NOTE: Final = "note"
SEVERITIES: Final = (ALARM, WARNING, NOTE)


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was noticed. `table` is schema.table; both it and `column` are empty where it is about more.

    `count` is of what the message says: rows, values, months. Of one kind, code, table and column there is one.
    """

    kind: str
    code: str
    severity: str
    message: str
    table: str = ""
    column: str = ""
    count: int | None = None
