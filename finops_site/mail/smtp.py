"""SMTP that says when it hands a message over: from the first byte of the body on, the server may have taken it."""

import email
import email.policy
import smtplib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend


class Passing(Exception):
    """The server could not be reached or asked to be tried later: nothing was taken."""


class Refused(Exception):
    """The server will never take this message for this address."""


class Doubtful(Exception):
    """The line broke after the message went out and before the server answered: it was taken, or it was not."""


class _Telling:
    """A part of an SMTP client: calls `before_body` after the server's go-ahead, before anything of the body leaves."""

    before_body: Callable[[], object] | None = None
    _said_data = False

    def putcmd(self, cmd: str, args: str = "") -> None:
        super().putcmd(cmd, args)  # type: ignore[misc]
        self._said_data = cmd.lower() == "data"

    def send(self, s: Any) -> None:
        if self._said_data and self.before_body:
            self._said_data = False
            self.before_body()
        super().send(s)  # type: ignore[misc]


class _Plain(_Telling, smtplib.SMTP):
    pass


class _Tls(_Telling, smtplib.SMTP_SSL):
    pass


class SmtpBackend(EmailBackend):
    """Django's SMTP with a time-out, whose connection tells when the body goes out."""

    def __init__(self, **options: Any) -> None:
        options["timeout"] = options.get("timeout") or settings.EMAIL_TIMEOUT or 20
        super().__init__(**options)

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _Tls if self.use_ssl else _Plain


class Ready(EmailMultiAlternatives):
    """A message that was written before: it goes out as the bytes say."""

    def __init__(self, content: bytes, to: str) -> None:
        written = email.message_from_bytes(content, policy=email.policy.SMTP)
        super().__init__(subject=str(written["Subject"]), from_email=str(written["From"]), to=[to])
        self.content, self.written = content, written
        for part in written.walk():
            if part.get_content_type() == "text/plain" and not self.body:
                self.body = part.get_content()  # type: ignore[attr-defined]
            elif part.get_content_type() == "text/html":
                self.attach_alternative(part.get_content(), "text/html")  # type: ignore[attr-defined]

    def message(self, **_: Any) -> Any:
        return self.written


class Line:
    """One connection to whatever takes our mail: an SMTP server, or a folder on a laptop."""

    def __init__(self) -> None:
        self.backend = get_connection()

    def hand_over(self, message: Ready, before_body: Callable[[], object]) -> None:
        """Sends it; raises Passing, Refused or Doubtful, having called `before_body` once it may have been taken."""
        if not isinstance(self.backend, SmtpBackend):
            before_body()
            self.backend.send_messages([message])
            return
        gone: list[bool] = []
        client = self._open()
        client.before_body = lambda: (before_body(), gone.append(True))
        try:
            client.sendmail(settings.DEFAULT_FROM_EMAIL, message.to, message.content)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise _meaning(error, bool(gone)) from error

    def _open(self) -> Any:
        try:
            self.backend.open()
        except (smtplib.SMTPException, OSError) as error:
            raise Passing(f"the mail server cannot be reached: {error}") from error
        return self.backend.connection

    def close(self) -> None:
        """Hangs up; a line that is broken already is no reason to fail."""
        try:
            self.backend.close()
        except (smtplib.SMTPException, OSError):
            self.backend.connection = None


def _meaning(error: Exception, gone: bool) -> Exception:
    """What an answer, or its absence, says about the message."""
    codes = _codes(error)
    if codes:
        said = f"the mail server said: {error}"
        return Refused(said) if all(500 <= code < 600 for code in codes) else Passing(said)
    return Doubtful(str(error) or type(error).__name__) if gone else Passing(f"the line broke: {error}")


def _codes(error: Exception) -> list[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    # A server that hangs up sends 421 or nothing; smtplib tells the second as code -1.
    return [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0 else []
