"""What the drop-downs of cost pages offer: what the whole company's bills hold, or a team's own."""

from costs.models import Dimension, MonthRollup, Pool
from costs.query.result_cache import remembered
from costs.query.spend import FIELDS, LABELS, NOBODY, POOLED, SHARED, TAG, UNOWNED
from finops_site.lib.person import Person
from finops_site.models import Team

Choices = list[tuple[str, str]]
MOST = 500


def values(user: Person, name: str) -> Choices:
    """(value, label) of a dimension, in the order people read."""
    own = {"team": teams, "pool": pools}
    return own[name](user) if name in own else remembered(user, ("choices", name), lambda: _values(user, name))


def _values(user: Person, name: str) -> Choices:
    known = Dimension.objects.filter(name=FIELDS[name]).exclude(value="")
    if not user.sees_whole_company:
        mine = MonthRollup.objects.visible_to(user).order_by().values_list(FIELDS[name], flat=True).distinct()
        known = known.filter(value__in=list(mine))
    found = [(each.value, _label(each)) for each in known[:MOST]]
    return sorted(found, key=lambda choice: choice[1].lower())


def _label(dimension: Dimension) -> str:
    return f"{dimension.label} ({dimension.value})" if dimension.label else dimension.value


def teams(user: Person) -> Choices:
    found = [(str(team.pk), team.name) for team in Team.objects.visible_to(user)]
    return [*found, (POOLED, SHARED), (NOBODY, UNOWNED)] if user.sees_whole_company else found


def pools(user: Person) -> Choices:
    """Shared cost is nobody's alone: only who sees the whole company sees it here."""
    return [(str(pool.pk), pool.name) for pool in Pool.objects.all()] if user.sees_whole_company else []


def tag_keys(user: Person) -> list[str]:
    return remembered(user, "tag keys", _tag_keys)


def _tag_keys() -> list[str]:
    return list(Dimension.objects.filter(name="tag").values_list("value", flat=True)[:MOST])


def groupings(user: Person) -> Choices:
    """What spend may be grouped by: the plain dimensions, then every tag key."""
    shown = (
        "service",
        "team",
        "account",
        "region",
        "resource",
        "tag:Environment",
        "charge_category",
        "service_category",
    )
    if user.sees_whole_company:
        shown = (*shown[:2], "pool", *shown[2:])
    more = ("rule", "provider", "pricing_category", "instance_type", "commitment", "billing_month")
    plain = [(name, LABELS[name]) for name in (*shown, *more)]
    tags = [(f"{TAG}{key}", f"Tag {key}") for key in tag_keys(user) if key != "Environment"]
    return [*plain, *tags]
