"""What people do with estimates: make one, add a way to do it, price it anew, choose, archive."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from finops_site.lib.money import EXACT
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.models import User
from finops_site.registry import UnitPriceSource, registry
from usage.calc.estimate_prices import LinePrice, OwnRate, price_items
from usage.calc.estimate_text import MOST_LINES, BadLine, PricedItem, header_of, read_csv, read_lines
from usage.calc.terraform_plans import read_plan
from usage.estimates.own_rates import newest_whole_month, own_rates, usual_region
from usage.models import Estimate, EstimateLine, Scenario

MOST_SCENARIOS = 8
MOST_BYTES = 10 * 2**20


class CannotEstimate(ValueError):
    """An estimate cannot be made or changed so; the message says why."""


def read_text(text: str, source: str = "") -> list[PricedItem]:
    """Typed lines, a CSV or a Terraform plan, whichever it is. Raises CannotEstimate with line and reason."""
    if "\0" in text:
        raise CannotEstimate(_("A NUL character is in it: remove it."))
    if len(text.encode()) > MOST_BYTES:
        raise CannotEstimate(_("It is larger than {most} MB.").format(most=MOST_BYTES // 2**20))
    begin = text.lstrip("\ufeff \t\r\n")
    try:
        if begin.startswith(("{", "[")):
            return read_plan(begin, source or _("the plan"))
        if "item" in header_of(begin):
            return read_csv(begin, source or _("the CSV"))
        return read_lines(text)
    except BadLine as error:
        raise CannotEstimate(str(error)) from None


@transaction.atomic
def make_estimate(person: User, estimate: Estimate, scenario_name: str, text: str, source: str = "") -> Estimate:
    """Stores an estimate with its first scenario, priced today."""
    _check(person, estimate)
    items = read_text(text, source)
    estimate.made_by = person
    estimate.save()
    _store(Scenario(estimate=estimate, name=scenario_name or _("As planned"), text=text), items)
    return estimate


def save_estimate(person: User, estimate: Estimate) -> Estimate:
    """Stores its name, team, start, tag and note; another currency prices every scenario anew."""
    before = Estimate.objects.get(pk=estimate.pk)
    _check(person, before)
    _check(person, estimate)
    with transaction.atomic():
        estimate.save()
        if before.currency != estimate.currency:
            for scenario in estimate.scenarios.all():
                price_again(person, scenario)
    return estimate


@transaction.atomic
def add_scenario(person: User, estimate: Estimate, name: str, text: str, source: str = "") -> Scenario:
    """Another way to do the same, beside the others."""
    _check(person, estimate)
    # One at a time: two at once would both be the last that there may be.
    Estimate.objects.select_for_update().get(pk=estimate.pk)
    if estimate.scenarios.count() >= MOST_SCENARIOS:
        raise CannotEstimate(_("An estimate has at most {most} scenarios.").format(most=MOST_SCENARIOS))
    return _store(Scenario(estimate=estimate, name=name, text=text), read_text(text, source))


@transaction.atomic
def change_scenario(person: User, scenario: Scenario, name: str, text: str) -> Scenario:
    """Other lines for a scenario: the old ones are replaced."""
    _check(person, scenario.estimate)
    items = read_text(text)
    scenario.name, scenario.text = name, text
    return _store(scenario, items)


@transaction.atomic
def price_again(person: User, scenario: Scenario) -> Scenario:
    """The same lines at the prices of today."""
    _check(person, scenario.estimate)
    return _store(scenario, read_text(scenario.text))


@transaction.atomic
def choose_scenario(person: User, scenario: Scenario) -> None:
    """The way that was taken: what came is compared with it."""
    _check(person, scenario.estimate)
    scenario.estimate.scenarios.filter(is_chosen=True).update(is_chosen=False)
    scenario.is_chosen = True
    scenario.save(update_fields=["is_chosen"])


@transaction.atomic
def delete_scenario(person: User, scenario: Scenario) -> None:
    """The last one stays: an estimate without any says nothing; archive it instead."""
    _check(person, scenario.estimate)
    Estimate.objects.select_for_update().get(pk=scenario.estimate_id)
    if scenario.estimate.scenarios.count() == 1:
        raise CannotEstimate(_("This is the last scenario: archive the estimate instead."))
    scenario.delete()


def archive_estimate(person: User, estimate: Estimate, *, back: bool = False) -> None:
    """Out of the list, or back into it."""
    may_change(person, estimate)
    estimate.archived_at = None if back else timezone.now()
    estimate.save(update_fields=["archived_at"])


def may_change(person: Person, estimate: Estimate) -> None:
    """Raises CannotEstimate for what somebody else made, but for who sees the whole company's cost."""
    if not person.has_perm("usage.change_estimate"):
        raise CannotEstimate(_("Your role reads estimates and changes none."))
    if estimate.pk and estimate.made_by_id != person.pk and not person.sees_whole_company:
        raise CannotEstimate(_("Somebody else made this estimate: copy its lines into one of your own."))


def _check(person: User, estimate: Estimate) -> None:
    may_change(person, estimate)
    if estimate.archived_at:
        raise CannotEstimate(_("This estimate is archived: bring it back first."))
    if estimate.team_id and not person.sees_whole_company and estimate.team_id not in person.visible_team_ids:
        raise CannotEstimate(_("This is not one of your teams."))
    if bool(estimate.tag_key) != bool(estimate.tag_value):
        raise CannotEstimate(_("A tag needs both its name and its value."))


def _store(scenario: Scenario, items: Sequence[PricedItem]) -> Scenario:
    if len(items) > MOST_LINES:
        raise CannotEstimate(_("These are more than {most} lines.").format(most=MOST_LINES))
    today = timezone.now().date()
    priced = price_today(items, scenario.estimate.currency, today)
    scenario.priced_on = today
    scenario.save()
    scenario.lines.all().delete()
    EstimateLine.objects.bulk_create(_line(scenario, position, price) for position, price in enumerate(priced))
    return scenario


def price_today(items: Sequence[PricedItem], currency: str, today: date) -> list[LinePrice]:
    """Every item at the prices of a day, in `currency`; what has no exchange rate has no price."""
    names = sorted({item.item for item in items})
    rates: dict[str, Decimal | None] = {}
    # {item: the currency of a price that cannot be brought into that of the estimate}
    foreign: dict[str, str] = {}

    def converted(item: str, amount: Decimal, code: str) -> Decimal | None:
        if code not in rates:
            rates[code] = registry.exchange_rate(code, currency, Month.of(today))
        rate = rates[code]
        if rate is None:
            foreign[item.lower()] = code
            return None
        return EXACT.multiply(amount, rate)

    listed = [price for source in registry.of(UnitPriceSource) for price in source.prices(names, today)]
    prices = [
        replace(price, price=amount, currency=currency)
        for price in listed
        if (amount := converted(price.item, price.price, price.currency)) is not None
    ]
    # Asked once: it is found by what every bill of the company has delivered.
    month = newest_whole_month(today)
    own = [
        OwnRate(rate.item, rate.region, rate.unit, amount, currency)
        for rate in (own_rates(items, month) if month else ())
        if (amount := converted(rate.item, rate.price, rate.currency)) is not None
    ]
    priced = price_items(items, prices, own, usual_region(month) if month else "")
    return [_with_currency(price, foreign.get(price.item.item.lower(), ""), currency) for price in priced]


def _with_currency(price: LinePrice, foreign: str, currency: str) -> LinePrice:
    """Of what has a price in another currency alone that is the reason, and not that nobody lists it."""
    if price.cost is not None or price.item.monthly_quantity is None or not foreign:
        return price
    words = _("its price is in {other}, and no exchange rate of {other} into {currency} is known")
    return replace(price, problem=words.format(other=foreign, currency=currency))


def _line(scenario: Scenario, position: int, price: LinePrice) -> EstimateLine:
    item = price.item
    return EstimateLine(
        scenario=scenario,
        position=position,
        text=item.text[:500],
        provider=item.provider,
        service=item.service,
        item=item.item[:300],
        region=price.region[:200],
        count=item.count,
        monthly_quantity=item.monthly_quantity,
        unit=item.unit if item.monthly_quantity is not None else "",
        terms=f"{item.term_months}-{item.payment}" if item.term_months else "",
        list_price=price.list_price,
        own_rate=price.own_rate,
        list_cost=price.list_cost,
        cost=price.cost,
        committed_cost=price.committed_cost,
        price_source=price.source[:200],
        problem=price.problem[:300],
    )
