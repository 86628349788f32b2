"""The tags that resources should carry, and the resources of each month with what is wrong with their tags."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.models.lines import TagSet, money
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import labelled, number_text
from finops_site.translation import gettext_lazy as _lazy
from tagging.calc import policy_problems
from tagging.calc.tag_policy import MOST_KEY, CaseRule, Policy, Requirement, State


class TagRequirementQuerySet(models.QuerySet["TagRequirement"]):
    def visible_to(self, user: Person) -> "TagRequirementQuerySet":
        """The policy is everybody's to read: people are asked to follow it."""
        return self

    def as_policy(self) -> Policy:
        """All of it, past and future rules too; `Policy.on` picks those of a day."""
        return Policy(tuple(row.as_requirement() for row in self.order_by("order", "pk")))

    def key_aliases(self) -> dict[str, set[str]]:
        """{tag in lower case: every key, in lower case, that means it}: the cost explorer groups by it."""
        return self.as_policy().aliases()

    def value_meanings(self) -> dict[str, dict[str, str]]:
        """{tag in lower case: {a value as it is compared: what it means}}, for the explorer and ownership rules."""
        return self.as_policy().meanings()


class TagRequirement(models.Model):
    """One tag of the policy: its keys, what values it may have, which resources need it and from when."""

    class Case(models.TextChoices):
        IGNORE = CaseRule.IGNORE.value, _lazy("capitals do not count")
        EXACT = CaseRule.EXACT.value, _lazy("exactly as written here")
        LOWER = CaseRule.LOWER.value, _lazy("small letters only")

    key = models.CharField(max_length=MOST_KEY, help_text=_lazy("As it should be written on a resource."))
    is_required = models.BooleanField(
        _lazy("required"),
        default=True,
        help_text=_lazy("A resource without it does not comply; an optional tag is only reported."),
    )
    description = models.CharField(
        max_length=500, blank=True, help_text=_lazy("What people should write, in a sentence.")
    )
    allowed_values = models.JSONField(
        default=list, blank=True, help_text=_lazy("Any value will do where none is listed.")
    )
    pattern = models.CharField(
        max_length=policy_problems.MOST_PATTERN,
        blank=True,
        help_text=_lazy("A regular expression (RE2) the whole value must match."),
    )
    key_aliases = models.JSONField(default=list, blank=True, help_text=_lazy("Other keys that mean this tag."))
    value_aliases = models.JSONField(default=dict, blank=True, help_text=_lazy("{what people write: what it means}"))
    case_rule = models.CharField(_lazy("capitals in values"), max_length=10, choices=Case, default=Case.IGNORE)
    providers = models.JSONField(default=list, blank=True)
    services = models.JSONField(default=list, blank=True)
    resource_types = models.JSONField(default=list, blank=True)
    starts_on = models.DateField(
        _lazy("from"),
        null=True,
        blank=True,
        help_text=_lazy("Months that end before this day do not ask for it. Empty: always."),
    )
    ends_on = models.DateField(
        _lazy("until"), null=True, blank=True, help_text=_lazy("Not including this day. Empty: for good.")
    )
    order = models.PositiveIntegerField(default=100, help_text=_lazy("Lower numbers are shown first."))

    objects = TagRequirementQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("tag rule")
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return self.key

    def get_absolute_url(self) -> str:
        return reverse("tagging:policy")

    def clean(self) -> None:
        """Raises ValidationError for what cannot work by itself or beside the other rules."""
        # What the pure policy calls a field -> what the model calls it.
        fields = {"values": "allowed_values", "start": "starts_on", "end": "ends_on"}
        requirement = self.as_requirement()
        errors: dict[str, list[str]] = {}
        for name, problem in policy_problems.problems(requirement):
            errors.setdefault(fields.get(name, name), []).append(problem)
        if errors:
            raise ValidationError(errors)
        others = [row.as_requirement() for row in TagRequirement.objects.exclude(pk=self.pk)]
        clashes = [
            problem for problem, *pair in policy_problems.conflicts([*others, requirement]) if requirement in pair
        ]
        if clashes:
            raise ValidationError(clashes)

    def as_requirement(self) -> Requirement:
        return Requirement(
            key=self.key,
            required=self.is_required,
            description=self.description,
            values=tuple(self.allowed_values),
            pattern=self.pattern,
            key_aliases=tuple(self.key_aliases),
            value_aliases=self.value_aliases,
            case=CaseRule(self.case_rule),
            providers=tuple(self.providers),
            services=tuple(self.services),
            resource_types=tuple(self.resource_types),
            start=self.starts_on,
            end=self.ends_on,
        )


class TagVerdict(models.Model):
    """A distinct outcome of the policy: {tag: state}. Few of them exist, however many resources there are."""

    fingerprint = models.CharField(max_length=32, unique=True, help_text=_lazy("md5 of its facts as JSON"))
    facts = models.JSONField(default=dict, help_text=_lazy("{tag: [state, whether it is required]}"))
    is_compliant = models.BooleanField(help_text=_lazy("every required tag is there and allowed"))

    def __str__(self) -> str:
        return ", ".join(f"{key} {state}" for key, (state, _ignored) in sorted(self.facts.items())) or _(
            "nothing required"
        )

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """(tag, state) of every required tag that is not right."""
        return [(key, state) for key, (state, required) in self.facts.items() if required and state != State.OK]


class TagFact(models.Model):
    """One tag of an outcome, so that counting by tag is a join."""

    class State(models.TextChoices):
        MISSING = State.MISSING.value, _lazy("key missing")
        EMPTY = State.EMPTY.value, _lazy("value empty")
        NOT_ALLOWED = State.NOT_ALLOWED.value, _lazy("value not allowed")
        OK = State.OK.value, _lazy("right")

    verdict = models.ForeignKey(TagVerdict, models.CASCADE, related_name="tag_facts")
    tag = models.CharField(max_length=MOST_KEY)
    is_required = models.BooleanField()
    state = models.CharField(max_length=20, choices=State)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["verdict", "tag"], name="one_fact_for_each_tag")]

    def __str__(self) -> str:
        return labelled(self.tag, self.get_state_display())


class ComplianceMonth(models.Model):
    """Which charge months are computed, and from which bills and which policy."""

    charge_month = models.DateField(unique=True)
    made_from = models.CharField(
        max_length=32, help_text=_lazy("md5 of the publications and the policy it was computed from")
    )
    resources = models.BigIntegerField(default=0)
    revision = models.PositiveIntegerField(default=0, help_text=_lazy("how often its figures have changed"))
    built_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-charge_month"]

    def __str__(self) -> str:
        return _("compliance of {of}").format(of=Month.of(self.charge_month))


class TaggedResourceQuerySet(models.QuerySet):
    def visible_to(self, user: Person) -> "TaggedResourceQuerySet":
        """Everything, or what her teams and the teams below them own; unowned rows are for the whole company."""
        return self if user.sees_whole_company else self.filter(owner__in=user.visible_team_ids)

    def in_month(self, month: Month) -> "TaggedResourceQuerySet":
        return self.filter(charge_month=month.start)

    def taggable(self) -> "TaggedResourceQuerySet":
        return self.filter(why_not="")

    def with_state(self, today: date) -> "TaggedResourceQuerySet":
        """Annotates `state`: compliant, excepted, wrong or untaggable, exceptions looked at as of their month."""
        excepted = excepted_on(today)
        return self.annotate(
            state=models.Case(
                models.When(~Q(why_not=""), then=models.Value("untaggable")),
                models.When(verdict__is_compliant=True, then=models.Value("compliant")),
                models.When(excepted, then=models.Value("excepted")),
                default=models.Value("wrong"),
                output_field=models.CharField(),
            )
        )

    def wrong(self, today: date) -> "TaggedResourceQuerySet":
        """Resources that do not comply and have no exception in force: what people should fix."""
        # By their ids, which are few: where nearly all resources comply the database would read all of them by a join.
        incomplete = list(TagVerdict.objects.filter(is_compliant=False).values_list("pk", flat=True))
        return self.taggable().filter(verdict__in=incomplete).exclude(excepted_on(today))


def excepted_on(today: date) -> Q:
    """An exception counts while it has not expired; of a past month, when it had not at the month's end."""
    in_force = Q(excepted_until__gte=today) | Q(excepted_until__gte=F("last_day_of_month"))
    return Q(excepted_until__isnull=False) & in_force


class TaggedResource(models.Model):
    """A resource in a charge month as one team owned it, with its last tags; or charges that cannot carry tags.

    A resource that changed hands within the month has a row for each owner, so that nobody sees another team's money;
    its last tags decide for all of them.
    """

    class WhyNot(models.TextChoices):
        TAX = "tax", _lazy("tax")
        CREDIT = "credit", _lazy("credit or refund")
        ADJUSTMENT = "adjustment", _lazy("adjustment")
        COMMITMENT = "commitment", _lazy("purchase or unused part of a commitment")
        SUPPORT = "support", _lazy("support")
        TRANSFER = "transfer", _lazy("data transfer without a resource")
        NO_RESOURCE = "no_resource", _lazy("no resource named")

    key = models.CharField(
        max_length=32, help_text=_lazy("md5 of provider, account and resource: the same in every month")
    )
    charge_month = models.DateField()
    last_day_of_month = models.DateField()
    provider = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True, help_text=_lazy("the one it cost most for"))
    region = models.CharField(max_length=200, blank=True)
    resource = models.CharField(max_length=2000, blank=True)
    resource_name = models.CharField(_lazy("name"), max_length=1000, blank=True)
    resource_type = models.CharField(_lazy("type"), max_length=300, blank=True)
    tag_set = models.ForeignKey(
        TagSet, models.PROTECT, null=True, db_constraint=False, help_text=_lazy("the last one of the month")
    )
    owner = models.ForeignKey("finops_site.Team", models.PROTECT, null=True, db_constraint=False, db_index=False)
    pool = models.ForeignKey("costs.Pool", models.PROTECT, null=True, db_constraint=False, db_index=False)
    currency = models.CharField(max_length=10)
    billed_cost = money(_lazy("on the invoice"), null=True)
    effective_cost = money(_lazy("amortised"), null=True)
    cost = money(_lazy("effective, or billed where the bill has no other"))
    lines = models.BigIntegerField(default=0)
    first_day = models.DateField()
    last_day = models.DateField()
    why_not = models.CharField(_lazy("cannot carry tags"), max_length=20, choices=WhyNot, blank=True)
    verdict = models.ForeignKey(TagVerdict, models.PROTECT, null=True, related_name="resources")
    excepted_until = models.DateField(null=True, help_text=_lazy("everything wrong with it is excepted up to this day"))

    objects = TaggedResourceQuerySet.as_manager()

    class Meta:
        ordering = ["-cost", "-id"]
        indexes = [
            models.Index(fields=["charge_month", "owner"], name="tagged_owner"),
            models.Index(fields=["charge_month", "-cost", "-id"], name="tagged_worklist"),
            models.Index(fields=["key", "-charge_month"], name="tagged_key"),
        ]

    def __str__(self) -> str:
        return self.resource_name or self.resource or self.get_why_not_display()

    def get_absolute_url(self) -> str:
        return reverse("tagging:resource", args=[self.key])


class ComplianceRollup(models.Model):
    """How many rows of TaggedResource are alike in all that figures count them by, and their sums.

    Written with the resources of its month: figures of 200,000 resources are sums of a few hundred rows.
    """

    charge_month = models.DateField()
    last_day_of_month = models.DateField()
    provider = models.CharField(max_length=200, blank=True)
    sub_account = models.CharField(_lazy("account"), max_length=200, blank=True)
    service = models.CharField(max_length=300, blank=True)
    owner = models.ForeignKey(
        "finops_site.Team", models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    pool = models.ForeignKey(
        "costs.Pool", models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    currency = models.CharField(max_length=10)
    why_not = models.CharField(_lazy("cannot carry tags"), max_length=20, choices=TaggedResource.WhyNot, blank=True)
    verdict = models.ForeignKey(TagVerdict, models.PROTECT, null=True, related_name="+")
    excepted_until = models.DateField(null=True)
    resources = models.PositiveIntegerField()
    cost = money(_lazy("effective, or billed where the bill has no other"))
    lines = models.BigIntegerField()

    objects = TaggedResourceQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["charge_month", "owner"], name="compliance_rollup_owner")]

    def __str__(self) -> str:
        return ngettext("{resources} resource of {of}", "{resources} resources of {of}", self.resources).format(
            resources=number_text(self.resources), of=Month.of(self.charge_month)
        )
