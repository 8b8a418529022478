"""Notices by e-mail: SMTP with STARTTLS; user and password come from the environment, and go nowhere unencrypted."""

from __future__ import annotations

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from clusterlab.enforcement.notice import Notice
from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.ledger.budget import Scope
from clusterlab.loopback import is_loopback

USER, PASSWORD = "CLUSTERLAB_SMTP_USER", "CLUSTERLAB_SMTP_PASSWORD"  # The names of variables.
STUDENT = "{student}"
"""In an address: a student's name, of notices of his budget; others do not go there."""
PORT = 587
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """One address, by one server."""

    host: str
    port: int = PORT
    sender: str
    to: str
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def service(self) -> str:
        """The server."""
        return f"smtp://{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The server and the address."""
        return f"{self.service} to {self.to}"

    def notify(self, notice: Notice) -> None:
        """Send it; one that is not for this address is delivered already.

        Raises:
            UnreachableError: the server does not answer, offers no encryption, or does not let us in.
            ClusterlabError: it takes no mail for this address.
        """
        budget = notice.spending.budget
        if STUDENT in self.to and budget.scope is not Scope.STUDENT:
            return
        try:
            with smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds) as server:
                self._enter(server)
                server.send_message(self._message(notice, self.to.replace(STUDENT, budget.name)))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            raise ClusterlabError(f"takes no mail for {self.to}: {_reply(error)}") from None
        except (smtplib.SMTPException, OSError) as error:
            # What the server says to a login is left out, and so is the exception: nobody knows what is in there.
            raise UnreachableError(_reply(error)) from None

    def _enter(self, server: smtplib.SMTP) -> None:
        """Begin TLS where the server offers it, and log in where a user is given; elsewhere than here TLS is a must."""
        server.ehlo()
        encrypted = server.has_extn("starttls")
        if encrypted:
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        user = os.environ.get(USER)
        if not encrypted and (user or not is_loopback(self.host)):
            raise UnreachableError("offers no STARTTLS; nothing was sent unencrypted")
        if user:
            server.login(user, os.environ.get(PASSWORD, ""))

    def _message(self, notice: Notice, to: str) -> EmailMessage:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = notice.subject, self.sender, to
        message["Date"] = format_datetime(notice.at)
        message["Message-ID"] = make_msgid(domain=self.sender.partition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text + "\n")
        return message


def _reply(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"refuses the login of {USER}, with {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, said),) = error.recipients.values()
        return f"{code} {_text(said)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(said: bytes | str) -> str:
    return " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())
