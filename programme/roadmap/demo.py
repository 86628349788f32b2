"""The demo's programme: at day 60 of 90, with the history that its own nights and people made."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from finops_site.lib.words import counted
from finops_site.models import Team, User
from finops_site.people.demo import DOMAIN
from finops_site.people.demo_rows import counted_rows, demo_people, demo_rows
from programme.calc.decision_rule import Verdict
from programme.models import DecisionPoint, Milestone, Programme, ProgrammeTemplate
from programme.roadmap import decisions, milestones, plans
from programme.roadmap.nightly import check_night
from programme.roadmap.seed_plan import ninety_days

DAY = 60
# {day of a milestone that people tick: (who, on which day, with what words)}; who owns the others is below.
TICKS = {
    6: ("max", 6, "Sponsor: Max. Tags and teams: Lea and Ola. Budgets: Fay."),
    25: ("fay", 28, "Four meetings of half an hour; Storefront's took two."),
}
OWNERS = {
    12: "fay",
    21: "fay",
    42: "ola",
    44: "lea",
    45: "ola",
    60: "fay",
    65: "lea",
    75: "fay",
    85: "lea",
    88: "fay",
    90: "ola",
}
TEAMS = {44: "Payments", 42: "Platform", 65: "Payments"}
DECISIONS = {
    7: (
        Verdict.GO,
        "Bills of a year are in, and every part has a name beside it. We begin.",
        ("lea", "fay", "ola", "max"),
    ),
    45: (
        Verdict.CONDITIONS,
        "Nobody has bought a reservation yet, and tags stand still. We go on if the first purchase is approved by "
        "day 65 and each lead has a list of her untagged resources.",
        ("lea", "fay", "max"),
    ),
}
# As what each of them signs.
ROLES = {"lea": "technical lead", "fay": "finance director", "ola": "engineering VP", "max": "CFO"}


def make_programme(say: Callable[[str], object], *, as_of: date) -> None:
    """The plan of the product, started 59 days ago; its nights, ticks, decisions and signatures follow in order."""
    people = {user.email.partition("@")[0]: user for user in User.objects.filter(email__endswith=f"@{DOMAIN}")}
    if Programme.objects.exists() or not set(ROLES) <= set(people):
        return
    start = as_of - timedelta(days=DAY - 1)
    now = _moment(start, 1)
    programme = plans.start(ninety_days(), start, by=people["fay"], now=now)
    _name_owners(programme, people)
    for day in range(1, DAY + 1):
        check_night(programme, start + timedelta(days=day - 1))
        for due, (name, ticked_on, note) in TICKS.items():
            if day == ticked_on:
                row = programme.milestones.get(due=start + timedelta(days=due - 1), figure="")
                milestones.tick(row, by=people[name], note=note, day=start + timedelta(days=day - 1))
        if day in DECISIONS:
            _decide(programme, day, people)
    # What was due before today was reminded of in its time.
    for rows in (Milestone.objects.all(), DecisionPoint.objects.undecided()):
        rows.filter(programme=programme, due__lte=as_of).update(reminded_on=as_of)
    met = programme.milestones.exclude(met_on=None).count()
    say(f"  a programme at day {DAY}: {counted(met, 'milestone')} met, two decisions recorded")


def _name_owners(programme: Programme, people: dict[str, User]) -> None:
    teams = {team.name: team for team in Team.objects.filter(name__in=TEAMS.values())}
    ticked = {due: name for due, (name, _day, _note) in TICKS.items()}
    for row in programme.milestones.all():
        day = (row.due - programme.start).days + 1
        if name := (OWNERS | ticked).get(day):
            row.owner = people[name]
            row.team = teams.get(TEAMS.get(day, ""))
            milestones.save_milestone(row)


def _decide(programme: Programme, day: int, people: dict[str, User]) -> None:
    verdict, why, signers = DECISIONS[day]
    row = programme.decisions.get(due=programme.start + timedelta(days=day - 1))
    for hour, name in enumerate(signers):
        decisions.sign(row, ROLES[name], by=people[name], now=_moment(programme.start, day, 9 + hour))
    decisions.record_decision(row, verdict, why, by=people["max"], now=_moment(programme.start, day, 15))


def _moment(start: date, day: int, hour: int = 8) -> datetime:
    return datetime.combine(start + timedelta(days=day - 1), time(hour), UTC)


def counts() -> list[tuple[str, int, int]]:
    return [counted_rows(_("programmes"), _programmes())]


def _programmes() -> QuerySet[Programme]:
    return Programme.objects.filter(pk__in=demo_rows(Programme)) | Programme.objects.filter(
        created_by__in=demo_people()
    )


def remove_programmes() -> None:
    _programmes().delete()
    ProgrammeTemplate.objects.filter(created_by__in=demo_people()).delete()
