"""Hands a stored email to whatever takes our mail, and says what became of it: an SMTP server, or a laptop's folder."""

import email
import email.policy
import smtplib
from collections.abc import Callable
from email.message import Message
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.utils.translation import gettext as _


class TemporaryFailure(Exception):
    """The server could not be reached or asked to be tried later: it took nothing."""


# Folded anew, a long subject in another alphabet gets blanks in the middle of its words: its lines stay as they are.
AS_WRITTEN = email.policy.SMTP.clone(refold_source="none")


class PermanentFailure(Exception):
    """The server will never take this message for this address."""


class UnknownOutcome(Exception):
    """The connection broke after the body went out and before the server answered: it was taken, or it was not."""


class StoredEmail(EmailMultiAlternatives):
    """A message that was built before: it goes out as its bytes are."""

    def __init__(self, content: bytes, to: str) -> None:
        parsed = email.message_from_bytes(content, policy=AS_WRITTEN)
        super().__init__(subject=str(parsed["Subject"]), from_email=str(parsed["From"]), to=[to])
        if to.lower() != parseaddr(str(parsed["To"]))[1].lower():
            # Her address has changed since it was written.
            del parsed["To"]
            parsed["To"] = to
            content = parsed.as_bytes(policy=AS_WRITTEN)
        self.content, self.parsed = content, parsed
        for part in parsed.walk():
            if part.get_content_type() == "text/plain" and not self.body:
                self.body = part.get_content()
            elif part.get_content_type() == "text/html":
                self.attach_alternative(part.get_content(), "text/html")

    def message(self, **_ignored: object) -> Message:
        return self.parsed


class MailConnection:
    """Django's connection, kept open from one email to the next."""

    def __init__(self) -> None:
        self.backend = get_connection()

    def send(self, message: StoredEmail, before_body: Callable[[], object]) -> None:
        """Raises TemporaryFailure, PermanentFailure or UnknownOutcome; `before_body` is called before the body leaves.

        The steps are smtplib's own, one by one, because only the last of them leaves in doubt what the server has.
        """
        if not isinstance(self.backend, SmtpBackend):
            before_body()
            self.backend.send_messages([message])
            return
        client = self._open()
        body_may_have_left = False
        try:
            client.ehlo_or_helo_if_needed()
            _require_ok(client.mail(settings.DEFAULT_FROM_EMAIL))
            _require_ok(client.rcpt(message.to[0]))
            before_body()
            body_may_have_left = True
            _require_ok(client.data(message.content))
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise _failure(error, body_may_have_left) from error

    def _open(self) -> smtplib.SMTP:
        try:
            self.backend.open()
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryFailure(_("the mail server cannot be reached: {error}").format(error=error)) from error
        return self.backend.connection  # type: ignore[attr-defined]

    def close(self) -> None:
        """Hangs up; a connection that is broken already is no reason to fail."""
        try:
            self.backend.close()
        except (smtplib.SMTPException, OSError):
            self.backend.connection = None  # type: ignore[attr-defined]


def _require_ok(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if code not in (250, 251):
        raise smtplib.SMTPResponseException(code, text.decode(errors="replace"))


def _failure(error: Exception, body_may_have_left: bool) -> Exception:
    """What an answer, or its absence, means for the message. A server that hangs up answers 421 or nothing."""
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        reply = _("the mail server answered: {smtp_code} {text}").format(smtp_code=error.smtp_code, text=text)
        return PermanentFailure(reply) if 500 <= error.smtp_code < 600 else TemporaryFailure(reply)
    if body_may_have_left:
        return UnknownOutcome(str(error) or type(error).__name__)
    return TemporaryFailure(_("the connection broke: {error}").format(error=error))
