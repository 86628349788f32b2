"""The scope of a role: accounts, groups of accounts, a tag and sources whose cost its people see, whoever owns it.

It is kept as {filter: values}, by the names that filters of cost have everywhere: `account`, `account_group`, `source`,
`tag:Environment`. A line fits that all of them fit; accounts and groups of accounts are one of them.
"""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from finops_site.registry import ScopeChoices, registry

ACCOUNT, ACCOUNT_GROUP, SOURCE, TAG = "account", "account_group", "source", "tag:"
MOST_VALUES, LONGEST_VALUE, LONGEST_KEY = 200, 1000, 128

Scope = Mapping[str, Sequence[str]]


class BadScope(ValueError):
    """Why there is no such scope, in a sentence."""


def choices_of(name: str) -> list[tuple[str, str]]:
    """(value, name) of what a filter offers, as a pillar registered it."""
    return [choice for one in registry.of(ScopeChoices) if one.name == name for choice in one.choices()]


def scope_from(
    accounts: Sequence[str],
    account_groups: Sequence[str],
    tag_key: str,
    tag_values: Sequence[str],
    sources: Sequence[str],
) -> dict[str, list[str]]:
    """The scope that was filled in, without what is empty. Raises BadScope."""
    if bool(tag_key) != bool(tag_values):
        raise BadScope(_("A tag has a key, and the values that are seen."))
    scope = {ACCOUNT: accounts, ACCOUNT_GROUP: account_groups, f"{TAG}{tag_key}": tag_values, SOURCE: sources}
    return {name: list(dict.fromkeys(values)) for name, values in scope.items() if values}


def check_scope(scope: Scope) -> None:
    """Raises BadScope for what no filter of a scope is."""
    known = {ACCOUNT, ACCOUNT_GROUP, SOURCE}
    for name, values in scope.items():
        if name not in known and (not name.startswith(TAG) or not 0 < len(name) - len(TAG) <= LONGEST_KEY):
            raise BadScope(_("{name!r} is nothing to see cost by.").format(name=name[:80]))
        if len(values) > MOST_VALUES or any(not value or len(value) > LONGEST_VALUE for value in values):
            raise BadScope(_("Name at most {count} of each.").format(count=MOST_VALUES))
        offered = {value for value, _name in choices_of(name)} if name in (ACCOUNT_GROUP, SOURCE) else set(values)
        if unknown := sorted(set(values) - offered):
            raise BadScope(_("There is no {value!r} to choose.").format(value=unknown[0][:80]))


def parts_of(scope: Scope) -> dict[str, list[str]]:
    """The fields of the form that a scope is shown in."""
    key = next((name.removeprefix(TAG) for name in scope if name.startswith(TAG)), "")
    return {
        "accounts": list(scope.get(ACCOUNT, ())),
        "account_groups": list(scope.get(ACCOUNT_GROUP, ())),
        "tag_key": [key] if key else [],
        "tag_values": list(scope.get(f"{TAG}{key}", ())) if key else [],
        "sources": list(scope.get(SOURCE, ())),
    }


def scope_text(scope: Scope) -> str:
    """A scope in words."""
    parts = parts_of(scope)
    groups, sources = dict(choices_of(ACCOUNT_GROUP)), dict(choices_of(SOURCE))
    accounts = [*parts["accounts"], *(groups.get(value, value) for value in parts["account_groups"])]
    sentences = []
    if accounts:
        sentences.append(_("of {names}").format(names=", ".join(accounts)))
    if parts["tag_key"]:
        values = ", ".join(parts["tag_values"])
        sentences.append(_("with {key}: {values}").format(key=parts["tag_key"][0], values=values))
    if parts["sources"]:
        names = ", ".join(sources.get(value, value) for value in parts["sources"])
        sentences.append(_("from {names}").format(names=names))
    return "; ".join(sentences)
