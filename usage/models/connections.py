"""Where inventories, metrics and recommendations are asked of a provider, with a role that only reads."""

import re

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.managers import OfCompanyQuerySet
from finops_site.translation import gettext_lazy as _lazy

MOST_ACCOUNTS, MOST_REGIONS = 200, 40
PARTS_OF_LIST = re.compile(r"[\s,;]+")
# What an account is called, and a region is written like, by provider.
ACCOUNT = {
    "aws": re.compile(r"\d{12}"),
    "azure": re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE),
    "google": re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
}
REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def listed(text: str) -> list[str]:
    """What is written one a line, or with commas between, each once."""
    return list(dict.fromkeys(filter(None, PARTS_OF_LIST.split(text))))


class Connection(models.Model):
    """A provider that is asked every day what there is. The secret stays in the credential.

    What an answer lacks is kept beside what it has (`parts`, and FactImport.unread): it is unknown, and not gone.
    """

    class Provider(models.TextChoices):
        AWS = "aws", "AWS"
        AZURE = "azure", "Azure"
        GOOGLE = "google", "Google Cloud"

    class State(models.TextChoices):
        NEVER = "", _lazy("not read yet")
        RUNNING = "running", _lazy("being read")
        DONE = "done", _lazy("read")
        PARTLY = "partly", _lazy("read in part")
        FAILED = "failed", _lazy("not read")

    name = models.CharField(_lazy("name"), max_length=100, unique=True)
    provider = models.CharField(_lazy("provider"), max_length=10, choices=Provider, default=Provider.AWS)
    credential = models.ForeignKey(
        "costs.Credential",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_lazy("credential"),
        help_text=_lazy("Written by an administrator: a role that only reads, or a secret that is never shown."),
    )
    accounts = models.TextField(
        _lazy("accounts"),
        blank=True,
        help_text=_lazy(
            "One a line. At AWS each has a role of the same name as the credential's; empty: its own account alone. "
            "At Azure they are subscriptions, at Google Cloud projects."
        ),
    )
    regions = models.CharField(
        _lazy("regions"), max_length=600, blank=True, help_text=_lazy("Empty: all that are enabled in the account.")
    )
    endpoint = models.CharField(
        max_length=300, blank=True, help_text=_lazy("Other addresses are allowed by the machine's administrator.")
    )
    with_metrics = models.BooleanField(
        _lazy("read metrics"),
        default=True,
        help_text=_lazy("AWS charges about 0.01 USD for each 1,000 metrics; a machine has four."),
    )
    with_advice = models.BooleanField(_lazy("read the provider's recommendations"), default=True)
    is_enabled = models.BooleanField(_lazy("read it every day"), default=True)
    state = models.CharField(
        _lazy("state"), max_length=10, choices=State, default=State.NEVER, blank=True, editable=False
    )
    message = models.TextField(blank=True, editable=False)
    parts = models.JSONField(default=list, editable=False, help_text="[{part, rows, problems}] of the newest reading")
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    read_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OfCompanyQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("connection")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("usage:connection", args=[self.pk])

    @property
    def account_list(self) -> list[str]:
        return listed(self.accounts)

    @property
    def region_list(self) -> list[str]:
        return listed(self.regions)

    def clean(self) -> None:
        """What cannot be an account or a region is refused before anything is asked: it becomes part of an address."""
        problems = {}
        form = ACCOUNT.get(self.provider)
        if form and (wrong := [name for name in self.account_list if not form.fullmatch(name)]):
            problems["accounts"] = _("{name} is no account of {provider}.").format(
                name=wrong[0][:80], provider=self.get_provider_display()
            )
        if wrong := [name for name in self.region_list if not REGION.fullmatch(name)]:
            problems["regions"] = _("{name} is no region: write it like eu-central-1.").format(name=wrong[0][:80])
        if len(self.account_list) > MOST_ACCOUNTS or len(self.region_list) > MOST_REGIONS:
            problems["accounts"] = _("A connection has {accounts} accounts and {regions} regions at most.").format(
                accounts=MOST_ACCOUNTS, regions=MOST_REGIONS
            )
        has_role = self.credential is not None and bool(self.credential.role_arn)
        if self.provider == self.Provider.AWS and self.account_list and not has_role:
            problems.setdefault("accounts", _("For other accounts the credential needs a role."))
        if self.provider != self.Provider.AWS and not self.account_list:
            problems["accounts"] = _("Name at least one.")
        if problems:
            raise ValidationError(problems)
