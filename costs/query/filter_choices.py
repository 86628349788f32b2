"""What the drop-downs of cost pages offer: what the whole company's bills hold, or a team's own."""

from collections.abc import Sequence

from django.db import connection
from django.utils.translation import gettext as _

from costs.calc.charge_kinds import CATEGORIES
from costs.calc.dimensions import DIMENSIONS, FOR_THE_COMPANY, GROUPABLE, TAG, Choices, named
from costs.calc.filters import BadFilter
from costs.formats.sql import WHITE_SPACE
from costs.models import AccountGroup, Dimension, MonthRollup, Pool, Source
from costs.query.result_cache import cached
from costs.query.scope import NOBODY, POOLED, SHARED, UNOWNED
from costs.query.tag_keys import tag_keys_of
from finops_site.lib.person import Person
from finops_site.models import Team

ValueChoices = list[tuple[str, str]]
MOST = 500
# The tag that most companies group by has a place among the plain dimensions.
ENVIRONMENT = f"{TAG}Environment"
VALUES = """
    SELECT DISTINCT btrim(tags ->> key, %s) FROM costs_tagset, unnest(%s::text[]) AS key
    WHERE tags ? key AND (%s::bigint[] IS NULL OR id = ANY(%s::bigint[]))
"""
KEYS = """
    SELECT DISTINCT jsonb_object_keys(tags) AS key FROM costs_tagset WHERE id = ANY(%s) ORDER BY key LIMIT %s
"""


def values(user: Person, name: str) -> ValueChoices:
    """(value, label) of a dimension, in the order people read; none for a dimension without a drop-down."""
    choices = DIMENSIONS[name].choices
    if choices is Choices.TEAMS:
        return team_choices(user)
    if choices is Choices.POOLS:
        return pool_choices(user)
    if choices is Choices.SOURCES:
        return [(str(source.pk), source.name) for source in Source.objects.visible_to(user).order_by("name")]
    if choices is Choices.ACCOUNT_GROUPS:
        return account_group_choices(user)
    if choices is Choices.COST_CENTERS:
        return cost_center_choices(user)
    return cached(user, ("choices", name), lambda: _values(user, name)) if choices is Choices.CATALOGUE else []


def _values(user: Person, name: str) -> ValueChoices:
    field = DIMENSIONS[name].field
    in_bills = Dimension.objects.filter(name=field).exclude(value="")
    if not user.sees_whole_company:
        visible_values = MonthRollup.objects.visible_to(user).order_by().values_list(field, flat=True).distinct()
        in_bills = in_bills.filter(value__in=list(visible_values))
    labelled = [(row.value, f"{row.label} ({row.value})" if row.label else row.value) for row in in_bills[:MOST]]
    if field == "charge_category":
        # Whoever leaves out refunds does it before the first refund.
        labelled += [(category, category) for category in CATEGORIES if category not in dict(labelled)]
    return sorted(labelled, key=lambda choice: choice[1].lower())


def team_choices(user: Person) -> ValueChoices:
    visible_teams = [(str(team.pk), team.name) for team in Team.objects.visible_to(user)]
    return [*visible_teams, (POOLED, str(SHARED)), (NOBODY, str(UNOWNED))] if user.sees_whole_company else visible_teams


def pool_choices(user: Person) -> ValueChoices:
    """Shared cost is nobody's alone: only who sees the whole company sees it here."""
    return [(str(pool.pk), pool.name) for pool in Pool.objects.all()] if user.sees_whole_company else []


def cost_center_choices(user: Person) -> ValueChoices:
    """Of the teams whose cost she sees, each once."""
    centers = Team.objects.visible_to(user).exclude(cost_center="").order_by("cost_center")
    return [(center, center) for center in centers.values_list("cost_center", flat=True).distinct()]


def account_group_choices(user: Person) -> ValueChoices:
    """Those with an account that she sees cost of."""
    groups = AccountGroup.objects.all()
    if not user.sees_whole_company and groups.exists():
        groups = groups.filter(
            accounts__account__in=[account for account, _ignored in values(user, "account")]
        ).distinct()
    return [(str(group.pk), group.name) for group in groups]


def offered(user: Person, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the dimensions that a person may ask by: pools and sources are for who sees the whole company."""
    return tuple(name for name in names if user.sees_whole_company or name not in FOR_THE_COMPANY)


def check_offered(user: Person, names: Sequence[str]) -> None:
    """Raises BadFilter for a dimension that a person may not group or filter by."""
    allowed = offered(user, names)
    for name in names:
        if name not in allowed:
            raise BadFilter(
                _("{label}: only who sees the whole company may ask by it.").format(label=named(name).label)
            )


def tag_keys(user: Person) -> list[str]:
    """The keys of the company's bills, or those of a person's own lines."""
    return cached(user, "tag keys", lambda: _tag_keys(user))


def _tag_keys(user: Person) -> list[str]:
    if user.sees_whole_company:
        return list(Dimension.objects.filter(name="tag").values_list("value", flat=True)[:MOST])
    with connection.cursor() as cursor:
        cursor.execute(KEYS, [_own_tag_sets(user), MOST])
        return [key for (key,) in cursor.fetchall()]


def _own_tag_sets(user: Person) -> list[int]:
    own = MonthRollup.objects.visible_to(user).order_by()
    return list(own.values_list("tag_set", flat=True).distinct())


def tag_values(user: Person, key: str) -> list[str]:
    """The values that her lines have of a tag, whatever the case of its key, by the names that count as one."""
    return cached(user, ("tag values", key.lower()), lambda: _tag_values(user, key))


def _tag_values(user: Person, key: str) -> list[str]:
    meaning = tag_keys_of([f"{TAG}{key}"])[f"{TAG}{key}"]
    own = None if user.sees_whole_company else _own_tag_sets(user)
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [WHITE_SPACE, list(meaning.keys), own, own])
        written = [value for (value,) in cursor.fetchall()]
    return sorted({meaning.spellings.get(value, value) for value in written if value}, key=str.lower)[:MOST]


def groupings(user: Person) -> ValueChoices:
    """What spend may be grouped by: the plain dimensions, then every tag key."""
    plain = [(name, DIMENSIONS[name].label) for name in offered(user, GROUPABLE)]
    plain.insert([name for name, _ignored in plain].index("resource") + 1, (ENVIRONMENT, named(ENVIRONMENT).label))
    tags = [(f"{TAG}{key}", _("Tag {key}").format(key=key)) for key in tag_keys(user) if f"{TAG}{key}" != ENVIRONMENT]
    return [*plain, *tags]
