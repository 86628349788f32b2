"""What proved savings are of: whole teams, named alike by every pillar, so that no money counts twice."""

from collections.abc import Mapping

from finops_site.lib.trees import all_above
from finops_site.models import Team

COMPANY = "company"


def team_parents() -> dict[int, int | None]:
    """{team: the team above it}, of all teams."""
    return dict(Team.objects.order_by().values_list("pk", "parent"))


def team_key(team: int) -> str:
    return f"team:{team}"


def scope_of(team: int | None, parents: Mapping[int, int | None]) -> frozenset[str]:
    """The scope of a team and all below it; of the whole company where there is none."""
    if team is None:
        return frozenset({COMPANY, *map(team_key, parents)})
    below = (other for other in parents if other == team or team in all_above(other, parents))
    return frozenset({team_key(team), *map(team_key, below)})
