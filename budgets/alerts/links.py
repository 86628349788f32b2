"""Links in mails: signed, for one alert and one address, valid for two weeks; opening one changes nothing."""

from dataclasses import dataclass
from datetime import timedelta

from django.core import signing
from django.urls import reverse

from budgets.models import Alert
from finops_site.mail.emails import absolute_url

GOOD_FOR = timedelta(days=14)
SALT = "budgets.acknowledge"


@dataclass(frozen=True, slots=True)
class AcknowledgeLink:
    """To whom a link was sent, about which alert, and about which time that it was open."""

    alert: int
    reopened: int
    address: str


def acknowledge_url(alert: Alert, address: str) -> str:
    token = signing.dumps([alert.pk, alert.reopened, address], salt=SALT)
    return absolute_url(reverse("budgets:acknowledge", args=[token]))


def read_acknowledge_link(token: str) -> AcknowledgeLink | None:
    """Who may acknowledge what by this link; None for one that is forged, damaged or too old."""
    try:
        alert, reopened, address = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return AcknowledgeLink(alert, reopened, address)
