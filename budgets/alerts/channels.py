"""Alerts in channels: Slack, Microsoft Teams and webhooks (finops_site/mail/chat.py has each one's form)."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

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
        raise http_client.Undeliverable(_("The channel was removed from the budget."))
    body = webhook_body(delivery)
    facts = [
        (label, f"{body[name]} {body['currency']}")
        for name, label in (("spent", _("spent")), ("amount", _("amount")), ("forecast", _("forecast")))
    ]
    message = chat.ChatMessage(
        body["headline"], facts=facts, link=body["url"], link_text=_("Open the alert"), body=body
    )
    _post(recipient, message, delivery_name(delivery), now)


def send_test(recipient: Recipient, now: datetime) -> None:
    """Posts a test message, signed as every other; raises http_client.Undeliverable and ValidationError."""
    text = _("A test message: alerts of the budget {budget} will come here.").format(budget=recipient.budget)
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
