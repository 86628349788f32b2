"""Passwords that whoever knows the company would try first are refused."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from finops_site.models import Team
from finops_site.people.company import company_name

# Of the product and of what it is about.
WORDS = ("finops", "password", "passwort", "welcome", "willkommen", "bienvenue", "cloud", "billing", "budget", "admin")
SHORTEST = 4


class OfThisCompany:
    """Refuses a password that is nothing but words of the company or the product, with digits and marks around them."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raises ValidationError; what is left beside the words must be as long as a word that nobody guesses."""
        left = re.sub(r"[\W\d_]", "", password.lower())
        for word in sorted(self._words(), key=len, reverse=True):
            left = left.replace(word, "")
        if len(left) < SHORTEST:
            raise ValidationError(self.get_help_text(), code="password_of_this_company")

    def get_help_text(self) -> str:
        return _("Your password can\u2019t be made of the name of the company, of a team or of the product alone.")

    def _words(self) -> Iterator[str]:
        host = urlsplit(settings.SITE_URL).hostname or ""
        names = [*WORDS, company_name(), *host.split("."), *Team.objects.values_list("name", flat=True)[:1000]]
        for name in names:
            words = re.findall(r"[^\W\d_]+", name.lower())
            yield from (word for word in [*words, "".join(words)] if len(word) >= SHORTEST)
