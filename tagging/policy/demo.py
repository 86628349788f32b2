"""The demo's tag policy: what finance made of the one the product starts with."""

from collections.abc import Callable
from datetime import date

from finops_site.models import Team
from tagging.models import TagRequirement
from tagging.policy import compliance, reminders

ENVIRONMENTS = ["Production", "Staging", "Test", "Development"]
ALIASES = {"prod": "Production", "stg": "Staging", "qa": "Test", "dev": "Development"}


def make_tag_policy(say: Callable[[str], object], *, as_of: date) -> None:
    """Values for Environment, Team and CostCenter, then every month computed; running it again changes nothing."""
    _allow("Environment", allowed_values=ENVIRONMENTS, value_aliases=ALIASES)
    _allow("Team", allowed_values=list(Team.objects.order_by("name").values_list("name", flat=True)))
    _allow("CostCenter", pattern="CC-[0-9]{4}")
    built = compliance.refresh_compliance()
    reminders.update_issues(as_of)
    say(f"  tag compliance of {len(built)} months")


def _allow(key: str, **values: object) -> None:
    TagRequirement.objects.filter(key=key, allowed_values=[], pattern="").update(**values)
