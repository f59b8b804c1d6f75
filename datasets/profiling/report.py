"""The newest profile of a dataset, for people: as JSON, and as Markdown for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db.models import Prefetch

from config.errors import TableNotFound
from datasets.findings import open_findings
from datasets.models import Dataset, DatasetColumn, DatasetTable, ProfilingRun

COMMON_SHOWN: Final = 5
TABLES_SHOWN: Final = 100
FINDINGS_SHOWN: Final = 60
Document = dict[str, Any]  # Any: JSON


def build_report(dataset: Dataset, *, table: str = "") -> Document:
    """Everything that the newest profile found, or what it found in one table. Raises `TableNotFound`."""
    run = dataset.profiling_runs.filter(state=ProfilingRun.State.SUCCEEDED).order_by("-finished_at").first()
    columns = Prefetch("columns", queryset=DatasetColumn.objects.filter(present=True).order_by("position"))
    rows = dataset.tables.filter(present=True).prefetch_related(columns)
    if table:
        schema, _, name = table.rpartition(".")
        rows = rows.filter(name=name, **({"schema": schema} if schema else {}))
        if not rows:
            raise TableNotFound(
                f"{dataset.name} has no table {table!r}.", hint=f"`manage.py show_profile {dataset.name}` lists them."
            )
    found = open_findings(dataset.pk)
    if table:
        found = found.filter(table__in=[str(row) for row in rows])
    return {
        "dataset": dataset.name,
        "status": dataset.status,
        "profiled_at": run.finished_at.isoformat() if run and run.finished_at else None,
        "seconds": _seconds(run),
        "rows": dataset.estimated_row_count,
        "size_bytes": dataset.estimated_size_bytes,
        "date_column": dataset.date_column or None,
        "date_range": [day.isoformat() if day else None for day in (dataset.date_range_start, dataset.date_range_end)],
        "detected": dataset.detected,
        "proposal": dataset.proposal,
        "findings": [
            {
                "id": finding.pk,
                "severity": finding.severity,
                "kind": finding.kind,
                "code": finding.code,
                "table": finding.table,
                "column": finding.column,
                "count": finding.count,
                "message": finding.message,
            }
            for finding in found
        ],
        "tables": [_table(row) for row in rows.order_by("schema", "name")],
    }


def _seconds(run: ProfilingRun | None) -> float | None:
    if run is None or run.started_at is None or run.finished_at is None:
        return None
    return round((run.finished_at - run.started_at).total_seconds(), 1)


def _table(table: DatasetTable) -> Document:
    return {
        "table": str(table),
        "kind": table.kind,
        "comment": table.comment,
        "rows": table.row_estimate,
        "size_bytes": table.size_bytes,
        "rows_sampled": table.rows_sampled,
        "read_error": table.read_error,
        "primary_key": table.primary_key,
        "indexes": table.indexes,
        "partition_key": table.partition_key,
        "partitions": table.partitions,
        "columns": [
            {
                "column": column.name,
                "type": column.data_type,
                "comment": column.comment,
                "shown": column.shown,
                "shown_by": column.shown_by,
                "personal": column.personal,
                "role": column.role,
                "statistics": column.statistics,
            }
            for column in table.columns.all()
        ],
    }


# ── as Markdown ──────────────────────────────────────────────────────────────────────────────────────────────
def render_report(report: Document, *, with_columns: bool) -> str:
    parts = [*_head(report), *_findings(report["findings"]), *_proposal(report["proposal"])]
    tables = report["tables"]
    parts += ["", "## Tables", ""]
    parts += _grid(["table", "kind", "rows", "looked at", "not read"], (_table_cells(t) for t in tables[:TABLES_SHOWN]))
    if len(tables) > TABLES_SHOWN:
        parts.append(f"\n… and {len(tables) - TABLES_SHOWN:,} more (--json has all).")
    if with_columns:
        for table in tables:
            parts += ["", f"## {table['table']}", ""]
            names = ["column", "type", "for", "NULL", "distinct", "values", "shown"]
            parts += _grid(names, (_column_cells(column) for column in table["columns"]))
    return "\n".join(parts)


def _head(report: Document) -> Iterator[str]:
    yield f"# {report['dataset']}"
    yield ""
    if report["profiled_at"] is None:
        yield "Not profiled yet."
        return
    took = "" if report["seconds"] is None else f", in {report['seconds']} s"
    yield f"Profiled {report['profiled_at'][:16].replace('T', ' ')} UTC{took}."
    first, last = report["date_range"]
    if first and last:
        yield f"Dates: {first} to {last} ({report['date_column']})."
    for name, label in (("dataset_type", "Type"), ("data_category", "Category")):
        guess = (report["detected"] or {}).get(name)
        if guess:
            value, reasons = guess["value"].replace("_", " "), " ".join(guess["reasons"])
            yield f"{label}: {value} ({guess['confidence']:.0%}). {reasons}"


def _findings(findings: list[Document]) -> Iterator[str]:
    yield ""
    yield f"## Findings ({len(findings):,})"
    yield ""
    if not findings:
        yield "None."
    for found in findings[:FINDINGS_SHOWN]:
        place = ".".join(part for part in (found["table"], found["column"]) if part)
        number = f" ({found['count']:,})" if found["count"] else ""
        yield f"- {found['severity']} {found['code']}{f' {place}' if place else ''}{number}: {found['message']}"
    if len(findings) > FINDINGS_SHOWN:
        yield f"- … and {len(findings) - FINDINGS_SHOWN:,} more (--json has all)."


def _proposal(proposal: Document | None) -> Iterator[str]:
    if proposal is None:
        return
    yield ""
    yield f"## Proposed survey design ({proposal['confidence']:.0%} sure)"
    yield ""
    for unit in proposal["document"]["units"]:
        weight = unit["weight"] or (unit["period_weights"] or {}).get("weight")
        key = ", ".join(unit["key"]) or "none"
        yield f"- {unit['level']} {unit['table']}, key {key}, weight {weight} ({unit['kind']}, scale {unit['scale']})"
    yield from (f"- {reason}" for reason in proposal["reasons"])
    for check in proposal["checks"]:
        yield f"- check {check['name']}: {describe_answer(check['answer'])} (expected {check['expected']})"
    yield from (f"- to be answered: {question}" for question in proposal["questions"])


def describe_answer(answer: list[tuple[str, float | None]] | None) -> str:
    """A lone number as it is, several with their names."""
    if answer is None:
        return "no answer in time"
    if len(answer) == 1:
        return _number(answer[0][1])
    return ", ".join(f"{name} {_number(value)}" for name, value in answer)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _table_cells(table: Document) -> list[str]:
    rows = "" if table["rows"] is None else f"{table['rows']:,}"
    sampled = "" if table["rows_sampled"] is None else f"{table['rows_sampled']:,}"
    return [table["table"], table["kind"], rows, sampled, table["read_error"]]


def _column_cells(column: Document) -> list[str]:
    known = column["statistics"]
    null = known.get("null_share")
    distinct = known.get("distinct")
    return [
        column["column"],
        column["type"],
        ((column["role"] or {}).get("role") or "").replace("_", " "),
        "" if null is None else f"{null:.1%}",
        "" if distinct is None else f"{distinct:,}",
        describe_values(known),
        _shown(column),
    ]


def _shown(column: Document) -> str:
    personal = (column["personal"] or {}).get("kind", "").replace("_", " ")
    return f"{column['shown']} ({personal})" if personal else str(column["shown"])


def describe_values(known: Document) -> str:
    """A column's values in a few words: its range, or its most common ones."""
    if known.get("minimum") is not None:
        return f"{known['minimum']} … {known.get('maximum')}"
    common = known.get("common", [])[:COMMON_SHOWN]
    return ", ".join(f"{value} {share:.0%}" for value, share in common)


def _grid(names: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        cells = (" ".join(cell.replace("|", "\\|").split()) for cell in row)
        yield f"| {' | '.join(cells)} |"
