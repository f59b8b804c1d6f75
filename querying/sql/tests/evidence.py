"""What a refused statement does where nobody refuses it: run for real, on throw-away servers, as superuser.

There are two worlds. What a caller may see is the same in both; hidden columns, tables that are not approved, roles,
files, settings and object ids differ. So a statement *shows* something when its answers differ, and nobody has to
decide which output counts as a leak. That it *changes* something is told by the log records (WAL) that its session
writes, and by what the session and the server hold afterwards.

    waits    it runs into the statement timeout
    changes  rows, objects, settings, locks, cursors, files ..., or the caller's transaction or session is over
    runs     a function of the database's owner has run
    shows    its answer depends on what the caller must not see
    fails    PostgreSQL itself refuses it, in both worlds with the same words
    nothing  none of these could be seen
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import postgast
from postgast import pg_query_pb2 as pg
from psycopg import pq
from psycopg.pq.abc import PGresult

from config.embedded import SUPERUSER, make_password, pick_free_port, postgres_url
from config.embedded_servers import find_account, find_postgres_home, start_postgres
from config.processes import Child
from querying.sql.allowed_functions import ALLOWED_FUNCTIONS
from querying.sql.walk import names, walk

HARMFUL: Final = ("waits", "changes", "runs", "shows")
QUERY_CANCELED: Final = "57014"
TIMEOUT_MS: Final = 400
STEADY_TRIES: Final = 3
HERE: Final = Path(__file__).parent
SETTINGS: Final = {
    "autovacuum": "off",  # else it would write at any time
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "20",
    "max_prepared_transactions": "5",
    "session_preload_libraries": "plpgsql",  # else its settings would appear with the first block
    "shared_buffers": "32MB",
    "stats_fetch_consistency": "none",  # else a transaction would not see that statistics were reset
    "synchronous_commit": "off",
}
# A user's function leaves a trace that a READ ONLY transaction allows too.
UNTRACED: Final = "FROM public.salaries $$"
TRACED: Final = "FROM public.salaries WHERE set_config('evidence.ran', 'yes', false) > '' $$"
HIDDEN_ROWS: Final = "SELECT setval('counter', 7), lo_from_bytea(1, 'secret of the north')"
# What another caller may have left in a pooled session.
LEFT_BEHIND: Final = """
    SELECT setval('counter', 7), pg_advisory_lock(99); LISTEN neighbour; SET work_mem = '5MB';
    PREPARE p AS SELECT person FROM salaries; DECLARE c CURSOR WITH HOLD FOR SELECT person FROM salaries
"""
# How the other world differs, in these texts and in what stands beside them.
ELSEWHERE: Final = (
    ("'person' || i || '@example.org'", "CASE WHEN i % 2 = 0 THEN 'human' || 100 - i || '@example.net' END"),
    ("'+91' || (9000000000 + i)", "'+49' || i % 10"),
    ("WHERE platform = 'Android'", "WHERE platform IN ('Android', 'Harmony')"),
    ("'secret', 1", "'other', 2"),
    ("'counter', 7", "'counter', 40"),
    ("of the north", "of the south"),
    ("salaries", "wages"),
    ("leak", "drip"),
    ("measures_2026", "measures_of"),
)
SETTINGS_ELSEWHERE: Final = {"work_mem": "6MB"}
BEFORE_ELSEWHERE: Final = """
    CREATE ROLE auditor; ALTER ROLE postgres RENAME TO chief;
    CREATE TABLE before_all AS SELECT generate_series(1, 5000) AS x
"""
AFTER_ELSEWHERE: Final = "UPDATE users SET name = name"
FACTS: Final = """
    SELECT jsonb_build_object(
        'settings', (SELECT md5(string_agg(name || '=' || setting, ',' ORDER BY name)) FROM pg_settings),
        'role', session_user || ' ' || current_user,
        'prepared statements', (SELECT count(*) FROM pg_prepared_statements),
        'cursors', (SELECT count(*) FROM pg_cursors),
        'channels', (SELECT count(*) FROM pg_listening_channels()),
        'locks', (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND (locktype = 'advisory'
                  OR locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))),
        'replication slots', (SELECT count(*) FROM pg_replication_slots),
        'databases', (SELECT count(*) FROM pg_database),
        'statistics', concat((SELECT max(stats_reset) FROM pg_stat_database), (SELECT stats_reset FROM pg_stat_wal)),
        'system settings', pg_read_file('postgresql.auto.conf'),
        'ran', current_setting('evidence.ran', true) = 'yes')
"""
TIMES: Final = re.compile(r'(?<=[Tt]ime)(=|: |": )[\d.]+')  # of EXPLAIN: how long something took is not counted
WRITTEN: Final = "SELECT wal_records FROM pg_stat_get_backend_wal(pg_backend_pid())"
OUTLASTING: Final = frozenset({"databases", "replication slots", "session", "system settings", "transaction"})
MEND: Final = (
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
    "ALTER SYSTEM RESET ALL",
    "DROP DATABASE IF EXISTS x",
    "DROP DATABASE panel WITH (FORCE)",
    "CREATE DATABASE panel TEMPLATE panel_template",
    "DROP ROLE IF EXISTS eve",
)


@dataclass(frozen=True)
class Attempt:
    """One way to run a statement: what the session did before, how its transaction begins, what is sent."""

    sql: str
    begin: str = ""
    before: str = ""


@dataclass(frozen=True)
class Seen:
    """What an attempt did in one world; `changed` names facts, `sqlstate` is empty where it succeeded."""

    answer: str
    sqlstate: str
    changed: frozenset[str]

    @property
    def harm(self) -> str:
        if self.sqlstate == QUERY_CANCELED:
            return "waits"
        if self.changed - {"ran"}:
            return "changes"
        return "runs" if self.changed else ""


@dataclass(frozen=True)
class Finding:
    """The harm, how it came about, and what was seen."""

    harm: str
    attempt: Attempt
    detail: str

    @property
    def passes_read_only(self) -> bool:
        return self.harm in HARMFUL and self.attempt.begin == "BEGIN READ ONLY"


def observe(sql: str, *, north: World, south: World) -> Finding:
    """The first harm that can be seen, most careful attempt first."""
    seen = Seen("", "", frozenset())
    for attempt in attempts(sql):
        found = north.attempt(attempt)
        harm = found.harm or ("shows" if shows(attempt, found, north=north, south=south) else "")
        if harm:
            return Finding(harm, attempt, ", ".join(sorted(found.changed)) or found.answer)
        if attempt == Attempt(sql, "BEGIN"):
            seen = found
    return Finding("fails" if seen.sqlstate else "nothing", Attempt(sql, "BEGIN"), seen.answer)


def shows(attempt: Attempt, found: Seen, *, north: World, south: World) -> bool:
    """The answer differs between the worlds, and not only as it differs from one run to the next."""
    if "uid=" in found.answer:  # what `id` prints; the worlds share a machine
        return True
    for _ in range(STEADY_TRIES):  # a file's time may move between two looks, random() always does
        elsewhere, again = south.attempt(attempt).answer, north.attempt(attempt).answer
        if elsewhere == again:
            return False
        if again == found.answer:
            return True
        found = replace(found, answer=again)
    return blur(elsewhere) != blur(found.answer)


def blur(answer: str) -> str:
    """Without numbers, hexadecimal ones too."""
    return re.sub(r"[0-9A-F]*[0-9][0-9A-F]*", "0", answer)


def attempts(sql: str) -> Iterator[Attempt]:
    """In a transaction, without one, after another caller; then its calls alone, where a filter hides their result."""
    yield from (Attempt(sql, begin) for begin in ("BEGIN READ ONLY", "BEGIN", ""))
    yield Attempt(sql, before=LEFT_BEHIND)
    for call in refused_calls(sql):
        yield from (Attempt(call, begin) for begin in ("BEGIN READ ONLY", "BEGIN"))


def refused_calls(sql: str) -> list[str]:
    """`SELECT f(...)` for each call of a function that is not on the list, where no column is needed for it."""
    try:
        found = walk(postgast.parse(sql))
    except postgast.PgQueryError:
        return []
    calls = [message for message in found if isinstance(message, pg.FuncCall)]
    return [
        select_of(call)
        for call in calls
        if names(call.funcname)[-1] not in ALLOWED_FUNCTIONS
        and not any(isinstance(inner, pg.ColumnRef) for inner in walk(call))
    ]


def select_of(call: pg.FuncCall) -> str:
    tree = postgast.parse("SELECT 1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.func_call.CopyFrom(call)
    return postgast.deparse(tree)


class World:
    """A server of its own with schema.sql as database `panel`, and a session in it. About 2 s to make."""

    def __init__(self, *, usual: bool) -> None:
        self.usual = usual
        self.directory = Path(tempfile.mkdtemp(prefix="mcp-analytics-evidence-"))
        self.directory.chmod(0o711)
        self.files = self.directory / "files"
        self.port, self.password = pick_free_port(), make_password()
        self.server = self.start()
        self.maintenance = Session(self.url("postgres", SUPERUSER))
        self.furnish()
        self.session = Session(self.url("panel"))

    def start(self) -> Child:
        return start_postgres(
            self.directory,
            superuser_url=self.url("postgres", SUPERUSER),
            metadata_url=postgres_url("owner", make_password(), port=self.port, database="metadata"),
            log_path=self.directory / "postgres.log",
            settings=SETTINGS if self.usual else SETTINGS | SETTINGS_ELSEWHERE,
        )

    def stop(self) -> None:
        self.session.close()
        self.maintenance.close()
        self.server.stop()
        shutil.rmtree(find_postgres_home(self.directory, find_account()), ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str, user: str = "gateway") -> str:
        return postgres_url(user, self.password, port=self.port, database=database)

    def furnish(self) -> None:
        data_directory = Path(self.maintenance.value("SELECT to_json(current_setting('data_directory'))"))
        self.maintenance.demand(f"CREATE ROLE gateway SUPERUSER LOGIN PASSWORD '{self.password}'")
        self.maintenance.close()
        self.maintenance = Session(self.url("postgres"))
        if not self.usual:
            self.maintenance.demand("CREATE TABLE padding AS SELECT generate_series(1, 5000) AS x")
            for number in range(3):  # files made in the same second are told by their names, and by how many there are
                self.maintenance.demand(f"CREATE TABLE padding_{number} AS SELECT {number} AS x")
                self.maintenance.demand("SELECT pg_switch_wal()")
        self.maintenance.demand("CREATE DATABASE panel_template")
        template = Session(self.url("panel_template"))
        schema = (HERE / "schema.sql").read_text().replace(UNTRACED, TRACED)
        usual = (
            self.here(schema),
            self.here(HIDDEN_ROWS),
            "VACUUM FREEZE",
        )  # freshly frozen, so reading writes nothing
        for script in usual if self.usual else (BEFORE_ELSEWHERE, *usual[:2], AFTER_ELSEWHERE, usual[2]):
            template.demand(script)
        template.close()
        self.maintenance.demand("CREATE DATABASE panel TEMPLATE panel_template")
        self.write_files(data_directory)
        self.maintenance.demand(self.here("SELECT 'a question of the north'"))

    def write_files(self, data_directory: Path) -> None:
        self.files.mkdir()
        self.files.chmod(0o777)
        for path, text in (
            (self.files / "passwd", "root of the north"),
            (data_directory / self.here("of the north"), ""),
            (data_directory / "x", '[{"a": "north"}]' if self.usual else "<a><b>south</b></a>"),
        ):
            path.write_text(self.here(text))
            path.chmod(0o644)
        if not self.usual:  # two files of the same size, written in the same second, are alike to pg_stat_file
            with (data_directory / "postgresql.conf").open("a") as configuration:
                configuration.write("# of the south\n")

    def here(self, text: str) -> str:
        """What a text of the usual world is in this one."""
        if not self.usual:
            for usual, other in ELSEWHERE:
                text = text.replace(usual, other)
        return text

    def attempt(self, attempt: Attempt) -> Seen:
        session = self.session
        session.demand("ROLLBACK; RESET SESSION AUTHORIZATION")
        session.demand("DISCARD ALL")
        session.demand(f"SET statement_timeout = {TIMEOUT_MS}")
        if attempt.before:
            session.demand(self.here(attempt.before))
        written = session.written()
        before = self.facts(attempt)
        answer, sqlstate = session.run(self.place(attempt.sql))
        changed = self.changes(attempt, before, written)
        if sqlstate:
            changed.discard("data")  # written, and taken back
        if changed - {"ran"}:
            self.mend(thorough=bool(changed & OUTLASTING) or not attempt.begin)
        return Seen(TIMES.sub("", answer.replace(str(self.files), "/tmp")), sqlstate, frozenset(changed))

    def place(self, sql: str) -> str:
        """The machine's own files stay untouched."""
        return re.sub("/etc(?=/passwd)|/tmp(?=/)", str(self.files), sql)

    def facts(self, attempt: Attempt) -> dict[str, Any]:  # Any: JSON of FACTS
        if not attempt.begin:
            return self.read_facts()
        self.session.demand(attempt.begin)
        facts = self.read_facts()
        # begun anew, since SET TRANSACTION has to be the first of its transaction
        self.session.demand("ROLLBACK")
        self.session.demand(attempt.begin)
        return facts

    def read_facts(self) -> dict[str, Any]:  # Any: JSON of FACTS
        facts: dict[str, Any] = self.session.value(FACTS)
        return facts | {"files": sorted(path.name for path in self.files.iterdir()), "transaction": self.session.state}

    def changes(self, attempt: Attempt, before: dict[str, Any], written: int) -> set[str]:
        session = self.session
        if session.is_lost:
            return {"session"}
        if session.state == pq.TransactionStatus.INERROR:
            # nothing can be asked in a failed transaction; what it did to the session is undone with it
            session.demand("ROLLBACK")
            if attempt.begin:
                session.demand(attempt.begin)
        after = self.read_facts()
        session.demand("ROLLBACK")
        changed = {name for name in after if after[name] != before[name]}
        return changed | ({"data"} if session.written() != written else set())

    def mend(self, *, thorough: bool) -> None:
        """Most is undone with the transaction and the session; what outlasts them costs a new database, 0.3 s."""
        if thorough and not self.session.is_lost:
            self.session.run("ROLLBACK PREPARED 'x'")  # only this database can
        self.session.close()
        for path in self.files.iterdir():
            if path.name != "passwd":
                path.unlink()
        for statement in MEND if thorough else ():
            self.maintenance.demand(statement)
        self.session = Session(self.url("panel"))
        self.session.demand(self.here("SELECT setval('counter', 7)"))
        self.session.demand("VACUUM")  # else reading would prune what was rolled back, and so write
        self.maintenance.demand(self.here("SELECT 'a question of the north'"))


class Session:
    """One connection that sends texts as they are, through the simple protocol."""

    def __init__(self, url: str) -> None:
        self.connection = pq.PGconn.connect(url.encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise ConnectionError(self.connection.error_message.decode())

    @property
    def state(self) -> int:
        return self.connection.transaction_status

    @property
    def is_lost(self) -> bool:
        return self.connection.status != pq.ConnStatus.OK

    def close(self) -> None:
        self.connection.finish()

    def run(self, sql: str) -> tuple[str, str]:
        """All that the statements answer, errors with their details, and the SQLSTATE of the last error."""
        self.connection.send_query(sql.encode())
        answers, sqlstate = [], ""
        while (result := self.connection.get_result()) is not None:
            answers.append(self.read(result))
            sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode() or sqlstate
            if self.is_lost:
                break
        return "\n".join(answers), sqlstate

    def read(self, result: PGresult) -> str:
        if result.status == pq.ExecStatus.COPY_OUT:
            return self.read_copy()
        if result.status == pq.ExecStatus.COPY_IN:
            self.connection.put_copy_end(b"there are no rows")
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return result.error_message.decode(errors="replace")
        cells = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return str(cells)

    def read_copy(self) -> str:
        found = b""
        while (piece := self.connection.get_copy_data(0))[0] > 0:
            found += bytes(piece[1])
        return found.decode(errors="replace")

    def demand(self, sql: str) -> None:
        answer, sqlstate = self.run(sql)
        if sqlstate:
            raise RuntimeError(f"{sql}: {answer}")

    def value(self, sql: str) -> Any:  # Any: JSON
        self.connection.send_query(sql.encode())
        result = self.connection.get_result()
        if result is None or result.status != pq.ExecStatus.TUPLES_OK:
            raise RuntimeError(f"{sql}: {self.connection.error_message.decode()}")
        text = result.get_value(0, 0) or b"null"
        while self.connection.get_result() is not None:
            pass
        return json.loads(text)

    def written(self) -> int:
        """Log records (WAL) that this session has written so far."""
        self.demand("SELECT pg_stat_force_next_flush()")
        records: int = self.value(WRITTEN)
        return records
