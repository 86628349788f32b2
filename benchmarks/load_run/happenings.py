"""What happens once while the people are at work: finance uploads a small bill, and the night begins."""

import json
import random
from datetime import date, timedelta

from celery import Celery

from benchmarks.load_run.browser import RunIsOver, Surprise
from benchmarks.load_run.journeys import Visit, World
from benchmarks.load_run.people import PEOPLE
from tests import bills

ROWS, LOOK_AGAIN_SECONDS = 500, 3.0
NIGHT = "finops_site.tasks.run_nightly_checks"


def upload_bill(world: World, after: float) -> None:
    """A finance person brings a bill and looks at its page until it counts; a surprise where it never does."""
    visit = Visit(next(person for person in PEOPLE if person.kind == "finance"), world)
    try:
        visit.wait(after)
        visit.sign_in()
        page = visit.open("upload a bill, form", "/deliveries/upload/")
        (form,) = page.forms(r"", "source")
        file = ("small.csv", small_bill(world.months[0]))
        page = visit.browser.send("upload a bill", page, form, file, source="A small account")
        number, status = page.path.rstrip("/").rpartition("/")[2], ""
        while status != "current":
            visit.wait(LOOK_AGAIN_SECONDS)
            visit.browser.get("the bill that was uploaded", page.path)
            status = json.loads(visit.browser.get("API: a bill", f"/api/v1/deliveries/{number}/").text)["status"]
    except RunIsOver:
        world.surprises.append("the bill that was uploaded did not count in the end")
    except Surprise as surprise:
        world.surprises.append(f"upload of a bill: {surprise}")


def begin_night(world: World, after: float, broker: str) -> None:
    """Has the worker run every check of the night, as beat does at ten past five."""
    if not world.stop.wait(after):
        Celery(broker=f"{broker}/0").send_task(NIGHT)


def small_bill(month: str) -> bytes:
    """Of a few days of a month, of teams that are there; never the same twice, for the same is not loaded again."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    period = {"BillingPeriodStart": f"{first}T00:00:00Z", "BillingPeriodEnd": f"{after}T00:00:00Z"}
    return bills.focus_csv((_row(first, number) for number in range(ROWS)), **period)


def _row(first: date, number: int) -> dict[str, str]:
    day = first + timedelta(days=number % 20)
    cost = f"{1 + random.random():.6f}"
    return {
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "ResourceId": f"i-small-{number % 50}",
        "Tags": f'{{"Owner": "owner{number % 50}"}}',
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
    }
