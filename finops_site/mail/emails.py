"""E-mails: three templates a message, one subject line, and links that work outside the site."""

from collections.abc import Callable, Mapping, Sequence
from email.mime.image import MIMEImage
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context
from django.template.loader import get_template, render_to_string

from finops_site.people.reader_language import in_language_of


class SiteEmail(EmailMultiAlternatives):
    """An e-mail of this site: its kind (registry.NotificationKind), and the page it is about, as on the site's bell.

    `about` is the page of the thing whose figures stand in the subject: who may not open it reads no subject.
    """

    kind = ""
    url = ""
    about = ""


def absolute_url(path: str) -> str:
    """The address of a page of this site for somebody who is not in it."""
    return settings.SITE_URL.rstrip("/") + "/" + path.lstrip("/")


def make_message(
    name: str,
    to: str | Sequence[str],
    context: dict[str, Any] | Callable[[], dict[str, Any]],
    *,
    images: Mapping[str, bytes] | None = None,
    unsubscribe_url: str = "",
    kind: str = "",
    url: str = "",
    about: str = "",
) -> SiteEmail:
    """The message made of ``emails/<name>-subject.txt``, ``-body.txt`` and ``-body.html``; not sent yet.

    Templates may use `site_url`. `images` are PNGs by the name under which the HTML shows them: ``src="cid:course"``.
    `unsubscribe_url` becomes List-Unsubscribe, the button that mail programs draw themselves. The subject is one line
    whatever the context holds, so that nobody's bill or tag can add a header. Readers choose by `kind` (by default
    `name`) whether they get it; its notification leads to `url` (by default that of the context), and is for who may
    open `about`.

    All of it is in the language of the (first) recipient. A context with texts in it is handed over as a function, or
    made inside of `in_language_of`.
    """
    recipients = [to] if isinstance(to, str) else list(to)
    with in_language_of(recipients[0] if recipients else ""):
        message, context = _written(name, recipients, context() if callable(context) else context)
    message.kind, message.url = kind or name, url or context.get("url", "")
    message.about = about or message.url
    # For answering machines and ticket systems: nobody wrote this, do not answer.
    message.extra_headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    if unsubscribe_url:
        message.extra_headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
    # Pictures travel in the message itself: mail programs fetch nothing from outside unasked.
    if images:
        message.mixed_subtype = "related"  # type: ignore[attr-defined]
    for identity, content in (images or {}).items():
        picture = MIMEImage(content, "png")
        picture.add_header("Content-ID", f"<{identity}>")
        picture.add_header("Content-Disposition", "inline", filename=f"{identity}.png")
        message.attach(picture)
    return message


def _written(name: str, recipients: Sequence[str], context: dict[str, Any]) -> tuple[SiteEmail, dict[str, Any]]:
    context = {"site_url": settings.SITE_URL.rstrip("/"), **context}
    subject = " ".join(_plain_text(f"emails/{name}-subject.txt", context).split())
    message = SiteEmail(subject, _plain_text(f"emails/{name}-body.txt", context), to=list(recipients))
    message.attach_alternative(
        render_to_string(f"emails/{name}-body.html", {**context, "subject": subject}), "text/html"
    )
    return message, context


def _plain_text(template: str, context: dict[str, Any]) -> str:
    """Without HTML escaping: nobody is called Fay &amp; Co in a text."""
    return get_template(template).template.render(Context(context, autoescape=False))  # type: ignore[attr-defined]
