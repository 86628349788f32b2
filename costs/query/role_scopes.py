"""The cost that a role shows its people beside that of their teams: of accounts, with a tag, from sources.

The one place where a scope becomes rows: pages, API, files, letters, charges and what filters offer begin with
`CostQuerySet.visible_to`, which asks here.
"""

from typing import Any, cast

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q
from django.db.models.functions import Lower

from costs.calc.dimensions import named
from costs.calc.filters import filter_name, is_tag
from costs.models import AccountGroup, CostLine, GroupedAccount, Source
from costs.query.filter_values import FilterValues
from costs.query.rows import group_value
from costs.query.scope import ids_in
from costs.query.tag_keys import TagKeys, tag_keys_of
from costs.querysets import CostQuerySet
from finops_site.lib.person import Person
from finops_site.own_roles.cost_scopes import ACCOUNT, ACCOUNT_GROUP, SOURCE


def visible_rows(rows: CostQuerySet, user: Person) -> CostQuerySet:
    """The current rows that her teams own, and those that her role's scope names; all that it names must fit.

    A table that does not know tags is answered by the cost lines that it sums.
    """
    tags = [name for name in user.cost_scope if is_tag(name)]
    if tags and not _has_tags(rows):
        if rows.query.has_filters():
            raise ValueError("visible_to comes first: these rows are of a table without tags")
        rows = CostLine.objects.all()
    keys = _keys(user, tags)
    current = rows.current()
    in_scope = Q()
    for number, name in enumerate(tags):
        alias = f"scope{number}"
        current = current.alias(**{alias: Lower(group_value(name, keys))})
        # A key that ends like an operator (`Env__empty`) is a key all the same, and no value means "without the tag".
        chosen = FilterValues(keys).resolve(filter_name(name), user.cost_scope[name])
        in_scope &= Q(**{f"{alias}__in": [value for value in chosen.values if value]})
    accounts = _of_accounts(user)
    in_scope &= accounts
    if sources := user.cost_scope.get(SOURCE):
        in_scope &= Q(**{f"{named(SOURCE).field}__in": ids_in(sources)})
    return current.filter(Q(owner__in=user.visible_team_ids) | in_scope)


def _of_accounts(user: Person) -> Q:
    """Of accounts by their ids, and of those in groups."""
    condition, field = Q(), named(ACCOUNT).field
    if accounts := user.cost_scope.get(ACCOUNT):
        condition |= Q(**{f"{field}__in": list(accounts)})
    if groups := user.cost_scope.get(ACCOUNT_GROUP):
        grouped = GroupedAccount.objects.filter(group__in=ids_in(groups)).order_by().values("account")
        condition |= Q(**{f"{field}__in": grouped})
    return condition


def _has_tags(rows: CostQuerySet) -> bool:
    try:
        rows.model._meta.get_field("tag_set")
    except FieldDoesNotExist:
        return False
    return True


def meaning(user: Person) -> object:
    """What the tags of her scope mean today, which says what she sees as much as the scope does."""
    return sorted(_keys(user, [name for name in user.cost_scope if is_tag(name)]).items())


def _keys(user: Person, tags: list[str]) -> TagKeys:
    """What the tags mean in the bills; asked once in a request, which is as long as `user` lives."""
    if not tags:
        return {}
    of_request: dict[str, Any] = vars(user)
    if "_keys_of_scope" not in of_request:
        of_request["_keys_of_scope"] = tag_keys_of(tags)
    return cast(TagKeys, of_request["_keys_of_scope"])


def account_groups() -> list[tuple[str, str]]:
    """(id, name) of every group of accounts."""
    return [(str(pk), name) for pk, name in AccountGroup.objects.values_list("pk", "name")]


def sources() -> list[tuple[str, str]]:
    """(id, name) of every source of bills."""
    return [(str(pk), name) for pk, name in Source.objects.order_by("name").values_list("pk", "name")]
