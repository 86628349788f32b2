"""Channels: Slack, Microsoft Teams and webhooks, in each one's own form; webhooks are signed."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from django.conf import settings

from budgets.alerts.emails import gravity_of, headline_of, story_of
from budgets.models import AlertDelivery, Recipient
from finops_site.lib import http_client
from finops_site.lib.money import exact_text
from finops_site.mail.emails import absolute_url


def send(delivery: AlertDelivery, now: datetime) -> None:
    """Posts it to the recipient's address; raises http.Undeliverable, saying why, where that does not take it."""
    recipient = delivery.recipient
    if recipient is None:
        raise http_client.Undeliverable("The channel was removed from the budget.")
    forms = {Recipient.Kind.SLACK: slack, Recipient.Kind.TEAMS: teams, Recipient.Kind.WEBHOOK: webhook}
    _post(recipient, forms[Recipient.Kind(recipient.kind)](delivery), identity(delivery), now)


def send_test(recipient: Recipient, now: datetime) -> None:
    """Posts a message that says that it is a test, signed as every other; raises http.Undeliverable and ValidationError
    as `send` does."""
    words = f"A test message: alerts of the budget {recipient.budget} will come here."
    body = {
        Recipient.Kind.SLACK: {"text": _slack_text(words)},
        Recipient.Kind.TEAMS: _card([{"type": "TextBlock", "text": words, "wrap": True}], []),
        Recipient.Kind.WEBHOOK: {"id": f"test-{recipient.pk}", "occasion": "test", "headline": words},
    }[Recipient.Kind(recipient.kind)]
    _post(recipient, body, f"test-{recipient.pk}-{int(now.timestamp())}", now)


def _post(recipient: Recipient, said: dict[str, Any], name: str, now: datetime) -> None:
    body = json.dumps(said, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-FinOps-Delivery": name}
    if recipient.secret:
        headers["X-FinOps-Signature"] = signature(body, recipient.secret.secret().get("hmac", ""), now)
    http_client.post(recipient.url, body, headers, allowed=settings.FINOPS_HTTP_ALLOWED_HOSTS)


def identity(delivery: AlertDelivery) -> str:
    """The same however often it is tried, so that a receiver can tell a second try."""
    return f"alert-{delivery.alert_id}-{delivery.pk}"


def signature(body: bytes, secret: str, now: datetime) -> str:
    """``t=1764100000,v1=<hex>``: HMAC-SHA256 of the time, a dot and the body; an old time is a replayed message."""
    at = int(now.timestamp())
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def webhook(delivery: AlertDelivery) -> dict[str, Any]:
    alert, story = delivery.alert, story_of(delivery.alert)
    return {
        "id": identity(delivery),
        "occasion": delivery.occasion,
        "headline": headline_of(alert, delivery.occasion),
        "gravity": gravity_of(alert),
        "budget": {"id": alert.budget_id, "name": alert.budget.name},
        "kind": alert.kind,
        "from": story.period.start.isoformat(),
        "to": story.period.last_day.isoformat(),
        "amount": exact_text(story.whole),
        "spent": exact_text(story.spent),
        "forecast": exact_text(story.landing),
        "currency": story.currency,
        "state": alert.state,
        "url": absolute_url(alert.get_absolute_url()),
    }


def slack(delivery: AlertDelivery) -> dict[str, Any]:
    said = webhook(delivery)
    text = _slack_text(said["headline"])
    return {
        "text": text,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{text}*\n<{said['url']}|Open the alert>"}}
        ],
    }


def _slack_text(text: str) -> str:
    """Slack reads markup in these three characters only."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(delivery: AlertDelivery) -> dict[str, Any]:
    """An adaptive card, as the Workflows webhook of Microsoft Teams takes it."""
    said = webhook(delivery)
    facts = [{"title": name, "value": f"{said[name]} {said['currency']}"} for name in ("spent", "amount", "forecast")]
    texts = [
        {"type": "TextBlock", "text": said["headline"], "weight": "Bolder", "wrap": True},
        {"type": "FactSet", "facts": facts},
    ]
    return _card(texts, [{"type": "Action.OpenUrl", "title": "Open the alert", "url": said["url"]}])


def _card(body: list[dict[str, Any]], actions: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
