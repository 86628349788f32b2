"""The people of the demo organisation: four teams and six people who sign in."""

import os
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import date

from django.contrib.auth.models import Group
from django.db import transaction

from finops_site.models import DemoCompany, Membership, Team, User
from finops_site.people.demo_rows import made_as_demo, noted_as_demo
from finops_site.people.roles import ADMINISTRATOR, ENGINEERING, EXECUTIVE, FINANCE
from finops_site.registry import DemoStep, registry

DOMAIN = "demo.example"
# run.py waits for this line: from it on the logins work.
PEOPLE_ARE_HERE = "  the people of the demo may sign in"
TEAMS = {"Payments": "CC-1001", "Data": "CC-1002", "Storefront": "CC-1003", "Platform": "CC-1004"}
# name -> (full name, role, {team: role in it})
PEOPLE: dict[str, tuple[str, str, dict[str, str]]] = {
    "ada": ("Ada Okafor", ADMINISTRATOR, {}),
    "fay": ("Fay Lindqvist", FINANCE, {}),
    "eli": ("Eli Navarro", ENGINEERING, {"Payments": Membership.Role.MEMBER}),
    "lea": ("Lea Brandt", ENGINEERING, {"Payments": Membership.Role.LEAD}),
    "ola": ("Ola Haugen", ENGINEERING, {"Data": Membership.Role.LEAD}),
    "max": ("Max Ferreira", EXECUTIVE, {}),
}


def password() -> str:
    """The password of all demo people: run.py makes one and prints it."""
    return os.environ.get("FINOPS_DEMO_PASSWORD") or secrets.token_urlsafe(9)


@transaction.atomic
def make_people(demo_password: str) -> None:
    """Teams, people, roles and memberships; what is there already stays, with this password."""
    for name, center in TEAMS.items():
        Team.objects.update_or_create(name=name, defaults={"cost_center": center, "email": f"{name.lower()}@{DOMAIN}"})
    for name, (full_name, role, teams) in PEOPLE.items():
        user, _ = User.objects.get_or_create(email=f"{name}@{DOMAIN}", defaults={"name": full_name})
        user.set_password(demo_password)
        user.save(update_fields=["password"])
        user.groups.set([Group.objects.get(name=role)])
        for team, membership in teams.items():
            Membership.objects.update_or_create(
                user=user, team=Team.objects.get(name=team), defaults={"role": membership}
            )


def make_demo(
    write: Callable[[str], object],
    *,
    as_of: date,
    demo_password: str,
    switches: Collection[str] = (),
    adds: bool = False,
) -> None:
    """The people, then what every pillar has registered, in order; steps with a switch where it is among `switches`.

    `adds` leaves a demo that is there as it is, and makes the steps of the switches only.
    """
    steps = [step for step in registry.of(DemoStep) if step.switch in switches or not (step.switch or adds)]
    if adds:
        with noted_as_demo():
            _make(steps, write, as_of, demo_password)
        return
    with made_as_demo() as company:

        def write_and_note(line: str) -> None:
            DemoCompany.objects.filter(pk=company.pk).update(making_step=line.strip()[:200])
            write(line)

        _make(steps, write_and_note, as_of, demo_password)


def _make(steps: Sequence[DemoStep], write: Callable[[str], object], as_of: date, demo_password: str) -> None:
    make_people(demo_password)
    write(PEOPLE_ARE_HERE)
    for step in steps:
        step.run(write, as_of=as_of)
