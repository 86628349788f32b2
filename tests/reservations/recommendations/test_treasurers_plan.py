"""A plan that a treasurer signs: by finance's policy, up to the slice that still pays, one saving on one page."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse

from finops_site.models import AuditEntry, Team
from reservations import demo, panels
from reservations.calc import purchase_rules
from reservations.calc.discount_application import OwnedCommitment, Usage
from reservations.calc.purchase_replay import ReplayedPurchase, replay_purchases
from reservations.calc.terms import MachinePool
from reservations.models import BuyingPolicy, Plan, PurchaseRequest, StandingOrder
from reservations.purchases import purchase_requests, standing_orders
from reservations.recommendations import recommend as recommending
from reservations.recommendations.plan_parameters import Parameters, default_parameters
from tests.reservations.recommendations.test_recommend import hour, load, recommend

pytestmark = pytest.mark.django_db
# A machine of m5.large costs 0.096 an hour on demand and 0.06048 in an EC2 Instance SP of one year without upfront.
ONE_YEAR = {"terms": (12,), "payments": ("none",), "kinds": ("sp_ec2",)}
CHEAP = Decimal("0.06048")


def shifts(*hours_a_day, first=1, type_="m5.large"):
    """A week of machines that run so many hours of each day, from midnight on."""
    return [
        hour(day, at, f"i-{first + number}", type_)
        for number, count in enumerate(hours_a_day)
        for day in range(1, 8)
        for at in range(count)
    ]


def test_pages_command_api_and_demo_start_with_finances_policy(people, fay, client_of, tmp_path):
    load(tmp_path, shifts(24, 24))
    policy = BuyingPolicy.get()
    policy.longest_term, policy.upfront_limit, policy.cash_rate = 36, Decimal(500), Decimal("0.05")
    policy.coverage_limit, policy.minimum_utilisation = Decimal("0.6"), None
    policy.save()
    browser = client_of(fay)
    form = browser.get(reverse("reservations:recommend")).context["form"]
    values = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    browser.post(reverse("reservations:recommend"), values)
    browser.post("/api/v1/recommendations/", {}, content_type="application/json")
    call_command("recommend_commitments", "--as-of=2026-03-08", stdout=StringIO())
    Plan.objects.exclude(state="ready").update(as_of=date(2026, 3, 8))
    asked_by_doors = [plan.parameters for plan in Plan.objects.all()]
    Plan.objects.all().delete()
    demo.recommend(lambda text: None, as_of=date(2026, 3, 8))
    asked_by_doors.append(Plan.objects.get().parameters)
    assert len(asked_by_doors) == 4
    assert (
        asked_by_doors
        == [
            Parameters(
                terms=(12, 36), max_upfront=500.0, cash_rate=0.05, target_coverage=0.6, minimum_utilisation=None
            ).as_json()
            | {name: asked_by_doors[0][name] for name in ("terms", "payments", "kinds")}
        ]
        * 4
    )
    assert asked_by_doors[0]["terms"] == [12, 36]


def test_a_caller_may_ask_for_something_else_than_the_policy():
    plain = default_parameters()
    assert (plain.terms, plain.max_upfront, plain.target_coverage, plain.cash_rate) == ((12,), 0.0, 0.7, 0.08)
    other = default_parameters(terms=(36,), max_upfront=None)
    assert (other.terms, other.max_upfront, other.target_coverage) == ((36,), None, 0.7)


def test_fay_sets_the_policy_and_it_is_noted_who_did(people, fay, eli, client_of):
    url = reverse("reservations:buying_policy")
    values = {"monthly_ceiling": "0", "default_limit": "25000", "longest_term": "36", "upfront_limit": ""}
    values |= {"cash_percent": "6.5", "coverage_percent": "80", "utilisation_percent": ""}
    assert client_of(eli).post(url, values).status_code == 403
    page = client_of(fay).post(url, values, follow=True).content.decode()
    assert "The buying policy is saved" in page
    assert default_parameters() == Parameters(
        terms=(12, 36), target_coverage=0.8, cash_rate=0.065, minimum_utilisation=None, max_upfront=None
    )
    entry = AuditEntry.objects.about(BuyingPolicy.get()).first()
    assert (entry.actor, entry.changes["longest_term"]) == (fay, [12, 36])
    refused = client_of(fay).post(url, values | {"cash_percent": "-1"}).content.decode()
    assert "greater than or equal to 0" in refused


def test_a_slice_that_returns_less_than_cash_costs_is_not_bought_and_its_price_is_shown(tmp_path):
    """Two machines of which one runs 16 of 24 hours.

    Its commitment of 0.06048 an hour takes 0.096 x 2/3 = 0.064 off: it saves 0.00352, 5.8% of what it commits. Where
    cash costs nothing it is bought; where cash costs 8% a year it is not.
    """
    load(tmp_path, shifts(24, 16))
    assert recommend(**ONE_YEAR).items.get().quantity == 2 * CHEAP
    plan = recommend(**ONE_YEAR, cash_rate=0.08)
    item = plan.items.get()
    assert item.quantity == CHEAP
    assert plan.saving == (Decimal("0.096") - CHEAP) * 8760
    (row,) = [row for row in plan.working["limits_cost"] if row["name"] == "every slice that saves anything"]
    assert Decimal(row["saving"]) == pytest.approx(Decimal("0.00352") * 8760, abs=Decimal("0.001"))
    assert Decimal(row["return"]) == pytest.approx(Decimal("0.0582"), abs=Decimal("0.0001"))
    # The bound is what the cheapest plan costs, the slice that does not pay included.
    assert plan.lower_bound == pytest.approx(plan.cost_after - Decimal("0.00352") * 8760, abs=Decimal("0.001"))


def test_what_upfront_costs_decides_and_is_in_no_cost_that_is_shown(tmp_path):
    """All upfront costs 0.05664 an hour, 6.3% less than 0.06048: at 8% a year it pays, at 20% it does not."""
    load(tmp_path, shifts(24))
    limits = {"terms": (12,), "payments": ("none", "all"), "kinds": ("sp_ec2",)}
    cheap = recommend(**limits, cash_rate=0.08).items.get()
    assert (cheap.payment, cheap.quantity, cheap.upfront) == ("all", Decimal("0.05664"), Decimal("0.05664") * 8760)
    assert cheap.committed_cost == Decimal("0.05664") * 8760
    assert recommend(**limits, cash_rate=0.2).items.get().payment == "none"


def test_the_first_batch_saves_most_and_a_request_promises_what_its_batch_saves(people, eli, tmp_path):
    """Machines of 24, 24, 22, 20, 18 and 17 hours a day: the last batches cover what runs least."""
    load(tmp_path, shifts(24, 24, 22, 20, 18, 17))
    plan = recommend(**ONE_YEAR)
    item = plan.items.get()
    batches = item.working["ladder"]
    assert len(batches) == 4
    returns = [Decimal(batch["return"]) for batch in batches]
    assert returns == sorted(returns, reverse=True)
    assert returns[0] > 3 * returns[-1] > 0
    for name in ("saving", "quantity", "on_demand_cost", "committed_cost", "hourly"):
        assert sum(Decimal(batch[name]) for batch in batches) == getattr(item, name)
    now = datetime(2026, 3, 8, 9, tzinfo=UTC)
    Plan.objects.update(created_at=now)
    item.plan.refresh_from_db()
    for number in (1, 4):
        row = purchase_requests.request_purchase(item, user=eli, batch=number, comment="", now=now)
        batch = batches[number - 1]
        assert (row.saving, row.utilisation) == (Decimal(batch["saving"]), Decimal(batch["utilisation"]))
        assert (row.quantity, row.committed_cost) == (Decimal(batch["quantity"]), Decimal(batch["committed_cost"]))


def test_one_page_has_one_saving_and_no_bound_above_a_cost(tmp_path):
    load(tmp_path, shifts(24, 24, 22, 20, 18, 17) + shifts(24, 9, first=20, type_="c5.xlarge"))
    for limits in (
        {},
        ONE_YEAR,
        {"cash_rate": 0.08},
        {"target_coverage": 0.5},
        {"max_upfront": 300.0, "cash_rate": 0.1},
    ):
        plan = recommend(**limits)
        working = plan.working
        savings = [working["frontier"][-1]["saving"], working["risk"][0]["saving"], working["comparison"][-1]["saving"]]
        assert [Decimal(text) for text in savings] == [plan.saving] * 3
        assert sum(item.saving for item in plan.items.all()) == plan.saving
        assert 0 < plan.lower_bound <= plan.cost_after < plan.cost_before
        commitments = [Decimal(row["committed"]) for row in working["frontier"]]
        assert commitments == sorted(commitments)


def test_the_formula_on_the_page_is_the_one_that_decided(fay, people, client_of, tmp_path):
    load(tmp_path, shifts(24, 18, 16, 8))
    plan = recommend(**ONE_YEAR, cash_rate=0.08)
    item = plan.items.get()
    working = item.working
    # 0.63 x 1.08: a unit pays that runs in more than 68.04 % of the hours. The second runs in 75 %, the next in 66.7 %.
    assert (item.quantity, working["decided_by"]) == (2 * CHEAP, "formula")
    assert (working["ratio"], working["threshold"]) == ("0.63", "0.6804")
    assert (Decimal(working["runs"]), Decimal(working["next"])) == (Decimal("0.75"), Decimal("0.666667"))
    assert Decimal(working["committed"]) / Decimal(working["on_demand"]) == pytest.approx(
        Decimal("0.63"), abs=Decimal("1e-6")
    )
    page = client_of(fay).get(reverse("reservations:recommended_item", args=[plan.pk, 1])).content.decode()
    assert "68.04%" in page
    assert "The formula decided" in page


def test_a_limit_that_stopped_a_purchase_is_named_on_its_page(fay, people, client_of, tmp_path):
    load(tmp_path, shifts(24, 24))
    plan = recommend(**ONE_YEAR, target_coverage=0.5)
    working = plan.items.get().working
    assert working["decided_by"] == "limit"
    assert "“cover at most 50%” stopped it here" in working["decided"]
    page = client_of(fay).get(reverse("reservations:recommended_item", args=[plan.pk, 1])).content.decode()
    assert "stopped it here" in page


def test_purchases_replayed_by_the_bills_own_rules_save_what_was_recommended(tmp_path):
    """The same commitments on the same hours by `calc.discount_application`, in decimals, from what is stored."""
    pool = MachinePool("AWS", "us-east-1", "m5.large")
    runs = (24, 24, 22, 20, 18, 17)
    load(tmp_path, shifts(*runs))
    plan = recommend(**ONE_YEAR, cash_rate=0.08)
    item = plan.items.get()
    owned = OwnedCommitment("plan", item.kind, pool, item.quantity, rates={pool: (CHEAP, Decimal("0.096"))})
    hours = [(7, [Usage(pool, Decimal(sum(at < count for count in runs)))]) for at in range(24)]
    replay = replay_purchases(hours, [ReplayedPurchase(owned, item.hourly)], {pool: Decimal("0.096")})
    assert replay.hours == 168
    assert replay.saving * 8760 / 168 == pytest.approx(plan.saving, abs=Decimal("0.001"))
    assert replay.used["plan"] / 168 / item.quantity == pytest.approx(item.utilisation, abs=Decimal("1e-6"))


@pytest.mark.parametrize(
    ("machines", "limits"),
    [
        ([("m5.large", (24, 8))], {}),
        ([("m5.large", (24, 16, 12)), ("m5.xlarge", (24, 20)), ("m5.2xlarge", (23,))], {"kinds": ("ri_standard",)}),
        ([("m5.large", (24, 16)), ("c5.xlarge", (24, 9)), ("r5.large", (20,))], {"cash_rate": 0.08}),
        ([("m5.large", (24, 16)), ("c5.xlarge", (24, 9))], {"kinds": ("sp_compute",), "target_coverage": 0.5}),
        ([("m5.large", (24, 24)), ("c5.xlarge", (24, 24))], {"max_upfront": 700.0}),
        ([("m5.large", (24, 22, 20, 18)), ("m5.xlarge", (24,))], {"kinds": ("ri_standard", "sp_compute")}),
    ],
)
def test_every_plan_replays_to_its_own_saving(machines, limits, tmp_path):
    rows = [row for at, (type_, hours) in enumerate(machines) for row in shifts(*hours, first=10 * at, type_=type_)]
    load(tmp_path, rows)
    plan = recommend(**limits)
    replayed = plan.working["replayed"]
    assert plan.items.exists()
    assert (replayed["hours"], replayed["agrees"]) == (168, True)
    assert Decimal(replayed["saving"]) == pytest.approx(plan.saving, abs=Decimal("0.01"))


def test_the_companys_figures_come_from_the_companys_newest_plan_and_a_teams_by_name(people, fay, lea):
    payments = Team.objects.get(name="Payments")
    common = {"as_of": date(2026, 3, 8), "state": "ready", "cost_after": 0, "lower_bound": 0}
    company = Plan.objects.create(cost_before=91_700, **common)
    team = Plan.objects.create(cost_before=3_518, team=payments, **common)
    assert Plan.objects.newest_for(fay) == company
    assert Plan.objects.newest_for(lea) == team
    (advice,) = panels.commitment_advice(fay, {}, date(2026, 3, 8))
    assert (advice.amount, advice.url) == (Decimal(91_700) / 12, company.get_absolute_url())
    (advice,) = panels.commitment_advice(fay, {"team": [str(payments.pk)]}, date(2026, 3, 8))
    assert advice.amount == Decimal(3_518) / 12
    assert "for Payments" in advice.text
    (advice,) = panels.commitment_advice(fay, {"service": ["EC2"]}, date(2026, 3, 8))
    assert (advice.amount, "for the whole company" in advice.text) == (None, True)
    (advice,) = panels.commitment_advice(lea, {}, date(2026, 3, 8))
    assert "for Payments" in advice.text


def test_the_command_writes_quantities_as_people_do(tmp_path):
    load(tmp_path, shifts(24, 24))
    out = StringIO()
    call_command("recommend_commitments", "--as-of=2026-03-08", "--lookback=7", stdout=out)
    assert "000000" not in out.getvalue()
    assert "EC2 Instance SP" in out.getvalue()
    assert "Its batches return 58.7%" in out.getvalue()


def test_a_bill_of_days_saves_between_the_worst_and_the_best_hours(people, fay, client_of, tmp_path):
    """Four machines of 20 hours a day, in one charge a day: at worst all at once, at best 3.33 machines all day.

    At worst four run in 20 of 24 hours: a commitment for them is used to 83.3%, and saves 4 x (0.08 - 0.06048) an
    hour. At best only 3.33 run, all day, and the commitment for four covers as much: the hours are the same.
    """
    day = {"ConsumedQuantity": "20", "BilledCost": "1.92", "EffectiveCost": "1.92"}
    rows = [
        hour(number, 0, f"i-{machine}", **day, ChargePeriodEnd=f"2026-03-{number + 1:02}T00:00:00Z")
        for number in range(1, 8)
        for machine in range(4)
    ]
    load(tmp_path, rows)
    plan = recommend(**ONE_YEAR)
    assert plan.confidence == "daily"
    assert 0 < plan.saving <= plan.best_saving
    assert plan.working["saving_range"]["least"] == f"{plan.saving.normalize():f}"
    answer = client_of(fay).get(f"/api/v1/recommendations/{plan.pk}/").json()
    assert Decimal(answer["saving"]) <= Decimal(answer["best_saving"])


def test_purchases_and_slices_leave_as_sheets(people, fay, client_of, tmp_path):
    load(tmp_path, shifts(24, 24, 22, 20, 18, 17))
    plan = recommend(**ONE_YEAR)
    item = plan.items.get()

    def sheet(kind):
        answer = client_of(fay).get(plan.get_absolute_url(), {"_export": kind})
        return b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()

    head, all_of_it, *batches = sheet("csv")[:6]
    assert head.startswith("Purchase,Batch,Buy on")
    assert f",{item.working['ladder'][0]['quantity']}," in batches[0]
    assert f",{item.saving.normalize():f}," in all_of_it
    assert len(batches) == 4
    slices = sheet("slices")
    assert slices[0].startswith("Up to,Committed, a year"[:6])
    assert any(line.startswith("this plan,") for line in slices)


def test_what_is_bought_is_taken_off_and_the_rest_comes_in_the_batches_that_are_left(people, fay, tmp_path):
    """The first of four batches is bought: the order works the rest out anew, in three batches, and not the second."""
    load(tmp_path, shifts(24, 24, 22, 20, 18, 17))
    plan = recommend(**ONE_YEAR)
    now = datetime(2026, 3, 9, 9, tzinfo=UTC)
    Plan.objects.update(created_at=now)
    order = StandingOrder.objects.create(name="Monthly", made_by=fay)
    row = purchase_requests.request_purchase(plan.items.get(), user=fay, batch=1, comment="", now=now)
    PurchaseRequest.objects.filter(pk=row.pk).update(state=purchase_rules.SEEN, approved_by=people["max"])
    assert "what is left is worked out anew" in standing_orders.run_standing_order(order.pk, now)
    anew = Plan.objects.exclude(pk=plan.pk).get()
    assert anew.parameters == plan.parameters | {"batches_bought": 1}
    recommending.compute_recommendation(anew)
    item = anew.items.get()
    assert item.quantity < plan.items.get().quantity
    assert len(item.working["ladder"]) == 3


def test_each_purchase_names_the_formula_only_where_its_last_unit_pays_and_its_next_does_not(tmp_path):
    """Else it says what decided instead: a limit, other purchases, or the solver within its gap."""
    load(tmp_path, shifts(24, 22, 20, 18, 12) + shifts(24, 17, 9, first=20, type_="c5.xlarge"))
    plan = recommend(cash_rate=0.08, minimum_utilisation=0.9, target_coverage=0.8)
    for item in plan.items.all():
        working = item.working
        pays = Decimal(working["value"]) >= Decimal(working["pays_above"]) - Decimal("2e-6")
        next_pays = Decimal(working["next_value"]) > Decimal(working["pays_above"]) + Decimal("2e-6")
        assert (working["decided_by"] == "formula") == (pays and not next_pays)
        assert working["decided"]
