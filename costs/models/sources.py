"""What a source needs to fetch bills: credentials, and what it fetched last."""

import json
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.credential_box import credential_box
from finops_site.translation import gettext_lazy as _lazy


class Credential(models.Model):
    """How to be let in: by the machine's own identity, by a role, or by a secret that is kept encrypted.

    The secret is written and never shown: not in a page, not in the API, not in a log.
    """

    name = models.CharField(max_length=100, unique=True)
    role_arn = models.CharField(_lazy("AWS role"), max_length=600, blank=True, help_text=_lazy("assumed through STS"))
    external_id = models.CharField(max_length=200, blank=True, help_text=_lazy("what the role's trust policy asks for"))
    sealed = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Credential {self.name}>"

    @property
    def has_secret(self) -> bool:
        return bool(self.sealed)

    def seal(self, secret: dict[str, str]) -> None:
        """Keeps the secret encrypted; an empty one forgets it. The credential is not saved yet."""
        box = credential_box(settings.FINOPS_CREDENTIAL_KEYS)
        self.sealed = box.encrypt(json.dumps(secret).encode()).decode() if secret else ""

    def secret(self) -> dict[str, str]:
        """The secret in the clear, for the moment of a connection; raises ValidationError when its key is gone."""
        if not self.sealed:
            return {}
        try:
            return json.loads(credential_box(settings.FINOPS_CREDENTIAL_KEYS).decrypt(self.sealed.encode()))
        except InvalidToken:
            raise ValidationError(
                _("The secret of {name} was encrypted with another key: enter it again.").format(name=self.name)
            ) from None


class FetchedBill(models.Model):
    """The version of a delivery that was last fetched from a source, so that only what changed is fetched again."""

    source = models.ForeignKey("costs.Source", models.CASCADE, related_name="fetched")
    name = models.CharField(max_length=1000, help_text=_lazy("the bill's place: the same for each of its versions"))
    mark = models.CharField(max_length=64, help_text=_lazy("sha256 over keys, ETags and sizes"))
    delivery = models.ForeignKey("costs.Delivery", models.SET_NULL, null=True, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "costs_fetched"
        ordering = ["source", "name"]
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="fetched_once")]

    def __str__(self) -> str:
        return f"{self.source}: {self.name}"


def parse_secret(text: str) -> dict[str, Any]:
    """The JSON object of texts that somebody pasted as a secret; raises ValidationError."""
    try:
        secret = json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationError(_('Paste a JSON object, like {"access_key_id": …, "secret_access_key": …}.')) from None
    if not isinstance(secret, dict):
        raise ValidationError(_("Paste a JSON object."))
    return secret
