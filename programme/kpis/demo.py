"""The demo's KPIs: every night of two months, targets for the ninetieth day, owners, and what two people say."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from finops_site.lib.periods import Period
from finops_site.models import User
from finops_site.people.demo import DOMAIN
from finops_site.people.demo_rows import counted_rows, demo_people, demo_rows
from finops_site.registry import Kpi as RegisteredKpi
from finops_site.registry import registry
from programme.kpis import nights, targets
from programme.models import Kpi, KpiComment, KpiDay, KpiTargetChange

# The programme of ninety days is at its sixtieth.
BEGAN_DAYS_AGO, DAYS_LEFT = 60, 30
OWNERS = {
    "commitment-coverage": "fay",
    "commitment-utilisation": "fay",
    "savings-realised": "fay",
    "budget-variance": "fay",
    "active-budgets": "fay",
    "alert-response": "lea",
    "tag-compliance": "lea",
    "team-adoption": "ola",
    "owned-cost": "fay",
}
COMMENTS = (
    ("commitment-coverage", "max", "Buy in small steps: the first ten must be proved by a bill before the next."),
    ("tag-compliance", "fay", "The policy is new; most of what is missing are two keys of Storefront's machines."),
)


def make_kpis(say: Callable[[str], object], *, as_of: date) -> None:
    """The night before the programme, targets and owners by it, then every night; what is there is left alone.

    What the bills of a day say is known of each; what somebody did since counts from when she did it.
    """
    began = as_of - timedelta(days=BEGAN_DAYS_AGO)
    _play(began)
    _set_targets(began, as_of)
    for day in Period(began + timedelta(days=1), as_of + timedelta(days=1)).each_day():
        _play(day)
    say(f"  {KpiDay.objects.count()} values of KPIs in {BEGAN_DAYS_AGO + 1} nights")


def _play(day: date) -> None:
    nights.store_day(day, now=datetime.combine(day, nights.NIGHT, UTC))


def _set_targets(began: date, as_of: date) -> None:
    """What fay decided on the first day, by what the night before it measured, and two comments of later."""
    measured = dict(KpiDay.objects.filter(day=began).values_list("name", "value"))
    people = {name: User.objects.get(email=f"{name}@{DOMAIN}") for name in ("fay", "lea", "ola", "max")}
    kpis = {kpi.name: kpi for kpi in registry.of(RegisteredKpi)}
    now = datetime.combine(began, time(9), UTC)
    for name, owner in OWNERS.items():
        if name in kpis and not Kpi.objects.filter(name=name).exists():
            baseline = measured.get(name)
            values = {
                "owner": people[owner],
                "target_day": as_of + timedelta(days=DAYS_LEFT) if kpis[name].target is not None else None,
                "baseline": baseline,
                "baseline_day": None if baseline is None else began,
            }
            targets.save_settings(kpis[name], values, by=people["fay"], now=now)
    for name, author, text in COMMENTS:
        if not KpiComment.objects.filter(name=name).exists():
            at = datetime.combine(as_of - timedelta(days=12), time(10), UTC)
            targets.add_comment(kpis[name], text, by=people[author], now=at)


def counts() -> list[tuple[str, int, int]]:
    """What goes and what stays: every stored value counted the made-up bills, so that none of them stays."""
    return [
        counted_rows(_("stored values of KPIs"), KpiDay.objects.all()),
        counted_rows(_("targets of KPIs"), _settings()),
    ]


def remove_kpis() -> None:
    KpiDay.objects.all().delete()
    KpiTargetChange.objects.filter(name__in=_settings().values("name")).delete()
    _settings().delete()
    (demo_rows(KpiComment) | KpiComment.objects.filter(author__in=demo_people())).delete()


def _settings() -> QuerySet[Kpi]:
    """Those that the demo made, or one of its people changed."""
    return Kpi.objects.filter(changed_by__in=demo_people())
