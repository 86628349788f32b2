"""The cost line, which every pillar stands on, and what is derived from it."""

from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from costs.models.deliveries import DeliveryMonth
from costs.querysets import AccountGroupQuerySet, CostQuerySet, PoolQuerySet, hash_of
from finops_site.lib.periods import day_text
from finops_site.translation import gettext_lazy as _lazy


def money(help_text: str = "", **options: Any) -> models.DecimalField:
    """A stored amount: 18 decimals, its currency in the row's `currency`."""
    return models.DecimalField(max_digits=38, decimal_places=18, help_text=help_text, **options)


class TagSet(models.Model):
    """A distinct map of tags, kept once however many lines carry it."""

    fingerprint = models.CharField(max_length=32, unique=True, help_text=_lazy("md5 of the canonical JSON"))
    tags = models.JSONField(
        default=dict, help_text=_lazy("what counts: as delivered, with our virtual tags laid over it")
    )
    delivered = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        db_index=False,
        help_text=_lazy("the set as the bill has it; null: this is it"),
    )
    virtual = models.JSONField(default=dict, help_text=_lazy("{key: value} that we set and the bill does not have"))

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in sorted(self.tags.items())) or _("no tags")

    @property
    def as_delivered(self) -> dict[str, str | None]:
        """The tags as the bill has them, without ours."""
        return self.delivered.tags if self.delivered else self.tags


class Pool(models.Model):
    """Cost that several teams share: support, tax, a shared cluster. How it is split among them is chargeback's."""

    name = models.CharField(max_length=200, unique=True)
    description = models.CharField(
        max_length=500, blank=True, help_text=_lazy("What is in it, and why nobody owns it alone.")
    )

    objects = PoolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AccountGroup(models.Model):
    """Accounts that people look at together: an organisational unit, a customer, a landing zone."""

    name = models.CharField(max_length=200, unique=True)
    description = models.CharField(max_length=500, blank=True, help_text=_lazy("What its accounts have in common."))

    objects = AccountGroupQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class GroupedAccount(models.Model):
    """An account in the one group that it is in, so that groups sum to the bill."""

    group = models.ForeignKey(AccountGroup, models.CASCADE, related_name="accounts")
    account = models.CharField(max_length=200, unique=True, help_text=_lazy("its id, as bills have it"))

    class Meta:
        ordering = ["account"]

    def __str__(self) -> str:
        return self.account


class Cost(models.Model):
    """What lines and rollups share. Sums are per currency; billed and effective are views of the same money.

    Every row is one of direct (`owner`), shared (`pool`) and unowned (neither); never both.
    """

    delivery_month = models.ForeignKey(DeliveryMonth, models.CASCADE, db_constraint=False, db_index=False)
    billing_month = models.DateField(_lazy("billing month"), help_text=_lazy("when it is invoiced"))
    provider = models.CharField(max_length=200, blank=True)
    billing_account = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField("account", max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    charge_category = models.CharField("category", max_length=40, blank=True)
    owner = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, db_constraint=False, db_index=False)
    pool = models.ForeignKey(Pool, models.PROTECT, null=True, db_constraint=False, db_index=False)
    currency = models.CharField(max_length=10)
    billed_cost = money(_lazy("on the invoice; null where a bill carries the amortised view alone"), null=True)
    effective_cost = money(_lazy("amortised over the term of what was bought"), null=True)
    list_cost = money(_lazy("at public on-demand prices"), null=True)
    contracted_cost = money(_lazy("at negotiated prices, before commitments"), null=True)
    charges = models.BigIntegerField(help_text=_lazy("how many rows of the bill it sums"))

    objects = CostQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.service or self.charge_category}, {self.billed_cost} {self.currency}"


class CostLine(Cost):
    """The charges of a delivery summed per day, account, service, region, resource, tags, category and commitment.

    The table is partitioned by the month of `charge_date`, and within it by `own_table`: big deliveries have a table of
    their own (`costs/ingest/partitions.py`). `id` is unique because one sequence hands it out.
    """

    id = models.BigAutoField(primary_key=True)
    own_table = models.BigIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text=_lazy("the delivery month whose own table holds the line; 0: the shared table"),
    )
    charge_date = models.DateField(_lazy("charge day"), help_text=_lazy("when it was used, UTC"))
    service_category = models.CharField(max_length=200, blank=True)
    service_subcategory = models.CharField(max_length=200, blank=True, default="", db_default="")
    region = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=2000, blank=True)
    resource_name = models.CharField(max_length=1000, blank=True)
    resource_type = models.CharField(max_length=300, blank=True)
    instance_type = models.CharField(max_length=100, blank=True)
    sku = models.CharField(max_length=300, blank=True, help_text=_lazy("empty where several were summed"))
    charge_class = models.CharField(max_length=40, blank=True)
    charge_description = models.CharField(max_length=1000, blank=True)
    pricing_category = models.CharField(max_length=40, blank=True)
    commitment = models.CharField(max_length=1000, blank=True)
    commitment_status = models.CharField(max_length=40, blank=True)
    invoice_issuer = models.CharField(max_length=200, blank=True, default="", db_default="")
    tag_set = models.ForeignKey(TagSet, models.PROTECT, db_constraint=False, db_index=False)
    owner_rule = models.CharField(max_length=200, blank=True, help_text=_lazy("which rule named the owner or the pool"))
    quantity = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    unit = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["-charge_date", "-id"]
        permissions = [("view_company", "May see the cost of every team")]

    def __str__(self) -> str:
        return f"{day_text(self.charge_date)} {self.service} {self.resource_name or self.resource}".strip()


class MonthRollup(Cost):
    """Throw-away sums per charge month, for pages that look at a year. Rebuilt from cost lines."""

    charge_month = models.DateField(help_text=_lazy("first day of the month of use"))
    service_category = models.CharField(max_length=200, blank=True)
    service_subcategory = models.CharField(max_length=200, blank=True, default="", db_default="")
    region = models.CharField(max_length=200, blank=True)
    invoice_issuer = models.CharField(max_length=200, blank=True, default="", db_default="")
    tag_set = models.ForeignKey(TagSet, models.PROTECT, db_constraint=False, db_index=False)
    owner_rule = models.CharField(max_length=200, blank=True, help_text=_lazy("which rule named the owner or the pool"))

    class Meta:
        indexes = [
            models.Index(fields=["charge_month", "owner"], name="month_rollup_owner"),
            models.Index(fields=["delivery_month"], name="month_rollup_delivery"),
        ]


class ResourceRollup(Cost):
    """Throw-away sums per charge month and resource: who is found and ranked among them. Rebuilt from cost lines."""

    charge_month = models.DateField(help_text=_lazy("first day of the month of use"))
    service_category = models.CharField(max_length=200, blank=True)
    service_subcategory = models.CharField(max_length=200, blank=True, default="", db_default="")
    region = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=2000, blank=True)
    resource_name = models.CharField(max_length=1000, blank=True)
    invoice_issuer = models.CharField(max_length=200, blank=True, default="", db_default="")
    tag_set = models.ForeignKey(TagSet, models.PROTECT, db_constraint=False, db_index=False)
    owner_rule = models.CharField(max_length=200, blank=True, help_text=_lazy("which rule named the owner or the pool"))

    class Meta:
        indexes = [
            models.Index(fields=["charge_month", "owner"], name="resource_rollup_owner"),
            models.Index(fields=["delivery_month"], name="resource_rollup_delivery"),
            models.Index(hash_of(models.F("resource")), name="resource_rollup_resource"),
        ]


class DayRollup(Cost):
    """Throw-away sums per charge day, for trends and budgets. Rebuilt from cost lines."""

    charge_date = models.DateField(_lazy("charge day"))
    region = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["charge_date", "owner"], name="day_rollup_owner"),
            models.Index(fields=["delivery_month"], name="day_rollup_delivery"),
        ]


class Dimension(models.Model):
    """A value that occurs in the cost lines, for drop-downs: distinct over lines would take seconds."""

    name = models.CharField(max_length=40, help_text=_lazy("the cost line's field, or tag:<key>"))
    value = models.CharField(max_length=2000)
    label = models.CharField(max_length=2000, blank=True, help_text=_lazy("what people call it"))

    class Meta:
        ordering = ["name", "value"]
        constraints = [models.UniqueConstraint(fields=["name", "value"], name="dimension_value_once")]

    def __str__(self) -> str:
        return self.label or self.value
