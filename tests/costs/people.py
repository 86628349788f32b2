"""The demo people, made as the demo makes them: a role each, eli and lea in Payments, ola in Data."""

from django.contrib.auth.models import Group

from finops_site.models import Membership, Team, User

ROLES = {
    "ada": "administrator",
    "fay": "finance",
    "eli": "engineering",
    "lea": "engineering",
    "ola": "engineering",
    "max": "executive",
}
TEAMS = {"eli": ("Payments", "member"), "lea": ("Payments", "lead"), "ola": ("Data", "lead")}


def person(name: str) -> User:
    user = User.objects.create_user(f"{name}@demo.example", "secret", name=name.capitalize())
    user.groups.add(Group.objects.get(name=ROLES[name]))
    if name in TEAMS:
        team, role = TEAMS[name]
        Membership.objects.create(user=user, team=Team.objects.get_or_create(name=team)[0], role=role)
    return user
