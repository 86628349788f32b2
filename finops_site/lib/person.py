"""The person who asks, as services and querysets need to know her. Pure: no Django here."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Person(Protocol):
    """A signed-in user, as services see her: which rows are hers to see, and what her role lets her do."""

    @property
    def pk(self) -> Any: ...

    @property
    def email(self) -> str: ...

    @property
    def is_authenticated(self) -> bool: ...

    @property
    def sees_whole_company(self) -> bool: ...

    @property
    def visible_team_ids(self) -> Sequence[int]: ...

    @property
    def cost_scope(self) -> Mapping[str, Sequence[str]]:
        """{filter: values} of the cost that her role lets her see beside that of her teams; empty for none."""
        ...

    def has_perm(self, perm: str, /) -> bool: ...


class WholeCompany:
    """Asks on nobody's behalf, for the work of a night: sees every row, and holds no permission to decide anything."""

    pk = None
    email = ""
    is_authenticated = False
    sees_whole_company = True
    visible_team_ids: Sequence[int] = ()
    cost_scope: Mapping[str, Sequence[str]] = {}

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return False


class OneTeam(WholeCompany):
    """Asks for the document of one team: sees what the team owns, whoever will read it."""

    sees_whole_company = False

    def __init__(self, team: int) -> None:
        self.visible_team_ids = [team]
