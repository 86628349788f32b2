"""Alerts in channels: Slack, Microsoft Teams and webhooks (finops_site/mail/chat.py has each one's form)."""

from datetime import datetime
from typing import Any

from budgets.alerts.alert_summary import alert_headline, alert_severity, summary_of
from budgets.models import AlertDelivery, Recipient
from finops_site.lib import http_client
from finops_site.lib.money import exact_text
from finops_site.mail import chat
from finops_site.mail.emails import absolute_url


def send_to_channel(delivery: AlertDelivery, now: datetime) -> None:
    """Posts it to the recipient's address; raises http_client.Undeliverable with the reason where that fails."""
    recipient = delivery.recipient
    if recipient is None:
        raise http_client.Undeliverable("The channel was removed from the budget.")
    body = webhook_body(delivery)
    facts = [(name, f"{body[name]} {body['currency']}") for name in ("spent", "amount", "forecast")]
    message = chat.ChatMessage(body["headline"], facts=facts, link=body["url"], link_text="Open the alert", body=body)
    _post(recipient, message, delivery_name(delivery), now)


def send_test(recipient: Recipient, now: datetime) -> None:
    """Posts a test message, signed as every other; raises http_client.Undeliverable and ValidationError."""
    text = f"A test message: alerts of the budget {recipient.budget} will come here."
    body = {"id": f"test-{recipient.pk}", "occasion": "test", "headline": text}
    _post(recipient, chat.ChatMessage(text, body=body), f"test-{recipient.pk}-{int(now.timestamp())}", now)


def _post(recipient: Recipient, message: chat.ChatMessage, name: str, now: datetime) -> None:
    secret = recipient.secret.secret().get("hmac", "") if recipient.secret else ""
    chat.post_message(recipient.kind, recipient.url, message, name, now, secret=secret)


def delivery_name(delivery: AlertDelivery) -> str:
    """The same however often it is tried, so that a receiver recognises a second try."""
    return f"alert-{delivery.alert_id}-{delivery.pk}"


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
