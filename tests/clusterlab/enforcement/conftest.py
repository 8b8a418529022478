"""A ledger in which ana may spend 20 USD, and real servers on the loopback that notices go to."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clusterlab.cost.total import Total
from clusterlab.enforcement.notice import Notice
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.spending import Spending
from tests import web
from tests.clusterlab.ledger.conftest import Clock, use
from tests.clusterlab.reaper.conftest import account, session

__all__ = ["account", "session"]

COURSE = "llm-2026"
PASSWORD = "open-sesame-1001"


def spending(spent: object = 16, cap: object | None = 20, **changes: Any) -> Spending:
    """Of ana, who holds two dollars more than she has spent."""
    usd = Decimal(str(spent))
    usual: dict[str, Any] = {"scope": Scope.STUDENT, "name": "ana", "held_usd": usd + 2}
    budget = Budget(
        **usual | {key: each for key, each in changes.items() if key != "num_unknown"},
        cap_usd=None if cap is None else Decimal(str(cap)),
    )
    return Spending(budget=budget, spent=Total(usd=usd, num_unknown=changes.get("num_unknown", 0)))


def notice(percent: int = 80, **changes: Any) -> Notice:
    at = datetime(2026, 11, 28, 17, 5, tzinfo=UTC)
    return Notice(course=COURSE, spending=spending(**changes), percent=percent, at=at)


@dataclass(kw_only=True)
class Books:
    """The ledger that `CLUSTERLAB_LEDGER` names; ana's machine costs 1 USD an hour."""

    ledger: Ledger
    clock: Clock

    def spend(self, hours: float) -> None:
        """It was seen at its start, so many hours ago, and not since."""
        now = datetime.now(UTC)
        self.clock.now = now - timedelta(hours=hours)
        self.ledger.record(use(None, start=self.clock.now))
        self.clock.now = now

    def cap(self, usd: object, scope: Scope = Scope.STUDENT, name: str = "ana") -> None:
        self.ledger.set_cap(scope, name, Decimal(str(usd)))


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    monkeypatch.chdir(tmp_path)
    clock = Clock(now=datetime.now(UTC) - timedelta(days=2))
    books = Books(ledger=Ledger.open(url, begin=True, clock=clock), clock=clock)
    books.cap(20)
    yield books
    assert books.ledger.verify() is None
    books.ledger.close()


@dataclass(kw_only=True)
class MailServer:
    """What a server took, and from whom."""

    port: int
    taken: list[Message] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=course@example.org"

    def handler(self) -> SimpleNamespace:
        return SimpleNamespace(handle_RCPT=self._recipient, handle_DATA=self._data)

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        del server, session, envelope, mechanism
        self.logins.append((given.login, given.password))
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)

    async def _recipient(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        del server, session, options
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _data(self, server: Any, session: Any, envelope: Any) -> str:
        del server, session
        self.taken.append(message_from_bytes(envelope.content))
        self.to += envelope.rcpt_tos
        return "250 OK"


@contextmanager
def serving(**settings: Any) -> Iterator[MailServer]:
    """A mail server on the loopback, with STARTTLS where it is given a `tls_context`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = MailServer(port=free.getsockname()[1])
    controller = Controller(server.handler(), "127.0.0.1", server.port, authenticator=server.authenticate, **settings)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """One without encryption, as a relay on this machine is."""
    with serving() as server:
        yield server


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signed itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "course")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    made = made.serial_number(1001).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "course.pem"
    path.write_bytes(key.private_bytes(*pem) + signed.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[MailServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(tls_context=context) as server:
        yield server


@dataclass(kw_only=True)
class Hook:
    """What a webhook was sent; it answers with `status`."""

    url: str = ""
    status: int = 200
    on_post: Callable[[], object] = lambda: None
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{self.url}/services/T1001/secret"


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()

    class Answer(web.Handler):
        def respond(self) -> None:
            found.posted.append((self.path, json.loads(self.body())))
            found.on_post()
            self.send(status=found.status)

    with web.serving(Answer) as found.url:
        yield found
