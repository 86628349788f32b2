"""The demo's ownership rules: by tag, by person, by name; shared cost is in pools, and the rest visibly unowned."""

from collections.abc import Callable
from datetime import date

from costs.models import Pool
from finops_site.models import Team
from tagging.models import OwnershipRule

# Kim has left the company: what carries her name is unowned until somebody writes a rule for it.
PEOPLE = {
    "Payments": ("lea", "eli"),
    "Data": ("ola", "raj"),
    "Storefront": ("sam", "noa"),
    "Platform": ("pat",),
}
PATTERNS = {"Payments": "^(checkout|ledger)-", "Data": "^etl-"}
# Pool -> what is in it, and the rules that fill it.
POOLS: dict[str, tuple[str, list[dict[str, str]]]] = {
    "Support": ("The provider's support plan, a share of the whole bill.", [{"service": "AWS Support (Business)"}]),
    "Tax": ("Sales tax on the whole bill.", [{"charge_category": "Tax"}]),
    "Credits": ("Credits the company was granted.", [{"charge_category": "Credit"}]),
    "Network": (
        "NAT gateways and transfer to the internet: the bill does not say whose packets they were.",
        [{"service": "AWS Data Transfer"}, {"service": "Amazon Virtual Private Cloud"}],
    ),
    "Observability": ("Logs that all teams write into one account.", [{"service": "AmazonCloudWatch"}]),
}


def make_ownership_rules(say: Callable[[str], object], *, as_of: date) -> None:
    """Rules and pools for the demo's company; those that exist already are set back to these values."""
    for name, (description, fillings) in POOLS.items():
        pool, _ = Pool.objects.update_or_create(name=name, defaults={"description": description})
        for conditions in fillings:
            (value,) = conditions.values()
            _set_rule(5, f"{name}: {value}", pool=pool, **conditions)
    for name, people in PEOPLE.items():
        team = Team.objects.get(name=name)
        _set_rule(10, f"Tag Team is {name}", team=team, tag_key="Team", tag_value=name)
        for person in people:
            _set_rule(20, f"Tag Owner is {person}", team=team, tag_key="Owner", tag_value=person)
    for name, pattern in PATTERNS.items():
        _set_rule(30, f"Named like {name}", team=Team.objects.get(name=name), resource_pattern=pattern)
    say(f"  {OwnershipRule.objects.count()} ownership rules, {Pool.objects.count()} pools")


def _set_rule(order: int, name: str, **values: Team | Pool | str) -> None:
    OwnershipRule.objects.update_or_create(name=name, defaults={"order": order, **values})
