"""The laptop's mail: a folder with a file for each message, and what the page /dev/mail/ shows of it."""

import base64
import email
import email.policy
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage as ParsedEmail
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from finops_site.lib.person import Person

NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}\Z")


class FolderBackend(BaseEmailBackend):
    """Sends nothing: writes each message into a file that any mail program opens."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder().mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{timezone.now():%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
            part = folder() / f"{name}.part"
            part.write_bytes(message.message().as_bytes())
            part.rename(folder() / f"{name}.eml")
        return len(email_messages)


def folder() -> Path:
    return Path(settings.EMAIL_FILE_PATH)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in the folder."""

    name: str
    parsed: ParsedEmail

    @property
    def subject(self) -> str:
        return str(self.parsed["Subject"] or "")

    @property
    def to(self) -> str:
        return str(self.parsed["To"] or "")

    @property
    def at(self) -> datetime:
        return datetime.strptime(self.name.split("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.parsed.items()]

    @property
    def text(self) -> str:
        body = self.parsed.get_body(("plain",))
        return str(body.get_content()) if body else ""

    @property
    def html(self) -> str:
        """The HTML with its pictures in it."""
        body = self.parsed.get_body(("html", "related"))
        if body and body.get_content_type() == "multipart/related":
            body = body.get_body(("html",))
        page = str(body.get_content()) if body and body.get_content_type() == "text/html" else ""
        return re.sub(r"\bcid:([\w.@-]+)", lambda match: self._picture(match[1]), page)

    def _picture(self, identity: str) -> str:
        """A picture of the message as an address that holds it: a sandboxed page has no session to fetch it with."""
        for part in self.parsed.walk():
            if part.get("Content-ID", "").strip("<>") == identity and part.get_content_maintype() == "image":
                content = base64.b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
                return f"data:{part.get_content_type()};base64,{content}"
        return ""


def mails(reader: Person) -> list[Mail]:
    """The newest first: an administrator reads everybody's, everybody else her own."""
    names = sorted((path.stem for path in folder().glob("*.eml") if NAME.match(path.stem)), reverse=True)
    return [message for name in names[:300] if (message := mail(name, reader))]


def mail(name: str, reader: Person) -> Mail | None:
    path = folder() / f"{name}.eml"
    if not NAME.match(name) or not path.is_file():
        return None
    message = Mail(name, email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
    sees_all = reader.has_perm("finops_site.view_outgoingemail")
    return message if sees_all or reader.email.lower() in message.to.lower() else None
