"""Billing months of chargeback, splits of pools, the statements of teams, and disputes about them."""

import re
from decimal import Decimal
from typing import cast

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from costs.models.lines import money
from finops_site.lib.locale_format import percent_figure
from finops_site.lib.periods import Month, day_text, month_text
from finops_site.lib.person import Person
from finops_site.lib.words import in_sentence
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import pool_splits

# ``, 2026-03`` at the end of the label of a correction or an adjustment; of several months for one of another.
OF_MONTHS = re.compile(r"(, \d{4}-\d{2})+\Z")


class ChargebackPeriodQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "ChargebackPeriodQuerySet":
        """Everybody may see which months are charged back; a team's statements are its own."""
        return self

    def closed(self) -> "ChargebackPeriodQuerySet":
        return self.filter(state=ChargebackPeriod.State.CLOSED)

    def draft(self) -> "ChargebackPeriodQuerySet":
        return self.filter(state=ChargebackPeriod.State.DRAFT)

    def in_turn(self) -> "ChargebackPeriodQuerySet":
        """The months that are charged: closed ones and drafts, without those that finance has set aside."""
        return self.exclude(state=ChargebackPeriod.State.ASIDE)

    def closed_months(self) -> set[Month]:
        """The billing months whose statements are final: they are never reallocated."""
        return {Month.of(day) for day in self.closed().values_list("billing_month", flat=True)}


class ChargebackPeriod(models.Model):
    """A billing month of chargeback: a draft until finance closes it, or sets it aside.

    `basis` and `discounts` are properties of the month, fixed when it is closed. A closed month is never opened again:
    what changes later is booked as corrections in the month that is open. A month before chargeback began may be set
    aside: nobody is charged for it, and it can be taken back.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _lazy("Draft")
        CLOSED = "closed", _lazy("Closed")
        ASIDE = "aside", _lazy("Set aside")

    class Basis(models.TextChoices):
        BILLED = "billed_cost", _lazy("Billed cost")
        EFFECTIVE = "effective_cost", _lazy("Effective cost")

    class Discounts(models.TextChoices):
        USED = "used", _lazy("with the team that used them")
        SPREAD = "spread", _lazy("spread over all teams that use the service")

    billing_month = models.DateField(unique=True, help_text=_lazy("first day of the month it is invoiced in"))
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    basis = models.CharField(max_length=20, choices=Basis.choices, default=Basis.BILLED)
    discounts = models.CharField(
        _lazy("discounts of commitments"), max_length=10, choices=Discounts.choices, default=Discounts.USED
    )
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text=_lazy("hash of the bills, splits and metrics that it was computed from"),
    )
    problems = models.JSONField(
        default=list, blank=True, editable=False, help_text=_lazy("[text] that a person must know")
    )
    known = models.JSONField(
        null=True,
        editable=False,
        encoder=DjangoJSONEncoder,
        help_text=_lazy("what the bills knew of it when it was closed (costs.query.known_until.KnownDays)"),
    )
    computed_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    set_aside_at = models.DateTimeField(null=True, blank=True)
    set_aside_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    objects = ChargebackPeriodQuerySet.as_manager()

    class Meta:
        ordering = ["-billing_month"]
        permissions = [("close_chargebackperiod", "May close a month of chargeback")]

    def __str__(self) -> str:
        return f"{Month.of(self.billing_month)}, {in_sentence(self.get_state_display())}"

    def get_absolute_url(self) -> str:
        return reverse("tagging:chargeback_month", args=[str(self.month)])

    @property
    def month(self) -> Month:
        return Month.of(self.billing_month)

    @property
    def is_closed(self) -> bool:
        return self.state == self.State.CLOSED

    @property
    def is_draft(self) -> bool:
        return self.state == self.State.DRAFT

    @property
    def is_set_aside(self) -> bool:
        return self.state == self.State.ASIDE


class SplitQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "SplitQuerySet":
        """Everybody may see how shared cost is split: all teams take shares of it."""
        return self

    def in_month(self, month: Month) -> "SplitQuerySet":
        """The splits that hold in a billing month: at most one for each pool."""
        begun = self.filter(models.Q(start=None) | models.Q(start__lte=month.start))
        return begun.filter(models.Q(end=None) | models.Q(end__gt=month.start))

    def with_parts(self) -> "SplitQuerySet":
        return self.select_related("pool", "metric").prefetch_related("parts__team", "parts__into")


class Split(models.Model):
    """How a pool is split in the billing months from `start` up to, not including, `end`."""

    class Method(models.TextChoices):
        EVEN = pool_splits.EVEN, _lazy("evenly")
        FIXED = pool_splits.FIXED, _lazy("by fixed shares")
        DIRECT = pool_splits.DIRECT, _lazy("in proportion to direct cost")
        METRIC = pool_splits.METRIC, _lazy("by a usage metric")

    pool = models.ForeignKey("costs.Pool", models.PROTECT, related_name="splits")
    method = models.CharField(max_length=10, choices=Method.choices, default=Method.DIRECT)
    metric = models.ForeignKey(
        "tagging.Metric",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="splits",
        help_text=_lazy("Of each team's usage."),
    )
    start = models.DateField(
        _lazy("from"), null=True, blank=True, help_text=_lazy("First billing month; empty: always.")
    )
    end = models.DateField(
        _lazy("until"), null=True, blank=True, help_text=_lazy("First billing month it no longer holds.")
    )
    version = models.PositiveIntegerField(default=1, editable=False, help_text=_lazy("how often it was saved"))

    objects = SplitQuerySet.as_manager()

    class Meta:
        ordering = ["pool__name", models.F("start").desc(nulls_last=True), "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end__gt=models.F("start")),
                name="split_ends_after_it_starts",
                violation_error_message=_lazy("A split must hold for at least one month: until is after from."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pool}, {self.get_method_display()}"

    def get_absolute_url(self) -> str:
        return reverse("tagging:splits")

    @property
    def is_changed_by_hand(self) -> bool:
        return self.version > 1

    def as_rule(self) -> pool_splits.SplitRule:
        """The split as the arithmetic takes it. Raises pool_splits.BadSplit when it cannot be followed."""
        return pool_splits.SplitRule(
            self.pool_id, self.method, self.parts_by_party(), self.metric.name if self.metric else ""
        )

    def parts_by_party(self) -> dict[pool_splits.Party, Decimal | None]:
        """{team or pool that takes part: its percentage, where shares are fixed}."""
        return {part.party: part.share for part in self.parts.all()}


class SplitPart(models.Model):
    """A team or another pool that takes part in a split; with its percentage where shares are fixed."""

    split = models.ForeignKey(Split, models.CASCADE, related_name="parts")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="+")
    into = models.ForeignKey("costs.Pool", models.PROTECT, null=True, blank=True, related_name="fed_by")
    share = models.DecimalField(_lazy("percent"), max_digits=12, decimal_places=9, null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(team__isnull=True) ^ models.Q(into__isnull=True), name="part_is_team_or_pool"
            ),
            models.UniqueConstraint(fields=["split", "team"], name="team_takes_part_once"),
            models.UniqueConstraint(fields=["split", "into"], name="pool_takes_part_once"),
        ]

    def __str__(self) -> str:
        share = "" if self.share is None else f" {percent_figure(f'{self.share.normalize():f}')}"
        return f"{self.team or self.into}{share}"

    @property
    def party(self) -> pool_splits.Party:
        # A part without a team has a pool: part_is_team_or_pool.
        return pool_splits.team(self.team_id) if self.team_id else pool_splits.pool(cast(int, self.into_id))


class Allocation(models.Model):
    """The share of a pool's cost on one charge day of a team, of another pool, or (neither) that nobody can take.

    Without a pool it is what spreading the discounts of commitments moves to a team (zero in sum). Money in both views.
    """

    billing_month = models.DateField()
    day = models.DateField(_lazy("charge day"))
    pool = models.ForeignKey("costs.Pool", models.PROTECT, null=True, related_name="allocations")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, related_name="+")
    into = models.ForeignKey("costs.Pool", models.PROTECT, null=True, related_name="+")
    currency = models.CharField(max_length=10)
    billed_cost = money()
    effective_cost = money()

    class Meta:
        ordering = ["billing_month", "day", "pk"]
        indexes = [models.Index(fields=["billing_month", "team"], name="allocation_month_team")]

    def __str__(self) -> str:
        return f"{self.pool} {day_text(self.day)}: {self.billed_cost} {self.currency}"


class MonthTotal(models.Model):
    """The equation of a month in one currency, on its basis: bill = direct + shared + unallocated + unowned.

    `corrections` and `given_back` are booked on top: differences of months closed before, and what a dispute moved back
    to nobody. The `document_...` amounts are the same in whole cents, as every page and file shows them
    (calc/rounded_sets.py): they sum too, with `document_rounding` for months that were closed before that held.
    """

    period = models.ForeignKey(ChargebackPeriod, models.CASCADE, related_name="totals")
    currency = models.CharField(max_length=10)
    bill = money()
    direct = money()
    shared = money(_lazy("taken by teams"))
    unallocated = money(_lazy("in pools that nobody can take"))
    unowned = money()
    corrections = money(_lazy("of months closed before"), default=0)
    given_back = money(_lazy("moved from teams to nobody"), default=0)
    document_bill = money(default=0)
    document_direct = money(default=0)
    document_shared = money(default=0)
    document_unallocated = money(default=0)
    document_unowned = money(default=0)
    document_corrections = money(default=0)
    document_given_back = money(default=0)
    document_rounding = money(_lazy("bill less its parts: zero since the parts are rounded together"), default=0)

    class Meta:
        ordering = ["currency"]
        constraints = [models.UniqueConstraint(fields=["period", "currency"], name="one_month_total_per_currency")]

    def __str__(self) -> str:
        return f"{self.period}: {self.bill} {self.currency}"


class StatementQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "StatementQuerySet":
        """Everything, or the statements of her teams and the teams below them."""
        return self if user.sees_whole_company else self.filter(team__in=user.visible_team_ids)


class Statement(models.Model):
    """A team's chargeback of a billing month in one currency. Closed ones are never edited.

    The `document_...` amounts are what the document states, and the journal books: in whole cents, rounded together
    with all statements of the month so that they sum to its bill (calc/rounded_sets.py).
    """

    period = models.ForeignKey(ChargebackPeriod, models.PROTECT, related_name="statements")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="statements")
    currency = models.CharField(max_length=10)
    number = models.CharField(max_length=20, unique=True, null=True, blank=True)
    team_name = models.CharField(max_length=100, help_text=_lazy("as it was called when the month was closed"))
    cost_center = models.CharField(max_length=50, blank=True)
    direct = money(default=0)
    shared = money(default=0)
    spread = money(_lazy("moved by spreading the discounts of commitments"), default=0)
    corrections = money(default=0)
    adjustments = money(default=0)
    total = money(default=0)
    document_direct = money(default=0)
    document_shared = money(default=0)
    document_spread = money(default=0)
    document_corrections = money(default=0)
    document_adjustments = money(default=0)
    document_total = money(_lazy("what the team is charged, in whole cents"), default=0)
    figures = models.JSONField(
        null=True,
        editable=False,
        encoder=DjangoJSONEncoder,
        help_text=_lazy(
            "what its page and PDF show beside its lines, frozen when it was closed (statement_figures.py)"
        ),
    )
    notified_at = models.DateTimeField(
        null=True, blank=True, help_text=_lazy("when the emails to its leads were written")
    )

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-period__billing_month", "team_name", "currency"]
        constraints = [
            models.UniqueConstraint(fields=["period", "team", "currency"], name="one_statement_per_team_and_currency")
        ]

    def __str__(self) -> str:
        if self.number:
            return _("{team}, statement {number}").format(team=self.team_name, number=self.number)
        return _("{team}, draft of {month}").format(team=self.team_name, month=month_text(self.period.month, "long"))

    def get_absolute_url(self) -> str:
        return reverse("tagging:statement", args=[str(self.period.month), self.team_id])

    @property
    def basis(self) -> str:
        return self.period.basis

    @property
    def is_closed(self) -> bool:
        return self.period.is_closed


class StatementDocument(models.Model):
    """The PDF of a team's closed statements of one month, one for each currency: made once, and the same ever after."""

    period = models.ForeignKey(ChargebackPeriod, models.PROTECT, related_name="documents")
    team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="+")
    content = models.BinaryField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["period", "team"], name="one_document_per_team_and_month")]

    def __str__(self) -> str:
        return _("statement of {team}, {month}").format(team=self.team, month=month_text(self.period.month, "long"))


class StatementLine(models.Model):
    """One amount of a statement, and the formula that it comes from, in words."""

    class Kind(models.TextChoices):
        DIRECT = "direct", _lazy("Direct")
        SHARED = "shared", _lazy("Shared")
        SPREAD = "spread", _lazy("Spread discounts")
        CORRECTION = "correction", _lazy("Correction")
        ADJUSTMENT = "adjustment", _lazy("Adjustment")

    statement = models.ForeignKey(Statement, models.CASCADE, related_name="lines")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=400, help_text=_lazy("what it is, unique in its statement"))
    label = models.CharField(max_length=400)
    service = models.CharField(max_length=300, blank=True)
    pool = models.ForeignKey("costs.Pool", models.PROTECT, null=True, related_name="+")
    of_period = models.ForeignKey(
        ChargebackPeriod, models.PROTECT, null=True, related_name="+", help_text=_lazy("the month that it corrects")
    )
    corrects = models.ForeignKey(
        Statement,
        models.PROTECT,
        null=True,
        related_name="corrected_by",
        help_text=_lazy("the statement that it corrects"),
    )
    amount = money()
    document_amount = money(_lazy("in whole cents: the lines of a statement sum to it"), default=0)
    tax = money(null=True, help_text=_lazy("how much of the amount is tax; empty where it is not known"))
    formula = models.CharField(max_length=500, blank=True, help_text=_lazy("in words"))

    class Meta:
        ordering = ["statement", "kind", "-amount", "key"]
        constraints = [models.UniqueConstraint(fields=["statement", "key"], name="statement_line_once")]

    def __str__(self) -> str:
        return f"{self.label}: {self.amount}"

    @property
    def booked_as(self) -> str:
        """Its service, else its pool or what it is, as that was called when the line was written: renaming a pool
        changes no journal of a closed month.
        """
        is_own = self.kind not in (self.Kind.CORRECTION, self.Kind.ADJUSTMENT)
        # What is booked for another month names that month behind it.
        return self.service or (self.label if is_own else OF_MONTHS.sub("", self.label))

    @property
    def pool_name(self) -> str | None:
        return self.booked_as if self.pool_id else None


class DisputeQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "DisputeQuerySet":
        return self if user.sees_whole_company else self.filter(line__statement__team__in=user.visible_team_ids)

    def open(self) -> "DisputeQuerySet":
        return self.filter(state=Dispute.State.OPEN)

    def proposed(self) -> "DisputeQuerySet":
        """Those whose correcting entry waits for a second person."""
        return self.filter(state=Dispute.State.PROPOSED)

    def unresolved(self) -> "DisputeQuerySet":
        return self.filter(state__in=Dispute.UNRESOLVED)

    def with_statement(self) -> "DisputeQuerySet":
        return self.select_related(
            "line__statement__period", "line__statement__team", "raised_by", "resolved_by", "proposed_by", "proposed_to"
        )


class Dispute(models.Model):
    """A lead says that a line of a statement is wrong; finance answers or corrects. Both are kept.

    A correcting entry above the disputed line is proposed by one person and confirmed by another: until then its answer
    stands here, and nothing is booked.
    """

    class State(models.TextChoices):
        OPEN = "open", _lazy("Open")
        PROPOSED = "proposed", _lazy("Waits for a second person")
        ANSWERED = "answered", _lazy("Answered")
        CORRECTED = "corrected", _lazy("Corrected")

    UNRESOLVED = (State.OPEN, State.PROPOSED)

    line = models.ForeignKey(StatementLine, models.PROTECT, related_name="disputes")
    comment = models.TextField(max_length=4000)
    raised_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    raised_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    answer = models.TextField(max_length=4000, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    proposed_amount = money(_lazy("proposed correcting entry"), null=True)
    proposed_to = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="+")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    proposed_at = models.DateTimeField(null=True, blank=True)
    rejected_why = models.TextField(max_length=4000, blank=True, help_text=_lazy("why a second person did not confirm"))

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-raised_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["line"],
                condition=models.Q(state__in=["open", "proposed"]),
                name="one_unresolved_dispute_per_line",
                violation_error_message=_lazy("This line is disputed already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.line.statement}: {self.line.label}"

    def get_absolute_url(self) -> str:
        return reverse("tagging:dispute", args=[self.pk])


class Adjustment(models.Model):
    """A correcting entry by finance: an amount moved from a team's statement to another's, or back to nobody.

    It is booked in a month that was open; nothing is made or lost by it.
    """

    dispute = models.OneToOneField(Dispute, models.PROTECT, related_name="adjustment")
    period = models.ForeignKey(ChargebackPeriod, models.PROTECT, related_name="adjustments")
    from_team = models.ForeignKey("finops_site.Team", models.PROTECT, related_name="+")
    to_team = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, blank=True, related_name="+")
    currency = models.CharField(max_length=10)
    amount = money()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(to_team=models.F("from_team")),
                name="adjustment_moves_something",
                violation_error_message=_lazy("It must go to another team, or to nobody."),
            )
        ]

    def __str__(self) -> str:
        return _("{amount} {currency} from {from_team} to {to_team}").format(
            amount=self.amount, currency=self.currency, from_team=self.from_team, to_team=self.to_team or _("nobody")
        )


class StatementOpening(models.Model):
    """When somebody who leads a team first opened the statement of a closed month: its page, its PDF or its CSV."""

    period = models.ForeignKey(ChargebackPeriod, models.CASCADE, related_name="openings")
    team = models.ForeignKey("finops_site.Team", models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["period", "team", "user"], name="statement_opening_once")]

    def __str__(self) -> str:
        return f"{self.user} opened {self.team}, {self.period.month}"


class JournalAccount(models.Model):
    """The account codes that the journal books to, and what the ledger that reads it wants; one row."""

    expense = models.CharField(
        _lazy("cost centres' account"), max_length=50, default="6100", help_text=_lazy("debited")
    )
    clearing = models.CharField(_lazy("clearing account"), max_length=50, default="2990", help_text=_lazy("credited"))
    accrued = models.CharField(
        _lazy("accruals account"),
        max_length=50,
        default="2980",
        help_text=_lazy("Credited by the accruals of a month not closed."),
    )
    tax = models.CharField(
        _lazy("tax account"),
        max_length=50,
        blank=True,
        help_text=_lazy("Debited for tax. Empty: the cost centres' account."),
    )
    rounding = models.CharField(
        _lazy("rounding account"),
        max_length=50,
        blank=True,
        help_text=_lazy("For cents. Empty: the cost centres' account."),
    )
    unowned_center = models.CharField(
        _lazy("cost centre of what nobody owns"), max_length=50, blank=True, help_text=_lazy("Empty: it is not booked.")
    )
    services = models.JSONField(default=dict, blank=True, help_text=_lazy("{service or pool: its account}"))
    dynamics_journal = models.CharField(
        _lazy("journal name in Dynamics 365"),
        max_length=50,
        default="GenJrn",
        help_text=_lazy("The column JOURNALNAME."),
    )
    dynamics_account = models.CharField(
        _lazy("account in Dynamics 365"),
        max_length=100,
        default="{account}-{cost_center}",
        help_text=_lazy("In the order of its ledger dimension format, like {account}---{cost_center}."),
    )

    def __str__(self) -> str:
        return f"{self.expense} / {self.clearing}"
