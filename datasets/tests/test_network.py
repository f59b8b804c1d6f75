"""Which hosts the server connects to for others, and posting to them."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.errors import DeliveryFailed, HostRefused, SourceDnsFailed
from datasets import webhooks
from datasets.network import is_refused, resolve_allowed
from datasets.webhooks import post_json


@dataclass
class Receiver:
    """What a webhook's server was sent, and what it answers."""

    port: int = 0
    status: int = 200
    location: str = ""
    bodies: list[object] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.bodies.append(json.loads(body))
            receiver.hosts.append(self.headers["Host"])
            receiver.paths.append(self.path)
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def post(url: str, *, local_allowed: bool = True) -> None:
    asyncio.run(post_json(url, {"event": "dataset.drift"}, local_allowed=local_allowed))


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ],
)
def test_addresses_of_this_machine_and_its_cable_are_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.9", "192.168.1.5", "93.184.216.34", "2606:4700::1111", "fd00::5", "::ffff:10.1.2.3"],
)
def test_private_and_public_addresses_are_allowed(address: str) -> None:
    assert not is_refused(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1", "::1", "0"])
def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    with pytest.raises((HostRefused, SourceDnsFailed)) as caught:
        asyncio.run(resolve_allowed(host, 443, local_allowed=False))

    assert "127.0.0.1" not in caught.value.message.replace(host, "")


def test_in_development_this_machine_is_allowed() -> None:
    assert asyncio.run(resolve_allowed("127.0.0.1", 443, local_allowed=True)) == "127.0.0.1"


def test_a_name_that_is_nobodys_has_a_code_of_its_own() -> None:
    with pytest.raises(SourceDnsFailed):
        asyncio.run(resolve_allowed("nobody.invalid", 443, local_allowed=False))


# ── posting ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_posts_json_with_the_name_and_port_of_its_address() -> None:
    with receiving() as receiver:
        post(f"http://localhost:{receiver.port}/hooks/drift?token=x")

    assert receiver.bodies == [{"event": "dataset.drift"}]
    assert receiver.hosts == [f"localhost:{receiver.port}"]
    assert receiver.paths == ["/hooks/drift?token=x"]


@pytest.mark.parametrize("status", [302, 307, 404, 500])
def test_anything_but_success_is_a_failure_and_no_redirect_is_followed(status: int) -> None:
    with receiving() as elsewhere, receiving() as receiver:
        receiver.status, receiver.location = status, f"http://localhost:{elsewhere.port}/"

        with pytest.raises(DeliveryFailed) as caught:
            post(f"http://localhost:{receiver.port}/secret-path")

    assert elsewhere.bodies == []
    assert caught.value.retryable
    assert "secret-path" not in caught.value.message


def test_nothing_is_posted_to_this_machine_in_production() -> None:
    with receiving() as receiver:
        with pytest.raises(HostRefused):
            post(f"https://localhost:{receiver.port}/", local_allowed=False)
        with pytest.raises(HostRefused):
            post("http://example.org/", local_allowed=False)

    assert receiver.bodies == []


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.5)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def post_to_it() -> None:
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            await post_json(f"http://127.0.0.1:{port}/", {}, local_allowed=True)
        finally:
            server.close()

    with pytest.raises(DeliveryFailed):
        asyncio.run(post_to_it())


def test_the_certificate_must_be_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_certificate: Callable[[str], Path]
) -> None:
    for name, is_right in (("localhost", True), ("other.example", False)):
        certificate = make_certificate(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # the server trusts whoever signed it; only the name is in question
        monkeypatch.setattr(webhooks, "VERIFY", ssl.create_default_context(cafile=str(certificate)))
        with receiving(context) as receiver:
            if is_right:
                post(f"https://localhost:{receiver.port}/")
            else:
                with pytest.raises(DeliveryFailed) as caught:
                    post(f"https://localhost:{receiver.port}/")
                assert "127.0.0.1" not in caught.value.message

        assert len(receiver.bodies) == is_right


@pytest.fixture
def make_certificate(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    return make
