"""What people call the groups of an answer: team names, account names, "no Team tag"."""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from costs.calc import dimensions
from costs.calc.dimensions import Choices
from costs.models import AccountGroup, Dimension, Pool, Source
from costs.query.scope import NOBODY, WITHOUT_TEAM, ids_in
from costs.query.spend import SpendRow
from finops_site.lib.words import in_sentence
from finops_site.models import Team
from finops_site.translation import gettext_lazy as _lazy

# What has an id and a name beside teams, and what people call cost that has none of it.
NAMED_BY_ID: Mapping[Choices, tuple[type[Pool | Source | AccountGroup], str]] = {
    Choices.POOLS: (Pool, _lazy("in no pool")),
    Choices.SOURCES: (Source, _lazy("of no source")),
    Choices.ACCOUNT_GROUPS: (AccountGroup, _lazy("in no group of accounts")),
}


def group_labels(group_by: Sequence[str], rows: Sequence[SpendRow]) -> dict[tuple[str, ...], str]:
    """{group: its label}."""
    columns = [value_labels(name, number, rows) for number, name in enumerate(group_by)]
    return {
        row.group: " · ".join(columns[number].get(value, value) for number, value in enumerate(row.group))
        for row in rows
    }


def value_labels(name: str, number: int, rows: Sequence[SpendRow]) -> dict[str, str]:
    """{value: its label} of one dimension; a value without one is its own."""
    dimension, values = dimensions.named(name), {row.group[number] for row in rows}
    nothing = {"": _("no {dimension}").format(dimension=in_sentence(dimension.label))}
    if dimension.is_tag:
        return {"": _("no {tag_key} tag").format(tag_key=dimension.tag_key)}
    if name == "resource":
        return {row.group[number]: row.name for row in rows if row.name} | nothing
    if dimension.choices is Choices.COST_CENTERS:
        return {"": _("no cost centre")}
    if dimension.choices is Choices.TEAMS:
        teams = Team.objects.filter(pk__in=ids_in(sorted(values)))
        return {str(team.pk): team.name for team in teams} | {key: str(words) for key, words in WITHOUT_TEAM.items()}
    if dimension.choices in NAMED_BY_ID:
        model, nothing_of_it = NAMED_BY_ID[dimension.choices]
        named_rows = model.objects.filter(pk__in=ids_in(sorted(values)))
        return {str(row.pk): row.name for row in named_rows} | {NOBODY: str(nothing_of_it)}
    if dimension.choices is Choices.CATALOGUE:
        labelled = Dimension.objects.filter(name=dimension.field, value__in=values).exclude(label="")
        return dict(labelled.values_list("value", "label")) | nothing
    return nothing
