"""What the drop-downs of cost pages offer: what the whole company's bills hold, or a team's own."""

from costs.calc.dimensions import DIMENSIONS, GROUPABLE, TAG, Choices, named
from costs.models import Dimension, MonthRollup, Pool
from costs.query.result_cache import cached
from costs.query.scope import NOBODY, POOLED, SHARED, UNOWNED
from finops_site.lib.person import Person
from finops_site.models import Team

ValueChoices = list[tuple[str, str]]
MOST = 500
# The tag that most companies group by has a place among the plain dimensions.
ENVIRONMENT = f"{TAG}Environment"


def values(user: Person, name: str) -> ValueChoices:
    """(value, label) of a dimension, in the order people read; none for a dimension without a drop-down."""
    choices = DIMENSIONS[name].choices
    if choices is Choices.TEAMS:
        return team_choices(user)
    if choices is Choices.POOLS:
        return pool_choices(user)
    return cached(user, ("choices", name), lambda: _values(user, name)) if choices is Choices.CATALOGUE else []


def _values(user: Person, name: str) -> ValueChoices:
    field = DIMENSIONS[name].field
    in_bills = Dimension.objects.filter(name=field).exclude(value="")
    if not user.sees_whole_company:
        visible_values = MonthRollup.objects.visible_to(user).order_by().values_list(field, flat=True).distinct()
        in_bills = in_bills.filter(value__in=list(visible_values))
    labelled = [(row.value, f"{row.label} ({row.value})" if row.label else row.value) for row in in_bills[:MOST]]
    return sorted(labelled, key=lambda choice: choice[1].lower())


def team_choices(user: Person) -> ValueChoices:
    visible_teams = [(str(team.pk), team.name) for team in Team.objects.visible_to(user)]
    return [*visible_teams, (POOLED, SHARED), (NOBODY, UNOWNED)] if user.sees_whole_company else visible_teams


def pool_choices(user: Person) -> ValueChoices:
    """Shared cost is nobody's alone: only who sees the whole company sees it here."""
    return [(str(pool.pk), pool.name) for pool in Pool.objects.all()] if user.sees_whole_company else []


def offered(user: Person, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the dimensions that a person may choose by: pools are for who sees the whole company."""
    return names if user.sees_whole_company else tuple(name for name in names if name != "pool")


def tag_keys(user: Person) -> list[str]:
    keys = Dimension.objects.filter(name="tag").values_list("value", flat=True)
    return cached(user, "tag keys", lambda: list(keys[:MOST]))


def groupings(user: Person) -> ValueChoices:
    """What spend may be grouped by: the plain dimensions, then every tag key."""
    plain = [(name, DIMENSIONS[name].label) for name in offered(user, GROUPABLE)]
    plain.insert([name for name, _ in plain].index("resource") + 1, (ENVIRONMENT, named(ENVIRONMENT).label))
    tags = [(f"{TAG}{key}", f"Tag {key}") for key in tag_keys(user) if f"{TAG}{key}" != ENVIRONMENT]
    return [*plain, *tags]
