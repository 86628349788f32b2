"""A team with dev and production machines in its bill, a budget of 300, and a control at half of it."""

import json
from datetime import date, timedelta

from django.contrib.auth.models import Group

from budgets.controls import approvals
from budgets.models import Control, ControlAccess, ControlPolicy
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Credential
from finops_site.models import User
from finops_site.people.roles import FINANCE
from tests import bills
from tests.budgets.conftest import at
from tests.shared_fixtures import shared

ACCOUNT, OTHER = "000000000042", "000000000077"
DEV, PROD, BARE, RESERVED, POOLED, ELSEWHERE = (f"i-{number:017x}" for number in range(1, 7))
DATABASE = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:orders-dev"
# resource: (cost a day, tags, other columns)
MACHINES = {
    DEV: ("10.00", {"Environment": "dev"}, {"ResourceName": "build-1"}),
    PROD: ("20.00", {"Environment": "Production"}, {}),
    BARE: ("5.00", {}, {}),
    RESERVED: ("4.00", {"Environment": "dev"}, {"CommitmentDiscountId": "ri-1", "CommitmentDiscountStatus": "Used"}),
    POOLED: ("3.00", {"Environment": "dev", "aws:autoscaling:groupName": "agents"}, {}),
    ELSEWHERE: ("2.00", {"Environment": "dev"}, {"SubAccountId": OTHER}),
    DATABASE: ("6.00", {"Environment": "test"}, {"ServiceName": "Amazon Relational Database Service"}),
}
DAY = date(2026, 3, 14)
NOW = at(date(2026, 3, 15))


def row(day, resource, cost, tags, more):
    return {
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "ResourceId": resource,
        "ResourceName": resource,
        **dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost),
        "Tags": json.dumps({"Team": "Payments", **tags}),
        **more,
    }


@shared
def bill(payments, tmp_path):
    """Delivers March: what the machines cost, and nothing of those that `stopped` says are stopped on a day."""

    def deliver(until=DAY, stopped=lambda resource, day: False, machines=MACHINES):
        days = [date(2026, 3, 1) + timedelta(days=number) for number in range(until.day)]
        rows = [row(day, name, *spec) for day in days for name, spec in machines.items() if not stopped(name, day)]
        # A disk of the dev machine is paid for as before.
        storage = {"ConsumedUnit": "GB-Mo", "ResourceName": "build-1"}
        rows += [row(day, DEV, "1.00", {"Environment": "dev"}, storage) for day in days]
        path = bills.write(tmp_path, "2026-03.csv", bills.focus_csv(rows))
        (received,) = receive_bill("northwind", [path], is_accepted=True)
        return load_bill(received.delivery)

    return deliver


@shared
def flo(people):
    """A second person of finance."""
    flo = User.objects.create(email="flo@demo.example", name="Flo")
    flo.groups.set([Group.objects.get(name=FINANCE)])
    return flo


@shared
def budget(bill, budget_of, payments):
    bill()
    return budget_of("Payments", "300", team=payments)


@shared
def control_of(budget, fay):
    """A control of the budget's threshold at half, defined by fay."""

    def make(name="Stop dev machines", **fields):
        threshold = budget.thresholds.get(kind="actual", percent=50)
        defaults = {"budget": budget, "threshold": threshold, "action": "stop", "accounts": [ACCOUNT], "most_share": 1}
        control = Control(name=name, **{**defaults, **fields})
        control.full_clean(exclude=["changed_by"])
        return approvals.save_control(control, user=fay, now=NOW)

    return make


@shared
def proposed(control_of, night):
    """The change set that the control proposes on the night of 15 March."""

    def propose(**fields):
        control = control_of(**fields)
        night(DAY + timedelta(days=1))
        return control.change_sets.get()

    return propose


@shared
def by_role(people):
    """Running by role is on, and the account is on the allow-list."""
    credential = Credential(name="controls")
    credential.seal({"access_key_id": "testing", "secret_access_key": "testing"})
    credential.save()
    ControlAccess.objects.create(account=ACCOUNT, credential=credential, actions=["stop", "scale", "quota", "key"])
    ControlPolicy.objects.update_or_create(pk=1, defaults={"by_role": True})
