"""Readers of the environment: what stops the start, and what a secret never appears in."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import read_email_url, read_schedule


def mail(monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, object]:
    monkeypatch.setenv("EMAIL_URL", url)
    return read_email_url("EMAIL_URL")


def schedule(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    monkeypatch.setenv("DRIFT_SCHEDULE", text)
    return read_schedule("DRIFT_SCHEDULE", "0 2 * * *")


@pytest.mark.parametrize(
    ("url", "host", "port", "use_ssl", "use_tls"),
    [
        ("smtp://mail.example.org", "mail.example.org", 25, False, False),
        ("smtp://mail.example.org:2525", "mail.example.org", 2525, False, False),
        ("smtp://mail.example.org?tls=starttls", "mail.example.org", 587, False, True),
        ("smtp://mail.example.org:25/?tls=starttls", "mail.example.org", 25, False, True),
        ("smtps://mail.example.org", "mail.example.org", 465, True, False),
        ("SMTPS://mail.example.org:4650", "mail.example.org", 4650, True, False),
        ("smtp://[::1]:25", "::1", 25, False, False),
    ],
)
def test_a_mail_server_is_reached_as_its_url_says(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str, port: int, use_ssl: bool, use_tls: bool
) -> None:
    found = mail(monkeypatch, url)

    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == (host, port)
    assert (found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (use_ssl, use_tls)
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("", "")


def test_user_and_password_of_the_mail_server_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = mail(monkeypatch, "smtps://robot%40example.org:p%2Fa%3Fs%23s%40@mail.example.org")

    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("robot@example.org", "p/a?s#s@")


def test_no_mail_server_is_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mail(monkeypatch, "") == {}


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://u:hunter2@mail.example.org",
        "smtp://",
        "smtp://u:hunter2@",
        "smtp://u:hunter2@mail.example.org:port",
        "smtp://u:hunter2@mail.example.org:99999",
        "smtp://u:hunter2@mail.example.org:0",
        "smtp://u:hunter2@[mail.example.org",
        "smtp://u:hunter2@mail.example.org/inbox",
        # each would send the password in clear
        "smtp://u:hunter2@mail.example.org?tls=yes",
        "smtp://u:hunter2@mail.example.org?tls=",
        "smtp://u:hunter2@mail.example.org?tls",
        "smtp://u:hunter2@mail.example.org?TLS=starttls",
        "smtp://u:hunter2@mail.example.org?starttls=true",
        "smtps://u:hunter2@mail.example.org?tls=starttls",
        # pieces of passwords that are not written as %2F, %23 and %3F
        "smtp://u:25/hunter2@mail.example.org",
        "smtp://u:25#hunter2@mail.example.org",
        "smtp://u:25?hunter2@mail.example.org",
    ],
)
def test_a_faulty_url_of_a_mail_server_stops_the_start_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^EMAIL_URL must be") as caught:
        mail(monkeypatch, url)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", "0 2 * * *"),
        ("0 2 * * *", "0 2 * * *"),
        ("30 1 * * mon-fri", "30 1 * * mon-fri"),
        ("*/15  0-6  1,15 * Mon,thu", "*/15 0-6 1,15 * Mon,thu"),
        ("off", ""),
        ("OFF", ""),
    ],
)
def test_a_schedule_is_five_fields_of_cron_or_off(monkeypatch: pytest.MonkeyPatch, text: str, read: str) -> None:
    assert schedule(monkeypatch, text) == read


@pytest.mark.parametrize(
    "text",
    [
        "never",
        "0 2 * *",
        "0 2 * * * *",
        "0 2 * * 1",
        "0 2 * * 1-5",
        "0 2 * * */2",
        "0 2 * * foo",
        "0 2 * * fri-mon",
        "99 2 * * *",
        "0 24 * * *",
        "0 2 0 * *",
        "0 2 * 13 *",
        "*/0 2 * * *",
        "5-1 2 * * *",
        ", 2 * * *",
        "@daily",
        "0 2 * * *; 1",
    ],
)
def test_a_faulty_schedule_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^DRIFT_SCHEDULE must be five fields"):
        schedule(monkeypatch, text)
