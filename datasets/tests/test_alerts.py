"""Who is told of what a profile found, against a real mail server and a real webhook on this machine."""

from __future__ import annotations

import base64
import datetime
import email
import http.server
import importlib
import json
import logging
import os
import secrets
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection
from dramatiq import Worker
from dramatiq_crontab import scheduler  # type: ignore[import-untyped]  # ships no stubs
from pytest_django.fixtures import Settings

from config.errors import DeliveryFailed, HostRefused, InvalidRequest, RoleUnsafe
from datasets import tasks, webhooks
from datasets.actors import worth_telling_again
from datasets.alerts import LISTED_MOST, announce_findings, email_findings, post_findings
from datasets.credentials import seal_dsn
from datasets.models import Dataset, Finding, ProfilingRun, SystemConfig
from datasets.system_config import Alerts, parse_section

PROJECT = Path(__file__).resolve().parents[2]
PATH = "/hooks/T0S3CRET"
KIND, STATE, SEVERITY = Finding.Kind, Finding.State, Finding.Severity


# ── the servers ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class MailServer:
    """What it took, and what it is to do: `answer` is said to each message; `admits` to each user."""

    port: int = 0
    answer: str = "250 taken"
    delay_s: float = 0
    admits: bool = True
    received: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


class SmtpSession(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        told: MailServer = self.server.told  # type: ignore[attr-defined]  # set by the fixture
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                # careless servers repeat what they were told
                told_me = base64.b64decode(line.split()[-1]).decode().replace("\0", " ")
                self._say("235 come in" if told.admits else f"535 no such account: {told_me}")
            elif verb == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                message = email.message_from_bytes(b"".join(lines), policy=modern)
                time.sleep(told.delay_s)
                if told.answer.startswith("250"):
                    told.received.append(message)
                self._say(told.answer)
            elif verb == "QUIT":
                return self._say("221 bye")
            else:
                if verb == "RCPT":
                    told.recipients.append(line)
                self._say("250 fine")
        return None

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """Django's settings of mail point at it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SmtpSession) as server:
        told = MailServer(port=server.server_address[1])
        server.told = told  # type: ignore[attr-defined]  # read by the sessions
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # pytest-django's keeps them in memory
        settings.EMAIL_CONFIGURED, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", told.port
        settings.DEFAULT_FROM_EMAIL = "gateway@example.org"
        yield told
        server.shutdown()


@dataclass
class Hook:
    """What was posted, and the statuses of its next answers; 200 once they are used up."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    delay_s: float = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    posted: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}{PATH}"


class HookSession(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook: Hook = self.server.hook  # type: ignore[attr-defined]  # set by `serve_hook`
        hook.headers.append(dict(self.headers.items()) | {":path": self.path})
        hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        time.sleep(hook.delay_s)
        self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        raise AssertionError("only posts are expected")

    def log_message(self, *_: object) -> None:
        pass


def serve_hook(context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HookSession) as server:
        hook = Hook(port=server.server_port)
        server.hook = hook  # type: ignore[attr-defined]  # read by the sessions
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are expected
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hook
        server.shutdown()


@pytest.fixture
def hook() -> Iterator[Hook]:
    yield from serve_hook()


# ── what there is to tell ────────────────────────────────────────────────────────────────────────────────────
Find = Callable[..., Finding]


@pytest.fixture
def run(db: None) -> ProfilingRun:
    dataset = Dataset.objects.create(
        name="shop",
        connection=seal_dsn("postgresql://reader:hunter2@db.example.org/shop"),
        connection_id=secrets.token_hex(16),
        host="db.example.org",
        port=5432,
        database="shop",
        username="reader",
    )
    return ProfilingRun.objects.create(dataset=dataset, state=ProfilingRun.State.SUCCEEDED)


@pytest.fixture
def find(run: ProfilingRun) -> Find:
    def make(severity: str = SEVERITY.WARNING, **fields: Any) -> Finding:  # Any: fields of a finding
        told = {"code": "column_gone", "table": "public.users", "column": f"c{Finding.objects.count()}"} | fields
        named = {"dataset": run.dataset, "kind": KIND.DRIFT, "opened_by": run, "message": f"{severity} here"} | told
        return Finding.objects.create(severity=severity, **named)

    return make


def tell(**alerts: Any) -> None:  # Any: fields of the section
    parse_section("alerts", alerts)
    SystemConfig.objects.update_or_create(key="alerts", defaults={"value": alerts})


def text_of(message: EmailMessage) -> str:
    return str(message.get_content())


# ── e-mail ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_mails_the_open_findings_of_a_run_once_and_the_gravest_first(
    run: ProfilingRun, find: Find, mail_server: MailServer
) -> None:
    tell(emails=["ana@example.org", "ben@example.org"])
    find(SEVERITY.WARNING, message="a column is new")
    find(SEVERITY.ALARM, message="a table is gone", table="public.visits", column="")
    find(SEVERITY.ALARM, message="everything is gone", table="", column="")

    email_findings(run.pk)
    email_findings(run.pk)

    [message] = mail_server.received
    assert message["Subject"] == "[MCP Analytics] shop: 2 alarms, 1 warning"
    assert (message["From"], message["To"]) == ("gateway@example.org", "ana@example.org, ben@example.org")
    told = [line for line in text_of(message).splitlines() if line.startswith(("alarm", "warning"))]
    assert told == [
        "alarm: everything is gone",
        "alarm: public.visits: a table is gone",
        "warning: public.users.c0: a column is new",
    ]
    assert not Finding.objects.filter(emailed_at=None).exists()
    assert not Finding.objects.exclude(posted_at=None).exists()


def test_a_long_list_is_cut_and_says_so(run: ProfilingRun, find: Find, mail_server: MailServer) -> None:
    tell(emails=["ana@example.org"])
    for _ in range(LISTED_MOST + 3):
        find()

    email_findings(run.pk)

    text = text_of(mail_server.received[0])
    assert text.count("warning: ") == LISTED_MOST
    assert "... and 3 more." in text


def test_a_mail_that_is_not_taken_marks_nothing_and_is_told_by_the_next_try(
    run: ProfilingRun, find: Find, mail_server: MailServer
) -> None:
    tell(emails=["ana@example.org"])
    find()
    mail_server.answer = "451 try later"

    with pytest.raises(DeliveryFailed) as caught:
        email_findings(run.pk)

    assert caught.value.retryable
    assert Finding.objects.filter(emailed_at=None).exists()

    mail_server.answer = "250 taken"
    email_findings(run.pk)

    assert len(mail_server.received) == 1
    assert not Finding.objects.filter(emailed_at=None).exists()


def test_a_mail_server_that_is_away_is_worth_another_try(
    run: ProfilingRun, find: Find, mail_server: MailServer, settings: Settings
) -> None:
    tell(emails=["ana@example.org"])
    find()
    settings.EMAIL_PORT = 1

    with pytest.raises(DeliveryFailed) as caught:
        email_findings(run.pk)

    assert worth_telling_again(0, caught.value)
    assert not worth_telling_again(5, caught.value)


def test_an_account_that_is_refused_is_told_without_its_password(
    run: ProfilingRun, find: Find, mail_server: MailServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tell(emails=["ana@example.org"])
    find()
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "robot", "hunter2"
    mail_server.admits = False

    with pytest.raises(DeliveryFailed, match="SMTPAuthenticationError") as caught:
        email_findings(run.pk)

    assert "hunter2" not in json.dumps(caught.value.as_dict()) + caplog.text
    assert "robot" not in json.dumps(caught.value.as_dict()) + caplog.text


@pytest.mark.django_db(transaction=True)
def test_two_actors_at_once_mail_once(run: ProfilingRun, find: Find, mail_server: MailServer) -> None:
    tell(emails=["ana@example.org"])
    find()
    mail_server.delay_s = 0.5

    def send(_: int) -> None:
        try:
            email_findings(run.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(2)))

    assert len(mail_server.received) == 1


@pytest.mark.django_db(transaction=True)
def test_both_channels_at_once_tell_both(run: ProfilingRun, find: Find, mail_server: MailServer, hook: Hook) -> None:
    tell(emails=["ana@example.org"], webhook_url=hook.url)
    find()
    mail_server.delay_s = hook.delay_s = 0.3

    def send(channel: Callable[[int], None]) -> None:
        try:
            channel(run.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, [email_findings, post_findings]))

    assert (len(mail_server.received), len(hook.posted)) == (1, 1)


# ── webhook ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_posts_the_open_findings_of_a_run_once_and_the_gravest_first(run: ProfilingRun, find: Find, hook: Hook) -> None:
    tell(webhook_url=hook.url)
    find(SEVERITY.WARNING, message="a column is new", count=3)
    find(SEVERITY.ALARM, message="a table is gone", table="public.visits", column="", code="table_gone")

    post_findings(run.pk)
    post_findings(run.pk)

    empty = {"count": None, "column": ""}
    assert hook.posted == [
        {
            "event": "dataset.drift",
            "dataset": "shop",
            "run": run.pk,
            "findings": [
                {"severity": "alarm", "code": "table_gone", "table": "public.visits", "message": "a table is gone"}
                | empty,
                {
                    "severity": "warning",
                    "code": "column_gone",
                    "table": "public.users",
                    "column": "c0",
                    "count": 3,
                    "message": "a column is new",
                },
            ],
            "more": 0,
        }
    ]
    assert not Finding.objects.filter(posted_at=None).exists()
    assert not Finding.objects.exclude(emailed_at=None).exists()


def test_a_post_names_its_host_and_port_and_goes_to_the_path_of_the_address(
    run: ProfilingRun, find: Find, hook: Hook
) -> None:
    tell(webhook_url=f"{hook.url}?room=7")
    find()

    post_findings(run.pk)

    [headers] = hook.headers
    assert headers["Host"] == f"localhost:{hook.port}"
    assert headers[":path"] == f"{PATH}?room=7"
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "mcp-analytics")


def test_a_post_that_fails_marks_nothing_and_is_told_by_the_next_try(
    run: ProfilingRun, find: Find, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tell(webhook_url=hook.url)
    find()
    hook.statuses = [500]

    with pytest.raises(DeliveryFailed, match="answered with 500") as caught:
        post_findings(run.pk)

    assert caught.value.retryable
    assert Finding.objects.filter(posted_at=None).exists()
    assert "T0S3CRET" not in json.dumps(caught.value.as_dict()) + caplog.text

    post_findings(run.pk)

    assert len(hook.posted) == 2
    assert not Finding.objects.filter(posted_at=None).exists()
    assert "T0S3CRET" not in caplog.text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(run: ProfilingRun, find: Find, hook: Hook, status: int) -> None:
    tell(webhook_url=hook.url)
    find()
    hook.statuses = [status]

    with pytest.raises(DeliveryFailed, match=f"answered with {status}"):
        post_findings(run.pk)

    assert [headers[":path"] for headers in hook.headers] == [PATH]
    assert Finding.objects.filter(posted_at=None).exists()


def test_a_webhook_that_hangs_is_given_up(
    run: ProfilingRun, find: Find, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.3)
    tell(webhook_url=hook.url)
    find()
    hook.delay_s = 2
    start = time.monotonic()

    with pytest.raises(DeliveryFailed, match="did not take the message"):
        post_findings(run.pk)

    assert time.monotonic() - start < 1.5
    assert Finding.objects.filter(posted_at=None).exists()


@pytest.mark.parametrize("url", ["https://no-such-host.invalid/T0S3CRET", "http://127.0.0.1:1/T0S3CRET"])
def test_a_webhook_that_cannot_be_reached_is_worth_another_try(run: ProfilingRun, find: Find, url: str) -> None:
    tell(webhook_url=url)
    find()

    with pytest.raises(DeliveryFailed) as caught:
        post_findings(run.pk)

    assert worth_telling_again(0, caught.value)
    assert "T0S3CRET" not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize(
    "url", ["", "https://", "https://[::1/", "https://xn--/", "ftp://example.org/", "https://a:b/"]
)
async def test_an_address_that_cannot_be_read_is_not_delivered_to(url: str) -> None:
    with pytest.raises(DeliveryFailed):
        await webhooks.post_json(url, {}, local_allowed=True)


def test_plain_http_and_this_machine_are_refused_where_local_addresses_are_not_allowed(
    run: ProfilingRun, find: Find, hook: Hook, settings: Settings
) -> None:
    settings.LOCAL_ADDRESSES_ALLOWED = False
    find()

    for url in (
        hook.url,
        "http://example.org/",
        hook.url.replace("http:", "https:"),
        "https://127.1/",
        "https://[::1]/",
    ):
        tell(webhook_url=url)
        with pytest.raises(HostRefused) as caught:
            post_findings(run.pk)
        assert not worth_telling_again(0, caught.value), url

    assert not hook.headers
    assert Finding.objects.filter(posted_at=None).exists()


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────
def certify(path: Path, name: str) -> Path:
    """A self-signed certificate of a host, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls_hook(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Hook, Path]]:
    """A webhook with a certificate of the host that the test's parameter names."""
    path = certify(tmp_path / "certificate.pem", request.param)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    for hook in serve_hook(context):
        yield hook, path


@pytest.mark.parametrize("tls_hook", ["localhost"], indirect=True)
async def test_a_certificate_of_the_name_is_taken_although_the_address_is_connected_to(
    tls_hook: tuple[Hook, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, path = tls_hook
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    await webhooks.post_json(hook.url.replace("http:", "https:"), {"a": 1}, local_allowed=True)

    assert hook.posted == [{"a": 1}]


@pytest.mark.parametrize("tls_hook", ["other.example.org"], indirect=True)
@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_for_another_name_is_refused_and_nothing_is_posted(
    tls_hook: tuple[Hook, Path], monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    hook, path = tls_hook
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with pytest.raises(DeliveryFailed) as caught:
        await webhooks.post_json(hook.url.replace("http:", "https:"), {"a": 1}, local_allowed=True)

    assert not hook.posted
    assert "127.0.0.1" not in json.dumps(caught.value.as_dict())
    assert "T0S3CRET" not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize("tls_hook", ["localhost"], indirect=True)
async def test_a_certificate_that_nobody_vouches_for_is_refused(tls_hook: tuple[Hook, Path]) -> None:
    hook, _ = tls_hook

    with pytest.raises(DeliveryFailed):
        await webhooks.post_json(hook.url.replace("http:", "https:"), {"a": 1}, local_allowed=True)

    assert not hook.posted


# ── which findings ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("least", "told"),
    [("alarm", ["alarm"]), ("warning", ["alarm", "warning"]), ("note", ["alarm", "warning", "note"])],
)
def test_what_is_less_grave_than_asked_for_is_not_told(
    run: ProfilingRun, find: Find, hook: Hook, mail_server: MailServer, least: str, told: list[str]
) -> None:
    tell(webhook_url=hook.url, emails=["ana@example.org"], least_severity=least)
    for severity in (SEVERITY.NOTE, SEVERITY.WARNING, SEVERITY.ALARM):
        find(severity)

    post_findings(run.pk)
    email_findings(run.pk)

    assert [finding["severity"] for finding in hook.posted[0]["findings"]] == told
    text = text_of(mail_server.received[0])
    assert [severity for severity in ("alarm", "warning", "note") if f"{severity}: " in text] == told


def test_only_open_changes_of_that_run_are_told(
    run: ProfilingRun, find: Find, hook: Hook, mail_server: MailServer
) -> None:
    tell(webhook_url=hook.url, emails=["ana@example.org"], least_severity="note")
    find(kind=KIND.PERSONAL)
    find(kind=KIND.QUALITY)
    find(state=STATE.DISMISSED)
    find(state=STATE.GONE)
    find(opened_by=ProfilingRun.objects.create(dataset=run.dataset))
    find(opened_by=None)

    post_findings(run.pk)
    email_findings(run.pk)

    assert not hook.posted
    assert not mail_server.received
    assert not Finding.objects.exclude(emailed_at=None, posted_at=None).exists()


def test_nothing_is_sent_where_nothing_is_configured(
    run: ProfilingRun, find: Find, hook: Hook, mail_server: MailServer
) -> None:
    find(SEVERITY.ALARM)

    post_findings(run.pk)
    email_findings(run.pk)

    assert not hook.posted
    assert not mail_server.received
    assert not Finding.objects.exclude(emailed_at=None, posted_at=None).exists()


# ── through the queue ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db(transaction=True)
def test_the_worker_tells_what_is_announced_once_on_each_channel(
    worker: Worker, run: ProfilingRun, find: Find, hook: Hook, mail_server: MailServer
) -> None:
    tell(webhook_url=hook.url, emails=["ana@example.org"])
    find(SEVERITY.ALARM)

    announce_findings(run.pk)
    announce_findings(run.pk)
    dramatiq.get_broker().join("default", timeout=20_000)
    worker.join()

    assert (len(hook.posted), len(mail_server.received)) == (1, 1)
    assert not Finding.objects.filter(emailed_at=None).exists()
    assert not Finding.objects.filter(posted_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_cannot_tell_logs_no_secret_and_means_to_try_again(
    worker: Worker,
    run: ProfilingRun,
    find: Find,
    hook: Hook,
    mail_server: MailServer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    tell(webhook_url=hook.url, emails=["ana@example.org"])
    find()
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "robot", "hunter2"
    mail_server.admits, hook.statuses = False, [500]

    announce_findings(run.pk)
    deadline = time.monotonic() + 15
    while caplog.text.count("Retrying message") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert caplog.text.count("Retrying message") == 2
    assert "hunter2" not in caplog.text
    assert "T0S3CRET" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_nothing_is_queued_where_nobody_is_to_be_told(run: ProfilingRun, find: Find) -> None:
    dramatiq.get_broker().flush_all()
    find(SEVERITY.ALARM)

    announce_findings(run.pk)

    assert queued() == []


@pytest.mark.django_db(transaction=True)
def test_mail_without_a_server_is_not_queued_but_said(
    run: ProfilingRun, find: Find, caplog: pytest.LogCaptureFixture
) -> None:
    dramatiq.get_broker().flush_all()
    tell(emails=["ana@example.org"])
    find(SEVERITY.ALARM)

    announce_findings(run.pk)

    assert queued() == []
    assert "EMAIL_URL is not set" in caplog.text


def queued() -> list[str]:
    """Names of the actors whose turn it would be."""
    consumer = dramatiq.get_broker().consume("default", prefetch=10, timeout=100)
    names = []
    while (message := next(consumer)) is not None:
        names.append(message.actor_name)
        consumer.ack(message)
    consumer.close()
    return names


def test_what_cannot_get_better_is_not_tried_again() -> None:
    assert not worth_telling_again(0, RoleUnsafe("No."))
    assert worth_telling_again(0, OSError())


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def scheduled(settings: Settings) -> Iterator[Callable[[str], list[Any]]]:  # Any: the scheduler's jobs
    def load(schedule: str) -> list[Any]:
        scheduler.remove_all_jobs()
        settings.DRIFT_SCHEDULE = schedule
        importlib.reload(tasks)
        return list(scheduler.get_jobs())

    yield load
    scheduler.remove_all_jobs()


def test_the_scheduled_job_queues_the_check_for_drift(scheduled: Callable[[str], list[Any]]) -> None:
    dramatiq.get_broker().flush_all()

    [job] = scheduled("30 1 * * mon-fri")
    job.func(*job.args, **job.kwargs)

    assert queued() == ["check_drift"]
    assert "hour='1', minute='30'" in str(job.trigger)


def test_no_schedule_is_no_job(scheduled: Callable[[str], list[Any]]) -> None:
    assert scheduled("") == []


def test_the_command_crontab_loads_the_job() -> None:
    command = [sys.executable, "manage.py", "crontab", "--no-heartbeat"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        limit = threading.Timer(60, process.kill)
        limit.start()
        said = []
        for line in process.stdout:
            said.append(line)
            if "Starting scheduler" in line:
                break
        process.terminate()
        process.wait(20)
        limit.cancel()

    assert "Loaded tasks from datasets.\n" in said
    assert "Starting scheduler" in said[-1]


# ── the system setting ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"emails": ["ana@example.org", "ana+gate.way@mail.example.co.uk", "o'neil_2@x-y.org"]},
        {"webhook_url": "https://hooks.example.org/services/T0/B0/x?y=a@b"},
        {"webhook_url": "https://hooks.example.org:8443"},
        {"webhook_url": "http://localhost:8000/"},
        {"webhook_url": "https://[2606:4700::1111]:8443/x"},
        {"webhook_url": ""},
        {"least_severity": "note"},
    ],
)
def test_alerts_are_taken(value: dict[str, Any]) -> None:  # Any: JSON
    assert isinstance(parse_section("alerts", value), Alerts)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "ana@localhost",
        "ana@example..org",
        "ana@example.org.",
        "ana@-example.org",
        "ana@example.org, ben@example.org",
        "Ana <ana@example.org>",
        "ana@example.org\nBcc: all@example.org",
        "ana@example.org\n",
        "a:b@example.org",
        "[ana]@example.org",
        "an a@example.org",
        "ana@exa@mple.org",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="emails"):
        parse_section("alerts", {"emails": [address]})


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.org",
        "ftp://hooks.example.org/",
        "https://",
        "https:///x",
        "https://user:hunter2@hooks.example.org/",
        "https://hunter2@hooks.example.org",
        "https://hooks.example.org\\@evil.example.org/hunter2",
        "https://hooks.example.org:port/hunter2",
        "https://hooks.example.org:99999/hunter2",
        "https://:443/hunter2",
        "https://[::1/hunter2",
        "https://hooks.example.org/ hunter2",
        "https://hooks.example.org/hunter2\n",
        "https://hooks.example.org/\x01hunter2",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidRequest, match="webhook_url") as caught:
        parse_section("alerts", {"webhook_url": url})

    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "value", [{"least_severity": "fatal"}, {"least_severity": ""}, {"emails": ["a@example.org"] * 21}, {"mail": []}]
)
def test_unknown_severities_too_many_addresses_and_unknown_fields_are_refused(
    value: dict[str, Any],  # Any: JSON
) -> None:
    with pytest.raises(InvalidRequest):
        parse_section("alerts", value)
