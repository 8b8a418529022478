from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.enforcement.log import Log
from clusterlab.enforcement.mail import PASSWORD, USER, Mail
from clusterlab.enforcement.places import parse
from clusterlab.enforcement.webhook import Webhook
from clusterlab.errors import ClusterlabError, InputError, StorageError, UnreachableError
from clusterlab.ledger.budget import Scope
from tests.clusterlab.enforcement import conftest
from tests.clusterlab.enforcement.conftest import Hook, MailServer, notice


def mailer(server: MailServer, to: str = "ana@example.org") -> Mail:
    (made,) = parse([server.place], [to])
    assert isinstance(made, Mail)
    return made


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, "course")
    monkeypatch.setenv(PASSWORD, conftest.PASSWORD)


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def dumb() -> Iterator[int]:
    """A port that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_mail_says_whose_budget_and_how_much(mail: MailServer) -> None:
    mailer(mail).notify(notice(num_unknown=2))
    (message,) = mail.taken
    assert (mail.to, mail.logins) == (["ana@example.org"], [])
    assert message["Subject"] == "llm-2026: student ana has spent 80 % of the budget"
    assert (message["From"], message["To"]) == ("course@example.org", "ana@example.org")
    assert str(message.get_payload()).splitlines() == [
        "student ana: at least 16.00 of 20.00 USD spent, by 2026-11-28 17:05 UTC.",
        "With what is reserved, 18.00 USD are held; 2.00 are free.",
        "The price of 2 in use is not known, so it is more than that.",
    ]


@pytest.mark.usefixtures("login", "trusted")
def test_it_logs_in_after_starttls(encrypted: MailServer) -> None:
    mailer(encrypted).notify(notice())
    assert encrypted.logins == [(b"course", conftest.PASSWORD.encode())]
    assert encrypted.to == ["ana@example.org"]


@pytest.mark.usefixtures("login")
def test_a_certificate_that_nobody_vouches_for_gets_no_password(encrypted: MailServer) -> None:
    with pytest.raises(UnreachableError, match=r"CERTIFICATE_VERIFY_FAILED"):
        mailer(encrypted).notify(notice())
    assert (encrypted.logins, encrypted.taken) == ([], [])


@pytest.mark.usefixtures("login")
def test_a_password_is_not_sent_unencrypted(mail: MailServer) -> None:
    with pytest.raises(UnreachableError, match=r"offers no STARTTLS; nothing was sent unencrypted"):
        mailer(mail).notify(notice())
    assert (mail.logins, mail.taken) == ([], [])


@pytest.mark.usefixtures("login", "trusted")
def test_a_login_that_is_refused_does_not_show_the_password(
    encrypted: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "wrong-1001")
    with pytest.raises(UnreachableError, match=r"^refuses the login of CLUSTERLAB_SMTP_USER, with 535$") as caught:
        mailer(encrypted).notify(notice())
    assert encrypted.logins
    assert "wrong-1001" not in repr(caught.value)
    assert encrypted.taken == []


def test_an_address_that_is_refused_is_named(mail: MailServer) -> None:
    mail.refused = {"eve@example.org"}
    with pytest.raises(ClusterlabError, match=r"^takes no mail for eve@example\.org: 550 no such user$"):
        mailer(mail, "eve@example.org").notify(notice())


def test_a_students_address_gets_that_students_notices_only(mail: MailServer) -> None:
    each = mailer(mail, "{student}@example.org")
    each.notify(notice(name="ben"))
    each.notify(notice(scope=Scope.COURSE, name="llm-2026"))
    assert mail.to == ["ben@example.org"]


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_it_may(dumb: int) -> None:
    each = Mail(host="127.0.0.1", port=dumb, sender="c@example.org", to="ana@example.org", timeout_seconds=0.05)
    with pytest.raises(UnreachableError, match=r"timed out"):
        each.notify(notice())
    with pytest.raises(UnreachableError, match=r"timed out"):
        Webhook(url=f"http://127.0.0.1:{dumb}/", timeout_seconds=0.05).notify(notice())


def test_a_webhook_gets_text_as_slack_takes_it(hook: Hook) -> None:
    Webhook(url=f"{hook.place}?thread=1").notify(notice())
    ((path, document),) = hook.posted
    assert path == "/services/T1001/secret?thread=1"
    assert document.keys() == {"text"}
    assert document["text"].startswith("*llm-2026: student ana has spent 80 % of the budget*\nstudent ana: 16.00 of ")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, ClusterlabError, r"^answers 400 Bad Request$"),
        (404, UnreachableError, r"^answers 404 Not Found$"),
        (302, UnreachableError, r"^answers 302 Found$"),
        (503, UnreachableError, r"^answers 503 Service Unavailable$"),
    ],
)
def test_a_webhook_that_does_not_take_it(hook: Hook, status: int, kind: type[Exception], said: str) -> None:
    hook.status = status
    with pytest.raises(kind, match=said) as caught:
        Webhook(url=hook.place).notify(notice())
    assert type(caught.value) is kind


def test_the_name_of_a_webhook_is_not_its_secret(hook: Hook) -> None:
    first, other = Webhook(url=hook.place), Webhook(url=f"{hook.place}s")
    assert first.name.startswith(f"{hook.url}/ (")
    assert "secret" not in first.name
    assert first.name != other.name


def test_a_file_gets_a_line_each(tmp_path: Path) -> None:
    log = Log(path=tmp_path / "notices.jsonl")
    log.notify(notice(50))
    log.notify(notice())
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [(each["percent"], each["name"], each["spent"]["usd"], each["cap_usd"]) for each in lines] == [
        (50, "ana", "16.000000", "20"),
        (80, "ana", "16.000000", "20"),
    ]
    with pytest.raises(StorageError, match=r"cannot be written: Is a directory"):
        Log(path=tmp_path).notify(notice())


@pytest.mark.parametrize(
    ("place", "to", "message"),
    [
        ("telnet://x", [], "--notify: names no place that is known; allowed: smtp://host:587?from="),
        ("file:", [], "--notify: names no place"),
        ("env:COURSE_HOOK", [], "--notify: env:COURSE_HOOK: is not set; allowed: a variable that has a place"),
        ("http://hooks.example.org/s3cret", [], "--notify: http: is not encrypted, and not of this machine"),
        ("https://x:port/s3cret", [], "--notify: https: is no URL"),
        ("smtp://ana:s3cret@x?from=a@b", ["a@b"], "--notify: smtp: has a user or a password in it; allowed: CLUSTERL"),
        ("smtp://x", ["a@b"], "--notify: smtp: must have ?from=, an address"),
        ("smtp://x?from=a@b&to=c@d", ["a@b"], "--notify: smtp: must have ?from=, an address, and nothing else"),
        ("smtp://x?from=a@b", [], "--to: missing"),
        (
            "smtp://x?from=a@b",
            ["ana", "a@b"],
            "--to: 'ana'; allowed: an address, such as ana@example.org or {student}@",
        ),
        ("smtp://x?from=a@b", ["a@b\nBcc: c@d"], "--to: 'a@b\\nBcc: c@d'; allowed: "),
        ("file:x", ["a@b"], "--to: needs a mail server; allowed: smtp://host:587?from=course@example.org"),
    ],
)
def test_a_place_that_is_none_is_named_without_its_secret(place: str, to: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse([place], to)
    assert str(caught.value).startswith(message)
    assert "s3cret" not in str(caught.value)


def test_a_variable_may_have_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_HOOK", "https://hooks.example.org/s3cret")
    assert parse(["env:COURSE_HOOK"], []) == [Webhook(url="https://hooks.example.org/s3cret")]
