"""Which programme pages are about, and starting one from a plan by its name."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from finops_site.models import User
from programme.models import Programme, ProgrammeTemplate
from programme.roadmap import plans
from programme.roadmap.nightly import play_nights
from programme.roadmap.seed_plan import ninety_days

MAY_SEE = "programme.view_programme"
# The plan that comes with the product; templates by their ids, the plan of a programme as "programme-3".
NINETY_DAYS, OF_PROGRAMME = "ninety-days", "programme-"


def current_programme() -> Programme | None:
    """The one that runs; else the next that is planned; else the last that ended."""
    rows = list(Programme.objects.order_by("start"))
    running = [row for row in rows if row.is_running]
    planned = [row for row in rows if row.status == Programme.Status.PLANNED]
    return next(iter([*running, *planned, *reversed(rows)]), None)


def plan_by_name(name: str) -> tuple[dict[str, Any], str]:
    """A plan and what it is called. Raises CannotDo where there is none."""
    if name == NINETY_DAYS:
        plan = ninety_days()
        return plan, plan["name"]
    number = name.removeprefix(OF_PROGRAMME)
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise plans.CannotDo(_("There is no such plan."))
    if name.startswith(OF_PROGRAMME):
        programme = Programme.objects.filter(pk=number).first()
        if programme:
            return plans.plan_of(programme), programme.name
    elif template := ProgrammeTemplate.objects.filter(pk=number).first():
        return template.plan, template.name
    raise plans.CannotDo(_("There is no such plan."))


def start_programme(name: str, values: dict[str, Any], *, by: User, now: datetime) -> Programme:
    """A programme from a plan; one that runs looks at its figures at once. Raises BadDates and CannotDo.

    `values`: the first day, and as wished a name, a length and whether it runs from now on.
    """
    plan, template = plan_by_name(name)
    programme = plans.start(
        plan,
        values["start"],
        by=by,
        now=now,
        name=values.get("name", ""),
        days=values.get("days"),
        template_name=template,
        begins_now=values.get("begins_now", True),
    )
    if programme.is_running:
        play_nights(programme, now.date())
    return programme


def begin_programme(programme: Programme, now: datetime) -> None:
    """A planned one runs from now on, and looks at its figures at once. Raises BadDates and CannotDo."""
    plans.begin(programme, now.date())
    play_nights(programme, now.date())
