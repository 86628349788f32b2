"""The demo's ownership rules: by tag, by person, by name; what is left is unowned, and visibly so."""

from collections.abc import Callable
from datetime import date

from finops_site.models import Team
from tagging.models import OwnershipRule

PEOPLE = {
    "Payments": ("lea", "eli", "kim"),
    "Data": ("ola", "raj"),
    "Storefront": ("sam", "noa"),
    "Platform": ("pat",),
}
PATTERNS = {"Payments": "^(checkout|ledger)-", "Data": "^etl-"}


def make_ownership_rules(say: Callable[[str], object], *, as_of: date) -> None:
    """Rules for the demo's teams; those that are there already are made to say this again."""
    for name, people in PEOPLE.items():
        team = Team.objects.get(name=name)
        _rule(10, f"Tag Team is {name}", team, tag_key="Team", tag_value=name)
        for person in people:
            _rule(20, f"Tag Owner is {person}", team, tag_key="Owner", tag_value=person)
    for name, pattern in PATTERNS.items():
        _rule(30, f"Named like {name}", Team.objects.get(name=name), resource_pattern=pattern)
    say(f"  {OwnershipRule.objects.count()} ownership rules")


def _rule(order: int, name: str, team: Team, **conditions: str) -> None:
    OwnershipRule.objects.update_or_create(name=name, defaults={"order": order, "team": team, **conditions})
