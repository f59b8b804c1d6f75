"""From what was read to what it means: roles, keys, a proposed design, faults. Knows asyncpg, not Django."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from datasets.connections import ConnectionTarget
from datasets.design import TableName
from datasets.profiling.contents import TableContents, count_months, fetch_answers, fetch_rows
from datasets.profiling.detection import EVENT_DATE, OTHER_DATE, Detection, detect
from datasets.profiling.facts import TableFacts
from datasets.profiling.introspection import FoundDates, FoundTable, Profile
from datasets.profiling.keys import Facts, name_of, rows_of
from datasets.profiling.observations import NOTE, PERSONAL, WARNING, Observation
from datasets.profiling.personal import CONFIDENT, Personal
from datasets.profiling.proposals import Proposal, propose_design
from datasets.profiling.quality import ORPHANS, can_be_asked, judge_tables, questions_of

MONTHS_BUDGET_S: Final = 10.0
ANSWERS_BUDGET_S: Final = 10.0
CHECKS_BUDGET_S: Final = 10.0
DATED_TABLES: Final = 30  # whose rows are counted by month, the longest first
Document = dict[str, Any]  # Any: JSON
Contents = Mapping[TableName, TableContents]


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that a profile says beyond the catalogue. `proposal` is JSON, with the answers of its checks."""

    facts: Facts
    detection: Detection
    proposal: Document | None
    observed: tuple[Observation, ...]
    orphans: Mapping[tuple[TableName, tuple[str, ...]], int] = field(default_factory=dict)


async def judge(target: ConnectionTarget, profile: Profile, contents: Contents) -> Judgement:
    """Asks the database no more than 30 s. Raises `ProfilingFailed` where the connection breaks."""
    tables = profile.tables
    facts = _with_spans({name: found.facts for name, found in contents.items()}, profile.dates)
    detection = detect(tables, facts)
    facts = await _with_months(target, tables, facts, detection)
    answers = await fetch_answers(target, questions_of(tables, facts, detection), budget_s=ANSWERS_BUDGET_S)
    proposal = propose_design(detection, tables, facts)
    observed = [observation for found in contents.values() for observation in found.observed]
    observed += judge_tables(tables, facts, detection)
    observed += [question.observe(number) for question, number in answers if number > 0]
    return Judgement(
        facts=facts,
        detection=detection,
        proposal=await _proposal_document(target, proposal, facts) if proposal else None,
        observed=tuple(observed),
        orphans={(asked.table, asked.columns): number for asked, number in answers if asked.code == ORPHANS},
    )


def _with_spans(facts: Mapping[TableName, TableFacts], spans: Sequence[FoundDates]) -> dict[TableName, TableFacts]:
    """First and last dates as the whole tables have them, in the place of those of statistics and samples."""
    exact = {span.column: span for span in spans}
    found = dict(facts)
    for name, known in facts.items():
        columns = dict(known.columns)
        for column, column_facts in known.columns.items():
            span = exact.get(f"{'.'.join(name)}.{column}")
            if span is not None and column_facts.minimum is not None:  # not one of personal data
                first, last = span.start.isoformat(), span.end.isoformat()
                columns[column] = replace(column_facts, minimum=first, maximum=last)
        if columns != known.columns:
            found[name] = replace(known, columns=columns)
    return found


async def _with_months(
    target: ConnectionTarget, tables: Sequence[FoundTable], facts: Facts, detection: Detection
) -> dict[TableName, TableFacts]:
    """Coverage by month of what happened, from all rows where the time allows: a sample cannot tell a gap."""
    by_name = {name_of(table): table for table in tables}
    dated = []
    # where nobody does anything, dates of whatever it is
    for role in detection.of_role(EVENT_DATE) or detection.of_role(OTHER_DATE):
        known = facts.get(role.table, TableFacts()).columns.get(role.column)
        if known is not None and not known.counted and known.months:
            table = by_name[role.table]
            dated.append((table, next(column for column in table.columns if column.name == role.column)))
    dated.sort(key=lambda pair: -(rows_of(pair[0], facts.get(name_of(pair[0]), TableFacts())) or 0))
    counted = await count_months(target, dated[:DATED_TABLES], budget_s=MONTHS_BUDGET_S)
    found = dict(facts)
    for (name, column), months in counted.items():
        table_facts = found[name]
        column_facts = replace(table_facts.columns[column], months=months, counted=True)
        found[name] = replace(table_facts, columns={**table_facts.columns, column: column_facts})
    return found


async def _proposal_document(target: ConnectionTarget, proposal: Proposal, facts: Facts) -> Document:
    """With answers of the checks, None where there was no time or a table that cannot be read."""
    asked = [check for check in proposal.checks if can_be_asked(facts.get(check.table))]
    rows = await fetch_rows(target, [check.sql for check in asked], budget_s=CHECKS_BUDGET_S)
    answers = dict(zip((check.name for check in asked), rows, strict=True))
    return {
        "document": proposal.document,
        "confidence": proposal.confidence,
        "reasons": list(proposal.reasons),
        "evidence": [
            {
                **asdict(evidence),
                "table": ".".join(evidence.table),
                "quantiles": {str(share): value for share, value in evidence.quantiles.items()},
            }
            for evidence in proposal.evidence
        ],
        "checks": [
            {
                "name": check.name,
                "sql": check.sql,
                "expected": check.expected,
                "answer": _answer_document(answers.get(check.name)),
            }
            for check in proposal.checks
        ],
        "questions": list(proposal.questions),
        "alternatives": [asdict(alternative) for alternative in proposal.alternatives],
    }


def _answer_document(row: Any) -> list[list[Any]] | None:  # Any: an asyncpg record; JSON
    return None if row is None else [[name, _plain(value)] for name, value in row.items()]


def _plain(value: Any) -> float | int | None:  # Any: what asyncpg makes of a number
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None


def detected_document(judgement: Judgement) -> Document:
    """What a person may look at; of roles of columns see `role_documents`. `orphans` is None where nobody looked."""
    detection = judgement.detection
    return {
        "dataset_type": asdict(detection.dataset_type),
        "data_category": asdict(detection.data_category),
        "persons": ".".join(detection.persons.table) if detection.persons else None,
        "person_key": list(detection.persons.key) if detection.persons else [],
        "keys": [
            {
                "kind": key.kind,
                "table": ".".join(key.table),
                "columns": list(key.columns),
                "references": ".".join(key.references),
                "referenced": list(key.referenced),
                "confidence": key.confidence,
                "reason": key.reason,
                "orphans": judgement.orphans.get((key.table, key.columns)),
            }
            for key in detection.keys
            if not key.declared
        ],
    }


def role_documents(detection: Detection) -> dict[tuple[TableName, str], Document]:
    return {
        (role.table, role.column): {
            "role": role.role,
            "confidence": role.confidence,
            "reasons": list(role.reasons),
            **({"order": list(role.order)} if role.order else {}),
        }
        for role in detection.columns
    }


def observe_personal(table: TableName, column: str, personal: Personal, *, shown: str) -> Observation:
    noun = personal.kind.replace("_", " ")
    sure = personal.confidence >= CONFIDENT
    message = f"{noun[0].upper()}{noun[1:]}: {personal.reason}. Clients see it {_as_shown(shown)}."
    return Observation(PERSONAL, "personal_data", WARNING if sure else NOTE, message, ".".join(table), column)


def _as_shown(shown: str) -> str:
    words = {"hidden": "not at all until somebody decides", "masked": "masked until somebody decides"}
    return words.get(shown, "as it is")
