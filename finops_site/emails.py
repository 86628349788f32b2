"""E-mails: three templates a message, one subject line, and links that work outside the site."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import Context
from django.template.loader import get_template, render_to_string


def absolute_url(path: str) -> str:
    """The address of a page of this site for somebody who is not in it."""
    return settings.SITE_URL.rstrip("/") + "/" + path.lstrip("/")


def make_message(name: str, to: str | Sequence[str], context: dict[str, Any]) -> EmailMultiAlternatives:
    """The message made of ``emails/<name>-subject.txt``, ``-body.txt`` and ``-body.html``; not sent yet.

    Templates may use `site_url`. The subject is one line whatever the context holds, so that nobody's bill or tag can
    add a header.
    """
    recipients = [to] if isinstance(to, str) else list(to)
    whole = {"site_url": settings.SITE_URL.rstrip("/"), **context}
    subject = " ".join(_plain_text(f"emails/{name}-subject.txt", whole).split())
    message = EmailMultiAlternatives(subject, _plain_text(f"emails/{name}-body.txt", whole), to=recipients)
    message.attach_alternative(render_to_string(f"emails/{name}-body.html", {**whole, "subject": subject}), "text/html")
    # Says to answering machines and ticket systems: nobody wrote this, do not answer.
    message.extra_headers = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    return message


def _plain_text(template: str, context: dict[str, Any]) -> str:
    """Without HTML escaping: nobody is called Fay &amp; Co in a text."""
    return get_template(template).template.render(Context(context, autoescape=False))
