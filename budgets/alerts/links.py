"""Links in mails: signed, for one alert and one reader, valid for two weeks; opening one changes nothing."""

from dataclasses import dataclass
from datetime import timedelta

from django.core import signing
from django.urls import reverse

from budgets.alerts.recipients import AddressBook
from budgets.models import Alert
from finops_site.mail.emails import absolute_url
from finops_site.mail.signed_links import signed_parts
from finops_site.models import User

GOOD_FOR = timedelta(days=14)
SALT = "budgets.acknowledge"


@dataclass(frozen=True, slots=True)
class AcknowledgeLink:
    """To whom a link was sent, about which alert, and about which time that it was open.

    `user` is None where the address is of nobody who signs in.
    """

    alert: int
    reopened: int
    address: str
    user: int | None = None

    def person(self) -> User | None:
        """Who it was written to, whatever her address is now; somebody who was switched off too."""
        if self.user:
            return User.objects.filter(pk=self.user).first()
        return User.objects.filter(email__iexact=self.address).first()

    def is_hers(self, alert: Alert) -> bool:
        """Whether its reader may still act on the alert: she has not left, and may see the budget or is notified of it.

        An address without a login counts as long as the budget notifies it.
        """
        person = self.person()
        if person is not None:
            if not person.is_active:
                return False
            if person.sees_whole_company or alert.budget.team_id in person.visible_team_ids:
                return True
        elif self.user:
            return False
        addresses = {to.address for to in AddressBook([alert.budget]).addresses_of(alert.budget)}
        return (person.email.lower() if person else self.address.lower()) in addresses


def acknowledge_url(alert: Alert, address: str, user: int | None = None) -> str:
    token = signing.dumps([alert.pk, alert.reopened, address, user], salt=SALT)
    return absolute_url(reverse("budgets:acknowledge", args=[token]))


def read_acknowledge_link(token: str) -> AcknowledgeLink | None:
    """Who may acknowledge what by this link; None for one that is forged, damaged or too old."""
    # Links of mails that were sent before readers stood in them have three parts.
    parts = signed_parts(token, SALT, GOOD_FOR, (int, int, str))
    return AcknowledgeLink(*parts) if parts else None
