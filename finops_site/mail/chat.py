"""Messages to Slack, Microsoft Teams and webhooks, each in its own form; webhooks are signed.

Alerts of budgets and scheduled reports are sent by it. The address goes through `lib.http_client`, which asks nothing
inside our own network.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

from finops_site.lib import http_client


class Channel(StrEnum):
    SLACK = "slack"
    TEAMS = "teams"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What is said: a headline, lines below it, figures as (name, text), and a link with its words.

    `body` is what a webhook gets instead; Slack shows the figures as lines.
    """

    headline: str
    lines: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    link: str = ""
    link_text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


def post_message(channel: str, url: str, message: ChatMessage, name: str, now: datetime, *, secret: str = "") -> None:
    """Posts it; `name` is the same however often it is tried, and `secret` signs it.

    Raises http_client.Undeliverable with the reason where that fails.
    """
    build = {Channel.SLACK: _slack_body, Channel.TEAMS: _teams_body, Channel.WEBHOOK: lambda one: dict(one.body)}
    content = json.dumps(build[Channel(channel)](message), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-FinOps-Delivery": name}
    if secret:
        headers["X-FinOps-Signature"] = signature(content, secret, now)
    http_client.post(url, content, headers, allowed=settings.FINOPS_HTTP_ALLOWED_HOSTS)


def signature(body: bytes, secret: str, now: datetime) -> str:
    """``t=1764100000,v1=<hex>``: HMAC-SHA256 of the time, a dot and the body; an old time is a replayed message."""
    at = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _slack_body(message: ChatMessage) -> dict[str, Any]:
    text = _slack_text(message.headline)
    if not message.link:
        return {"text": text}
    facts = [f"{name}: {value}" for name, value in message.facts if message.lines]
    lines = [f"*{text}*", *(_slack_text(line) for line in (*message.lines, *facts))]
    section = {"type": "mrkdwn", "text": "\n".join([*lines, f"<{message.link}|{_slack_text(message.link_text)}>"])}
    return {"text": text, "blocks": [{"type": "section", "text": section}]}


def _slack_text(text: str) -> str:
    """Slack reads markup in these three characters only."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams_body(message: ChatMessage) -> dict[str, Any]:
    """An adaptive card, as the Workflows webhook of Microsoft Teams expects it."""
    head: dict[str, Any] = {"type": "TextBlock", "text": message.headline, "wrap": True}
    body = [{**head, "weight": "Bolder"} if message.link else head]
    body += [{"type": "TextBlock", "text": line, "wrap": True} for line in message.lines]
    if message.facts:
        body.append({"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in message.facts]})
    action = {"type": "Action.OpenUrl", "title": message.link_text, "url": message.link}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [action] if message.link else [],
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
