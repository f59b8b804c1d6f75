"""Cases kept as SQL: `--# what it is` begins one, `--: word` lines qualify it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    file: str
    title: str
    marks: tuple[str, ...]
    sql: str

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"


def load_cases(folder: str) -> list[Case]:
    return [case for path in sorted((HERE / folder).glob("*.sql")) for case in read_cases(path)]


def read_cases(path: Path) -> list[Case]:
    blocks = path.read_text().split("--# ")[1:]
    return [read_case(path.stem, block) for block in blocks]


def read_case(file: str, block: str) -> Case:
    title, *lines = block.split("\n")
    marks = tuple(line.removeprefix("--: ") for line in lines if line.startswith("--: "))
    return Case(file, title, marks, "\n".join(line for line in lines if not line.startswith("--: ")).strip())
