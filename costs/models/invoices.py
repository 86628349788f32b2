"""Invoices as providers send them, what the books had when somebody signed, and what charges sum to by invoice."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.calc.invoices import AccountMonth, SignedFigures, Tolerance, rounding_tolerance
from costs.models.deliveries import DeliveryMonth, Source
from costs.models.lines import money
from finops_site.lib.periods import month_text
from finops_site.lib.person import Person
from finops_site.translation import gettext_lazy as _lazy


class InvoiceQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "InvoiceQuerySet":
        """Invoices are about the whole company."""
        return self if user.sees_whole_company else self.none()


class Invoice(models.Model):
    """A provider's invoice for a billing account and month, and what finance says about it."""

    issuer = models.CharField(
        max_length=200, blank=True, help_text=_lazy("Who sends the invoice, as it is written there.")
    )
    billing_account = models.CharField(
        max_length=200, blank=True, help_text=_lazy("As the bill has it; empty where bills name none.")
    )
    billing_month = models.DateField(_lazy("billing month"))
    currency = models.CharField(max_length=10)
    invoice_id = models.CharField(
        _lazy("invoice id"),
        max_length=200,
        blank=True,
        help_text=_lazy("Needed where an account gets several invoices a month."),
    )
    total = money(_lazy("What is to be paid, tax included."))
    tax = money(_lazy("The part of it that is tax, for bills that leave tax out."), null=True, blank=True)
    issued_on = models.DateField(null=True, blank=True)
    source = models.ForeignKey(
        Source, models.SET_NULL, null=True, blank=True, help_text=_lazy("Which source brings this account's bills.")
    )
    received_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    received_at = models.DateTimeField(default=timezone.now, editable=False)
    tolerance_amount = money(
        _lazy("How far it may be from the books; empty: as the site is set."), null=True, blank=True
    )
    tolerance_percent = models.DecimalField(
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_lazy("The same in per cent of the invoice; the larger of the two counts."),
    )
    explanation = models.TextField(max_length=2000, blank=True, help_text=_lazy("Why it differs from the books."))
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    signed_at = models.DateTimeField(null=True, editable=False)
    signed_invoiced = money(_lazy("what was compared when it was signed off"), null=True, editable=False)
    signed_books = money(_lazy("what the books had then; null: nothing"), null=True, editable=False)
    reopened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    reopened_at = models.DateTimeField(null=True, editable=False)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-billing_month", "billing_account", "currency", "invoice_id"]
        permissions = [("sign_off_invoice", "Can sign off invoices, and open them again")]
        constraints = [
            models.UniqueConstraint(
                fields=["billing_account", "billing_month", "currency", "invoice_id"],
                name="invoice_once",
                violation_error_message="This account has an invoice of this month, currency and id already.",
            )
        ]
        indexes = [models.Index(fields=["billing_month"], name="invoice_month")]

    def __str__(self) -> str:
        name = self.invoice_id or self.issuer or self.billing_account or "invoice"
        return _("{name} of {month}").format(name=name, month=month_text(self.billing_month))

    def get_absolute_url(self) -> str:
        return reverse("costs:invoice", args=[self.pk])

    @property
    def account_month(self) -> AccountMonth:
        return AccountMonth(self.billing_account, self.billing_month, self.currency)

    @property
    def tolerance(self) -> Tolerance:
        """Its own, else the site's."""
        amount, percent = self.tolerance_amount, self.tolerance_percent
        if amount is None and percent is None:
            usual = rounding_tolerance(settings.FINOPS_INVOICE_TOLERANCE, self.currency)
            return Tolerance(usual, settings.FINOPS_INVOICE_TOLERANCE_PERCENT)
        return Tolerance(amount or Decimal(0), percent or Decimal(0))

    @property
    def is_signed(self) -> bool:
        return self.signed_at is not None

    @property
    def signed_figures(self) -> SignedFigures | None:
        """Both sides as they were signed; None while it is open."""
        if self.signed_at is None or self.signed_invoiced is None:
            return None
        return SignedFigures(self.signed_invoiced, self.signed_books)


class InvoiceFile(models.Model):
    """The invoice itself, a PDF as a rule, as it came."""

    MOST_BYTES = 10 << 20

    invoice = models.OneToOneField(Invoice, models.CASCADE, related_name="file")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.name


class InvoiceCost(models.Model):
    """Billed cost of a month's charges by the invoice they name, summed from the charges as they are loaded.

    An empty `invoice_id` stands for charges that name none.
    """

    delivery_month = models.ForeignKey(DeliveryMonth, models.CASCADE, db_constraint=False)
    billing_month = models.DateField()
    billing_account = models.CharField(max_length=200, blank=True)
    currency = models.CharField(max_length=10)
    invoice_id = models.CharField(max_length=200, blank=True)
    issuer = models.CharField(max_length=200, blank=True)
    billed_cost = money(_lazy("null where the bill has no billed cost"), null=True)
    tax = money(_lazy("the part of it whose category is tax; null where no charge is"), null=True)
    charges = models.BigIntegerField()
    last_day = models.DateField(null=True, help_text=_lazy("the last charge day"))

    class Meta:
        indexes = [models.Index(fields=["billing_month"], name="invoice_cost_month")]

    def __str__(self) -> str:
        return f"{self.billing_account} {self.invoice_id}: {self.billed_cost} {self.currency}"
