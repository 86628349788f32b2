"""Who the fifty people are."""

from typing import NamedTuple

LEAD, MEMBER = "lead", "member"
# How many of each role; `place` is what they are in their team.
CROWD = (
    ("lead", "engineering", LEAD, 20),
    ("engineer", "engineering", MEMBER, 18),
    ("finance", "finance", "", 6),
    ("executive", "executive", "", 4),
    ("administrator", "administrator", "", 2),
)


class Person(NamedTuple):
    """Of the company; `kind` is whose journeys she makes."""

    kind: str
    name: str
    role: str
    place: str

    @property
    def email(self) -> str:
        return f"{self.name}@load.example"


PEOPLE = [
    Person(kind, f"{kind}-{number:02}", role, place) for kind, role, place, count in CROWD for number in range(count)
]


def some_people(count: int) -> list[Person]:
    """So many of them: one of each kind first, then of each about the share that it has among all."""
    sizes = {kind: size for kind, _, _, size in CROWD}
    return sorted(PEOPLE, key=lambda person: int(person.name.rpartition("-")[2]) / sizes[person.kind])[:count]
