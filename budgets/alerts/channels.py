"""Channels: Slack, Microsoft Teams and webhooks, in each one's own form; webhooks are signed."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from budgets.alerts.alert_summary import alert_headline, alert_severity, summary_of
from budgets.models import AlertDelivery, Recipient
from finops_site.lib import http_client
from finops_site.lib.money import exact_text
from finops_site.mail.emails import absolute_url


def send_to_channel(delivery: AlertDelivery, now: datetime) -> None:
    """Posts it to the recipient's address; raises http_client.Undeliverable with the reason where that fails."""
    recipient = delivery.recipient
    if recipient is None:
        raise http_client.Undeliverable(_("The channel was removed from the budget."))
    body = webhook_body(delivery)
    if recipient.kind == Recipient.Kind.SLACK:
        body = _slack_body(body)
    elif recipient.kind == Recipient.Kind.TEAMS:
        body = _teams_body(body)
    _post(recipient, body, delivery_name(delivery), now)


def send_test(recipient: Recipient, now: datetime) -> None:
    """Posts a test message, signed as every other; raises http_client.Undeliverable and ValidationError."""
    text = _("A test message: alerts of the budget {budget} will come here.").format(budget=recipient.budget)
    body = {
        Recipient.Kind.SLACK: {"text": _slack_text(text)},
        Recipient.Kind.TEAMS: _card([{"type": "TextBlock", "text": text, "wrap": True}], []),
        Recipient.Kind.WEBHOOK: {"id": f"test-{recipient.pk}", "occasion": "test", "headline": text},
    }[Recipient.Kind(recipient.kind)]
    _post(recipient, body, f"test-{recipient.pk}-{int(now.timestamp())}", now)


def _post(recipient: Recipient, body: dict[str, Any], name: str, now: datetime) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "X-FinOps-Delivery": name}
    if recipient.secret:
        headers["X-FinOps-Signature"] = signature(content, recipient.secret.secret().get("hmac", ""), now)
    http_client.post(recipient.url, content, headers, allowed=settings.FINOPS_HTTP_ALLOWED_HOSTS)


def delivery_name(delivery: AlertDelivery) -> str:
    """The same however often it is tried, so that a receiver recognises a second try."""
    return f"alert-{delivery.alert_id}-{delivery.pk}"


def signature(body: bytes, secret: str, now: datetime) -> str:
    """``t=1764100000,v1=<hex>``: HMAC-SHA256 of the time, a dot and the body; an old time is a replayed message."""
    at = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def webhook_body(delivery: AlertDelivery) -> dict[str, Any]:
    alert, summary = delivery.alert, summary_of(delivery.alert)
    return {
        "id": delivery_name(delivery),
        "occasion": delivery.occasion,
        "headline": alert_headline(alert, delivery.occasion),
        "gravity": alert_severity(alert),
        "budget": {"id": alert.budget_id, "name": alert.budget.name},
        "kind": alert.kind,
        "from": summary.period.start.isoformat(),
        "to": summary.period.last_day.isoformat(),
        "amount": exact_text(summary.budgeted),
        "spent": exact_text(summary.spent),
        "forecast": exact_text(summary.forecast),
        "currency": summary.currency,
        "state": alert.state,
        "url": absolute_url(alert.get_absolute_url()),
    }


def _slack_body(message: dict[str, Any]) -> dict[str, Any]:
    text = _slack_text(message["headline"])
    section = {"type": "mrkdwn", "text": f"*{text}*\n<{message['url']}|{_slack_text(_('Open the alert'))}>"}
    return {"text": text, "blocks": [{"type": "section", "text": section}]}


def _slack_text(text: str) -> str:
    """Slack reads markup in these three characters only."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams_body(message: dict[str, Any]) -> dict[str, Any]:
    """An adaptive card, as the Workflows webhook of Microsoft Teams expects it."""
    currency = message["currency"]
    facts = [
        {"title": label, "value": f"{message[name]} {currency}"}
        for name, label in (("spent", _("spent")), ("amount", _("amount")), ("forecast", _("forecast")))
    ]
    texts = [
        {"type": "TextBlock", "text": message["headline"], "weight": "Bolder", "wrap": True},
        {"type": "FactSet", "facts": facts},
    ]
    return _card(texts, [{"type": "Action.OpenUrl", "title": _("Open the alert"), "url": message["url"]}])


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
