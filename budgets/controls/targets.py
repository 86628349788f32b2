"""What a control would act on: read out of the cost lines of its scope, or named by whoever defined it.

One question for the machines of the scope, one for what the scope costs, whatever the number of resources.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from budgets.calc.controls import actions as control_actions
from budgets.calc.controls import rules as control_rules
from budgets.calc.controls.rules import Candidate, UsagePart
from budgets.calc.controls.targets import NoTarget, Target, group_of, is_of_group, machine_of, says_production
from budgets.models import Anomaly, Control, ControlPolicy, ControlStep
from costs.models import CostLine, TagSet
from costs.query.rows import filter_by
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.language import gettext_noop
from finops_site.lib.money import EXACT, STORED_UNIT, exact_sum
from finops_site.lib.periods import Period, day_text

DAYS = 7
MOST_LEFT_OUT = 200
MACHINES = (
    Q(resource__startswith="i-")
    | Q(resource__contains=":instance/")
    | Q(resource__contains=":rds:")
    | Q(resource__icontains="/virtualmachines/")
    | Q(resource__contains="/instances/")
)
GROUPS = Q(resource__icontains="/virtualmachinescalesets/") | Q(resource__contains="/instanceGroupManagers/")
# FOCUS calls spot prices dynamic; AWS stops no one-time spot instance.
SPOT, COMMITTED = "dynamic", "committed"
IN_GROUP = gettext_noop("it belongs to a group, which would start another one: scale the group down")


@dataclass(slots=True)
class Proposal:
    """Steps to take, and what is left out, with the reason."""

    steps: list[ControlStep] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    is_beyond_limits: bool = False


@dataclass(slots=True)
class TargetUsage:
    """What the bill shows of one target: its lines, summed."""

    parts: list[UsagePart] = field(default_factory=list)
    resources: dict[str, None] = field(default_factory=dict)
    tag_sets: set[int] = field(default_factory=set)
    is_spot: bool = False
    last: date = date.min
    cost: Decimal | None = Decimal(0)
    row: Mapping[str, Any] = field(default_factory=dict)


def find_targets(control: Control, until: date, anomaly: Anomaly | None = None) -> Proposal:
    """What the control proposes by the bill up to `until`, its last complete day."""
    proposal = Proposal()
    lines = scope_lines(control, Period(until - timedelta(days=DAYS - 1), until + timedelta(days=1)), anomaly)
    named = [(target, None) for target in control.named_targets()]
    seen: dict[Target, TargetUsage] = {}
    if control.action in control_actions.FROM_BILLS and not named:
        seen = _read_lines(control, lines, proposal)
    tags = TagSet.objects.select_related("delivered").in_bulk({pk for item in seen.values() for pk in item.tag_sets})
    keys = environment_keys(control)
    for target, item in [*named, *seen.items()]:
        step = _step(control, target, item)
        why = _why_left_out(control, target, item, step, tags, keys, until)
        if why:
            _leave_out(proposal, step, why)
        else:
            proposal.steps.append(step)
    _keep_limits(control, proposal, lines)
    for number, step in enumerate(proposal.steps, 1):
        step.number = number
    return proposal


def environment_keys(control: Control) -> list[str]:
    """The tags that say dev or test: the control's, and what the bills and the tag policy call so too."""
    tag = f"tag:{control.environment_tag}"
    return [control.environment_tag, *tag_keys_of([tag])[tag].keys]


def scope_lines(control: Control, period: Period, anomaly: Anomaly | None = None) -> QuerySet[CostLine]:
    """The cost lines of the control's scope: its budget's, or the anomaly's."""
    rows = CostLine.objects.current().charged_in(period)
    if control.budget:
        return filter_by(rows, control.budget.filters)
    return filter_by(rows, anomaly.filters) if anomaly else rows.none()


def _read_lines(control: Control, lines: QuerySet[CostLine], proposal: Proposal) -> dict[Target, TargetUsage]:
    """The targets that the lines show, each with its cost a day."""
    wanted = MACHINES if control.action == control_actions.STOP else MACHINES | GROUPS
    rows = lines.filter(wanted, charge_category="Usage").order_by()
    days = dict(rows.values("resource").annotate(n=Count("charge_date", distinct=True)).values_list("resource", "n"))
    names = ("resource", "sub_account", "region", "service", "tag_set", "unit", "instance_type", "currency")
    sums = rows.values(*names, "pricing_category", "commitment").annotate(
        cost=Sum("effective_cost"),
        unknown=Count("pk", filter=Q(effective_cost=None)),
        last=Max("charge_date"),
        name=Max("resource_name"),
    )
    tags = TagSet.objects.in_bulk(set(rows.values_list("tag_set", flat=True))) if control.action != "stop" else {}
    seen: dict[Target, TargetUsage] = {}
    strange: dict[str, dict[str, str]] = {}
    for row in sums.order_by("resource"):
        try:
            target = _target_of(control, row, tags)
        except NoTarget as problem:
            strange[row["resource"]] = {
                "resource": row["name"] or row["resource"],
                "account": row["sub_account"],
                "why": str(problem),
            }
            continue
        item = seen.setdefault(target, TargetUsage())
        cost = None if row["unknown"] else _a_day(row["cost"], days[row["resource"]])
        # FOCUS prices what a commitment covers as "Committed", whether or not the bill names the commitment.
        covered = bool(row["commitment"]) or row["pricing_category"].lower() == COMMITTED
        running = control_rules.is_running_time(row["unit"], row["instance_type"])
        item.parts.append(UsagePart(cost, running, covered))
        item.cost = None if item.cost is None or cost is None else item.cost + cost
        item.resources[row["resource"]] = None
        item.tag_sets.add(row["tag_set"])
        item.is_spot = item.is_spot or row["pricing_category"].lower() == SPOT
        item.last, item.row = max(item.last, row["last"]), row
    proposal.left_out += strange.values()
    return seen


def _target_of(control: Control, row: Mapping[str, Any], tags: Mapping[int, TagSet]) -> Target:
    place = (row["resource"], row["sub_account"], row["region"])
    if control.action == control_actions.STOP:
        return machine_of(*place)
    return group_of(*place, tags[row["tag_set"]].tags)


def _a_day(cost: Decimal, days: int) -> Decimal:
    return EXACT.divide(cost, Decimal(days)).quantize(STORED_UNIT, context=EXACT)


def _step(control: Control, target: Target, item: TargetUsage | None) -> ControlStep:
    step = ControlStep(
        kind=target.kind,
        cloud=target.cloud,
        account=target.account,
        region=target.region,
        target=target.name,
        group=target.group,
        extra=target.extra,
        saving_note=_("no bill shows beforehand what it saves"),
    )
    if item is None:
        return step
    row = item.row
    step.resources = list(item.resources)
    step.resource = step.resources[0] if len(step.resources) == 1 else ""
    step.name = (
        row["name"]
        if len(step.resources) == 1
        else _("{target} ({count} machines)").format(target=target.name, count=len(step.resources))
    )
    step.service, step.currency, step.cost = row["service"], row["currency"], item.cost
    step.saving, step.saving_note = control_rules.saving_a_day(item.parts)
    if control.action == control_actions.SCALE and control.wanted:
        step.saving, step.saving_note = (
            None,
            _("how many of its machines are beyond {wanted} is not in the bill").format(wanted=control.wanted),
        )
    return step


def _why_left_out(
    control: Control,
    target: Target,
    item: TargetUsage | None,
    step: ControlStep,
    tag_sets: Mapping[int, TagSet],
    keys: Sequence[str],
    until: date,
) -> str:
    """Why a target is left alone, in words; empty for what may be acted on.

    For what a person named the list of accounts and its name count, and its own tags when it is looked at.
    """
    if target.account not in control.accounts:
        return _("its account is not among those that the control may touch")
    account = item.row["sub_account"] if item else ""
    if word := says_production(target) or (account if control_rules.mentions_production(account) else ""):
        return _("{word} says production").format(word=word)
    if item is None:
        return ""
    if item.last < until:
        return _("the bill shows it until {last} only").format(last=day_text(item.last))
    tags = [tag_sets[pk] for pk in sorted(item.tag_sets)]
    for tag_set in tags:
        step.environment = next(
            (tag_set.as_delivered.get(key) or "" for key in keys if key in tag_set.as_delivered), ""
        )
        for version in (tag_set.tags, tag_set.as_delivered):
            if why := exemption_of(control, version, step.name, keys):
                return why
        if control.action == control_actions.STOP and is_of_group(tag_set.tags):
            return _(IN_GROUP)
    if item.is_spot and target.kind == "ec2":
        return _("it is a spot instance, which cannot be stopped")
    if step.saving is not None and step.saving <= 0:
        return _("it saves nothing: {value}").format(value=step.saving_note or _("it costs nothing by the hour"))
    return ""


def exemption_of(control: Control, tags: Mapping[str, str | None], name: str, keys: Iterable[str]) -> str:
    """Why these tags or this name exempt a target of the control; empty where they do not."""
    texts = {key: value or "" for key, value in tags.items()}
    return control_rules.exemption(texts, name, keys, control.dev_values, control.exempt_tags)


def left_alone_by_now(control: Control, step: ControlStep, tags: Mapping[str, str]) -> str:
    """Why a step is left alone by the tags that the provider shows now, by the same rules as it was proposed; empty
    where it is not. What has lost the tag of its environment is unknown, and unknown is not dev."""
    if word := says_production(step.place):
        return _("{word} says production").format(word=word)
    if control.action not in control_actions.FROM_BILLS:
        # Policies, keys and quotas have no environment.
        return ""
    why = exemption_of(control, tags, step.name, environment_keys(control))
    if why == control_rules.NO_ENVIRONMENT and not step.resources:
        # A person named it: it need not say what it is.
        return ""
    if not why and control.action == control_actions.STOP and is_of_group(tags):
        return _(IN_GROUP)
    return why


def _keep_limits(control: Control, proposal: Proposal, lines: QuerySet[CostLine]) -> None:
    """Leaves out what is beyond the limits of the control and of the policy; those that save most stay."""
    if not proposal.steps:
        return
    most = min(control.most_resources, ControlPolicy.get().most_resources)
    by_key = {str(number): step for number, step in enumerate(proposal.steps)}
    candidates = [Candidate(key, step.cost or Decimal(0), step.saving) for key, step in by_key.items()]
    scope = lines.aggregate(cost=Sum("effective_cost"), days=Count("charge_date", distinct=True))
    a_day = _a_day(scope["cost"] or Decimal(0), scope["days"] or 1)
    beyond = control_rules.within_limits(candidates, most, a_day, control.most_share)
    for key, why in beyond.items():
        _leave_out(proposal, by_key[key], why)
    proposal.is_beyond_limits = bool(beyond)
    stay = [step for key, step in by_key.items() if key not in beyond]
    proposal.steps = sorted(stay, key=lambda step: (-(step.saving or 0), -(step.cost or 0), step.account, step.target))


def _leave_out(proposal: Proposal, step: ControlStep, why: str) -> None:
    proposal.left_out.append({"resource": step.name or step.target, "account": step.account, "why": why})


def savings_by_currency(steps: Iterable[ControlStep]) -> dict[str, Decimal]:
    """{currency: what a day saves}, of the steps of which it is known."""
    by_currency: dict[str, list[Decimal]] = defaultdict(list)
    for step in steps:
        if step.saving is not None:
            by_currency[step.currency].append(step.saving)
    return {currency: exact_sum(savings) for currency, savings in by_currency.items()}
