"""Kubernetes: the cost of machines, split among what ran on them, to the last digit and never as cost of its own."""

import io
import json
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from costs import reconciliation
from costs.calc.cluster_splits import shares_sql
from costs.clusters import shares
from costs.clusters.of_bills import split_nightly
from costs.clusters.receive import receive_allocations
from costs.formats.base import BadBill
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import ClusterFile, ClusterUsage, CostLine
from finops_site.celery import app
from finops_site.lib.money import split as split_money
from finops_site.lib.periods import Month, Period
from finops_site.lib.person import WholeCompany
from finops_site.models import Team
from tests import bills
from tests.shared_fixtures import shared

pytestmark = pytest.mark.django_db
MARCH = Month(2026, 3).period
DAY = {"start": "2026-03-05T00:00:00Z", "end": "2026-03-06T00:00:00Z"}


def allocation(name, cpu, ram="0", *, node="i-1", namespace="", controller="", labels=None, window=DAY, cluster="shop"):
    """One entry of the answer of /allocation, as OpenCost and Kubecost write it."""
    where = {"cluster": cluster, "node": "ip-10", "namespace": namespace, "controllerKind": "deployment"}
    properties = where | {"controller": controller, "pod": name, "labels": labels or {}}
    if node:
        properties["providerID"] = node
    costs = {"cpuCost": float(cpu), "ramCost": float(ram), "pvCost": 99.0, "totalCost": 99 + float(cpu) + float(ram)}
    return {"name": name, "properties": properties, "window": window, **costs}


def opencost(*allocations, **more):
    return json.dumps({"code": 200, "data": [{entry["name"]: entry for entry in allocations}], **more}).encode()


PODS = (
    allocation("web-1", "2", "1", namespace="shop", controller="web", labels={"app": "web"}),
    allocation("web-2", "0.5", "0.5", node="aws:///us-east-1a/i-2", namespace="shop", controller="web"),
    allocation("job-1", "1", "1", namespace="data", controller="etl", labels={"app": "etl"}),
    allocation("__idle__", "1", "0", node=""),
)

POD = {
    "lineItem/Operation": "EKSPod-EC2",
    "lineItem/UnblendedCost": "0",
    "splitLineItem/ParentResourceId": "i-1",
    "resourceTags/aws:eks:cluster-name": "shop",
}
# A machine of 0.96 in an AWS report, and its two pods.
REPORT = bills.cur_csv(
    [
        {"lineItem/UnblendedCost": "0.96"},
        POD
        | {
            "lineItem/ResourceId": "arn:aws:eks:us-east-1:1:pod/shop/web/web-1/u1",
            "resourceTags/aws:eks:namespace": "web",
            "splitLineItem/SplitCost": "0.5",
            "splitLineItem/UnusedCost": "0.2",
        },
        POD
        | {
            "lineItem/ResourceId": "arn:aws:eks:us-east-1:1:pod/shop/job/job-1/u2",
            "resourceTags/aws:eks:namespace": "job",
            "splitLineItem/SplitCost": "0.2",
            "splitLineItem/UnusedCost": "0.06",
        },
    ]
)


@pytest.fixture
def bring(tmp_path):
    """Loads a file of allocations."""

    def bring(content, name="allocations.json", **options):
        return receive_allocations([(name, bills.write(tmp_path, name, content))], **options)

    return bring


@shared
def machines(tmp_path):
    """A bill of two machines, i-1 of 10 and i-2 of 1.00000000000000001, and a database that is in no cluster."""
    rows = [
        {"ResourceId": "arn:aws:ec2:us-east-1:1:instance/i-1", "BilledCost": "12", "EffectiveCost": "10"},
        {"ResourceId": "i-2", "BilledCost": "2", "EffectiveCost": "1.00000000000000001"},
        {"ResourceId": "db-1", "BilledCost": "50", "EffectiveCost": "50"},
    ]
    (received,) = receive_bill("aws", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    return load_bill(received.delivery)


@shared
def google(tmp_path):
    """A bill of machines that are all called node-1: in p1, in another zone of p1, and in p2."""
    rows = [
        {
            "ProviderName": "Google Cloud",
            "SubAccountId": project,
            "ResourceId": f"//compute.googleapis.com/projects/{project}/zones/{zone}/instances/node-1",
            "EffectiveCost": cost,
        }
        for project, zone, cost in (("p1", "z", "10"), ("p1", "other", "1000"), ("p2", "z", "100"))
    ]
    (received,) = receive_bill("google", [bills.write(tmp_path, "g.csv", bills.focus_csv(rows))])
    return load_bill(received.delivery)


def amounts(by="namespace", user=None, **options):
    return {
        (share.key or "-") if not share.is_idle else "idle": share.amount
        for share in shares.split(user or WholeCompany(), MARCH, by, **options)
    }


def assert_books_hold():
    assert [check for check in reconciliation.reconcile() if not check.holds] == []


class TestShares:
    def test_a_machine_is_split_by_what_ran_on_it_and_idle_is_carried_by_each_machine(self, bring, machines):
        """Of 6 that ran, 5 on i-1 and 1 on i-2; idle is 1, a sixth of what ran: 6/7 and 1/7 of each machine.

        i-1: 10 x 6/7 = 8.571428..., of it shop 3/5 and data 2/5. i-2: all of what ran is shop's.
        """
        bring(opencost(*PODS))
        split = amounts()
        assert sum(split.values()) == Decimal("11.00000000000000001")
        assert split["shop"].quantize(Decimal("1e-10")) == Decimal("6.0000000000"), "36/7 + 6/7"
        assert split["data"].quantize(Decimal("1e-10")) == Decimal("3.4285714286"), "10 x 6/7 x 2/5"
        assert split["idle"].quantize(Decimal("1e-10")) == Decimal("1.5714285714"), "11/7"

    @pytest.mark.parametrize("by", ["namespace", "workload", "pod", "node", "cluster", "label:app"])
    @pytest.mark.parametrize("metric", ["effective_cost", "billed_cost"])
    def test_whatever_it_is_split_by_it_sums_to_the_machines_to_the_last_digit(self, bring, machines, by, metric):
        bring(opencost(*PODS))
        lines = {"effective_cost": Decimal("11.00000000000000001"), "billed_cost": Decimal(14)}
        assert sum(amounts(by, metric=metric).values()) == lines[metric]
        assert shares.totals(WholeCompany(), MARCH, metric=metric) == {"USD": lines[metric]}
        assert_books_hold()

    def test_workloads_and_labels_are_what_they_are_called(self, bring, machines):
        bring(opencost(*PODS))
        assert set(amounts("workload")) == {"shop/deployment/web", "data/deployment/etl", "idle"}
        assert set(amounts("label:app")) == {"web", "etl", "-", "idle"}

    def test_nothing_becomes_cost_of_its_own(self, bring, machines):
        before = list(CostLine.objects.values_list("id", "billed_cost"))
        bring(opencost(*PODS))
        assert list(CostLine.objects.values_list("id", "billed_cost")) == before

    def test_machines_without_a_bill_are_named(self, bring, machines):
        bring(opencost(*PODS, allocation("web-9", "1", node="i-9", namespace="shop")))
        assert [(row.cluster, row.node, row.days) for row in shares.unmatched(WholeCompany(), MARCH)] == [
            ("shop", "i-9", 1)
        ]
        assert_books_hold()

    def test_a_file_without_machines_splits_what_the_bill_says_is_of_the_cluster(self, bring, tmp_path):
        row = {"ResourceId": "i-7", "EffectiveCost": "9", "Tags": '{"eks:cluster-name": "shop"}'}
        (received,) = receive_bill(
            "aws", [bills.write(tmp_path, "m.csv", bills.focus_csv([row, {"ResourceId": "i-8"}]))]
        )
        load_bill(received.delivery)
        entries = [
            allocation("shop", "2", node="", namespace="shop"),
            allocation("data", "1", node="", namespace="data"),
        ]
        for entry in entries:
            del entry["properties"]["node"]
        bring(opencost(*entries))
        assert amounts() == {"shop": Decimal(6), "data": Decimal(3)}

    @pytest.mark.parametrize("node", ["gce://p1/z/node-1", "gce://P1/z/Node-1"])
    def test_a_name_that_two_projects_have_is_the_machine_of_its_project(self, bring, google, node):
        bring(opencost(allocation("web-1", "1", node=node, namespace="shop")))
        assert amounts() == {"shop": Decimal(10)}
        assert shares.unmatched(WholeCompany(), MARCH) == []
        assert_books_hold()

    def test_a_name_that_two_zones_have_is_the_machine_of_its_zone(self, bring, google):
        bring(opencost(allocation("web-1", "1", node="gce://p1/other/node-1", namespace="shop")))
        assert amounts() == {"shop": Decimal(1000)}

    def test_a_bare_name_that_two_projects_have_is_nobodys_and_listed(self, bring, google):
        bring(opencost(allocation("web-1", "1", node="node-1", namespace="shop")))
        assert amounts() == {}
        assert [(row.node, row.days) for row in shares.unmatched(WholeCompany(), MARCH)] == [("node-1", 1)]

    def test_allocations_that_were_aggregated_say_that_nothing_can_be_split(self, bring, machines):
        entry = allocation("shop", "2", node="", namespace="shop")
        del entry["properties"]["node"]
        row = bring(opencost(entry))
        assert "No row of shop names a machine" in row.notes
        assert amounts() == {}
        assert [(row.cluster, row.node, row.days) for row in shares.unmatched(WholeCompany(), MARCH)] == [
            ("shop", "", 1)
        ]

    def test_a_lead_sees_the_shares_of_her_teams_machines(self, bring, machines, people):
        team = Team.objects.filter(pk__in=people["lea"].visible_team_ids).first()
        CostLine.objects.filter(resource="i-2").update(owner=team)
        bring(opencost(*PODS))
        assert sum(amounts(user=people["lea"]).values()) == Decimal("1.00000000000000001")
        assert set(amounts(user=people["lea"])) == {"shop", "idle"}

    @pytest.mark.parametrize("by", ["nothing", "label:", "namespace; DROP TABLE x"])
    def test_what_cannot_be_asked_is_refused_in_words(self, by):
        with pytest.raises(ValueError, match="nothing to split by"):
            shares.split(WholeCompany(), MARCH, by)


@given(
    amount=st.decimals("-1000", "1000", places=18),
    weights=st.lists(st.decimals("0", "100", places=6), min_size=1, max_size=8).filter(any),
)
def test_the_database_splits_as_the_largest_remainder_does(amount, weights):
    rows = ", ".join(f"(1, {amount}::numeric, {weight}::numeric, '{tie:02}')" for tie, weight in enumerate(weights))
    with connection.cursor() as cursor:
        pairs = f"SELECT * FROM (VALUES {rows}) v(line, amount, weight, tie)"
        cursor.execute(f"SELECT share FROM ({shares_sql(pairs)}) s ORDER BY tie")
        split = [share for (share,) in cursor.fetchall()]
    assert sum(split) == amount
    assert max(abs(a - b) for a, b in zip(split, split_money(amount, weights), strict=True)) <= Decimal("1e-18")


class TestFiles:
    def test_a_newer_file_replaces_the_days_of_its_clusters(self, bring, machines):
        bring(opencost(*PODS))
        bring(opencost(allocation("web-1", "1", namespace="new")), name="newer.json")
        assert set(amounts()) == {"new"}
        assert ClusterFile.objects.count() == 1
        other = opencost(allocation("x", "1", node="i-2", namespace="other", cluster="second"))
        bring(other, name="other.json")
        assert set(amounts()) == {"new", "other"}

    def test_parts_come_in_together(self, tmp_path, machines):
        parts = [opencost(allocation("a", "1", namespace="one")), opencost(allocation("b", "1", namespace="two"))]
        bundle = [(f"{n}.json.gz", bills.write(tmp_path, f"{n}.json.gz", part)) for n, part in enumerate(parts)]
        receive_allocations(bundle)
        assert amounts() == {"one": Decimal(5), "two": Decimal(5)}

    def test_the_same_file_again_is_known(self, bring):
        assert bring(opencost(*PODS)) == bring(opencost(*PODS))
        assert ClusterUsage.objects.count() == 4

    def test_kubecosts_csv_reads_as_the_json_does(self, bring, machines):
        header = (
            "name,window.start,window.end,cpuCost,ramCost,pvCost,totalCost,properties.cluster,properties.namespace,"
            "properties.pod,properties.controller,properties.controllerKind,properties.providerID,properties.labels.app\n"
        )
        rows = (
            "web-1,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,2,1,9,12,shop,shop,web-1,web,deployment,i-1,web\n"
            "job-1,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,1,1,9,11,shop,data,job-1,etl,deployment,i-1,\n"
            "__idle__,2026-03-05T00:00:00Z,2026-03-06T00:00:00Z,5,0,0,5,shop,,,,,i-1,\n"
        )
        assert bring((header + rows).encode(), name="kubecost.csv").kind == "OpenCost CSV"
        assert amounts() == {"shop": Decimal(3), "data": Decimal(2), "idle": Decimal(5)}
        assert set(amounts("label:app")) == {"web", "-", "idle"}

    def test_hours_add_up_to_their_day_and_windows_of_days_count_on_each(self, bring):
        hours = [
            {"start": f"2026-03-05T{hour:02}:00:00Z", "end": f"2026-03-05T{hour + 1:02}:00:00Z"} for hour in (1, 2)
        ]
        sets = [{"a": allocation("a", "1", namespace="n", window=hour)} for hour in hours]
        row = bring(json.dumps({"data": sets}).encode())
        assert list(ClusterUsage.objects.values_list("day", "weight")) == [(date(2026, 3, 5), Decimal(2))]
        week = {"start": "2026-03-09T00:00:00Z", "end": "2026-03-16T00:00:00Z"}
        row = bring(opencost(allocation("b", "1", namespace="n", window=week)), name="week.json")
        assert (row.first_day, row.last_day, row.rows) == (date(2026, 3, 9), date(2026, 3, 15), 7)
        assert "1 row is of several days" in row.notes

    def test_a_window_over_midnight_counts_on_both_days_by_its_hours(self, bring):
        window = {"start": "2026-03-05T18:00:00Z", "end": "2026-03-06T06:00:00Z"}
        row = bring(opencost(allocation("a", "3", namespace="n", window=window)))
        days = list(ClusterUsage.objects.order_by("day").values_list("day", "weight"))
        assert days == [(date(2026, 3, 5), Decimal("1.5")), (date(2026, 3, 6), Decimal("1.5"))]
        assert "1 row with a window that goes over midnight" in row.notes

    def test_a_week_from_noon_to_noon_has_half_of_its_first_and_last_day(self, bring):
        window = {"start": "2026-03-05T12:00:00Z", "end": "2026-03-08T12:00:00Z"}
        bring(opencost(allocation("a", "2", namespace="n", window=window)))
        weights = ClusterUsage.objects.order_by("day").values_list("weight", flat=True)
        assert list(weights) == [1, 2, 2, 1]

    def test_machines_of_azure_and_google_are_named_as_their_bills_name_them(self, bring):
        vmss = "/subscriptions/S1/resourceGroups/RG/providers/Microsoft.Compute/virtualMachineScaleSets/aks-pool"
        pods = [
            allocation("a", "1", node=f"azure://{vmss}/virtualMachines/3"),
            allocation("b", "1", node="gce://project/europe-west1-b/gke-pool-1"),
        ]
        bring(opencost(*pods))
        assert set(ClusterUsage.objects.values_list("node", flat=True)) == {
            vmss.lower(),
            "project/europe-west1-b/gke-pool-1",
        }

    def test_aws_split_cost_allocation_splits_the_machine_that_the_report_names(self, bring, tmp_path):
        """The pods' own rows cost nothing; of the machine's 0.96 they take 0.5 and 0.2, and 0.26 is idle."""
        (received,) = receive_bill("aws", [bills.write(tmp_path, "cur.csv", REPORT)])
        load_bill(received.delivery)
        assert bring(REPORT, name="cur-split.csv").kind == "AWS split cost allocation"
        assert amounts() == {"web": Decimal("0.5"), "job": Decimal("0.2"), "idle": Decimal("0.26")}
        assert set(amounts("pod")) == {"web/web-1", "job/job-1", "idle"}
        assert_books_hold()

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"a,b\n1,2\n", "no file of allocations"),
            (b'{"code": 500}', "no row has a cost"),
            (opencost(allocation("a", "1", cluster="")), "row names no cluster"),
            (opencost(allocation("a", "1", window={})), "1 row has no day"),
        ],
    )
    def test_what_is_no_such_file_is_refused_in_words(self, bring, content, reason):
        with pytest.raises(BadBill, match=reason):
            bring(content, name="x.csv" if content.startswith(b"a") else "x.json")
        assert not ClusterUsage.objects.exists()

    def test_a_cluster_that_no_file_names_is_said_by_hand(self, bring):
        assert bring(opencost(allocation("a", "1", cluster="")), cluster="shop").clusters == ["shop"]


class TestPages:
    def test_fay_loads_a_file_and_sees_its_shares(self, machines, people, client_of):
        client = client_of(people["fay"])
        upload = SimpleUploadedFile("allocations.json", opencost(*PODS))
        assert client.post("/kubernetes/load/", {"files": [upload]}).status_code == 302
        page = client.get("/kubernetes/?month=2026-03&by=workload").content.decode()
        assert "shop/deployment/web" in page
        assert "Idle" in page
        csv = client.get("/kubernetes/?month=2026-03&_export=csv").getvalue().decode("utf-8-sig")
        assert "data" in csv
        assert csv.splitlines()[0].startswith("Namespace,Cluster,Share")
        by_label = client.get("/kubernetes/?month=2026-03&by=label:app&_export=csv").getvalue().decode("utf-8-sig")
        assert by_label.splitlines()[0].startswith("label:app,Cluster,Share")

    def test_eli_finds_the_month_in_the_bar_and_reads_what_he_may_ask(self, bring, machines, people, client_of):
        bring(opencost(*PODS))
        page = client_of(people["eli"]).get("/kubernetes/?month=2026-03&by=colour").content.decode()
        assert 'value="2026-03"' in page
        assert '<option value="workload">' in page, "the suggestions of the field"
        assert "By: Choose namespace, workload, pod, node, cluster or label:" in page
        assert "Machines without a bill" not in page, "they are other teams', and have one"
        part = client_of(people["fay"]).get(
            "/kubernetes/?month=2026-03", headers={"HX-Request": "true", "HX-Target": "list"}
        )
        assert "shop" in part.content.decode()
        assert "<html" not in part.content.decode()

    def test_a_file_that_cannot_be_read_stays_on_its_form(self, people, client_of):
        upload = SimpleUploadedFile("x.csv", b"a,b\n1,2\n")
        page = client_of(people["fay"]).post("/kubernetes/load/", {"files": [upload]})
        assert "no file of allocations" in page.content.decode()

    def test_eli_may_look_and_not_load(self, people, client_of):
        client = client_of(people["eli"])
        assert client.get("/kubernetes/").status_code == 200
        assert client.get("/kubernetes/load/").status_code == 403

    def test_the_api_answers_with_every_digit(self, bring, machines, people, client_of):
        bring(opencost(*PODS))
        client = client_of(people["fay"])
        rows = client.get("/api/v1/cluster-shares/?month=2026-03&by=cluster&metric=effective_cost").json()
        assert [(row["cluster"], row["amount"]) for row in rows] == [("shop", "11.00000000000000001")]
        assert client.get("/api/v1/cluster-shares/?month=2026-03&by=x").status_code == 400
        unknown = client.get("/api/v1/cluster-shares/?month=2026-03&cluster=shpo")
        assert unknown.status_code == 400
        assert unknown.json() == {"detail": "Nothing that you may see has the cluster 'shpo'. Did you mean 'shop'?"}
        assert client.get("/api/v1/cluster-shares/").status_code == 400

    def test_without_another_choice_the_shares_are_of_the_cost_that_the_company_shows(
        self, bring, machines, people, client_of, settings
    ):
        bring(opencost(*PODS))
        client, amounts_by_setting = client_of(people["fay"]), {}
        for metric in ("billed_cost", "effective_cost"):
            settings.FINOPS_COST_METRIC = metric
            (row,) = client.get("/api/v1/cluster-shares/?month=2026-03&by=cluster").json()
            page = client.get("/kubernetes/?month=2026-03&by=cluster")
            assert page.context["table"].totals[0]["share"] == Decimal(row["amount"])
            amounts_by_setting[metric] = row["amount"]
        assert amounts_by_setting == {"billed_cost": "14", "effective_cost": "11.00000000000000001"}

    def test_lea_is_offered_no_cluster_of_which_she_sees_no_machine(self, bring, machines, people, client_of):
        bring(opencost(*PODS))
        bring(opencost(allocation("x", "1", node="db-1", cluster="secret")), name="other.json")
        CostLine.objects.filter(resource="i-2").update(owner=Team.objects.get(name="Payments"))
        client = client_of(people["lea"])
        page = client.get("/kubernetes/?month=2026-03").content.decode()
        assert '<option value="shop">' in page
        assert "secret" not in page
        refusals = [
            client.get(f"/api/v1/cluster-shares/?month=2026-03&cluster={name}").json()["detail"].replace(name, "?")
            for name in ("secret", "nowhere")
        ]
        assert refusals[0] == refusals[1] == "Nothing that you may see has the cluster '?'."
        rows = client.get("/api/v1/cluster-shares/?month=2026-03&cluster=shop").json()
        assert {row["cluster"] for row in rows} == {"shop"}
        assert "secret" in client_of(people["fay"]).get("/kubernetes/?month=2026-03").content.decode()


class TestBillsThatSayItThemselves:
    """AWS reports with split cost allocation: loading the bill is enough."""

    @pytest.fixture(autouse=True)
    def at_once(self):
        app.conf.task_always_eager = True
        yield
        app.conf.task_always_eager = False

    @pytest.fixture
    def load(self, tmp_path, django_capture_on_commit_callbacks):
        def load(content, name="cur.csv"):
            with django_capture_on_commit_callbacks(execute=True):
                (received,) = receive_bill("aws", [bills.write(tmp_path, name, content)])
                return load_bill(received.delivery)

        return load

    @pytest.mark.parametrize("name", ["cur.csv", "cur.csv.gz", "cur.csv.zip"])
    def test_loading_the_bill_splits_its_machines(self, load, name):
        content = REPORT
        if name.endswith(".zip"):
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr("cur.csv", REPORT)
            content = packed.getvalue()
        delivery = load(content, name)
        assert amounts() == {"web": Decimal("0.5"), "job": Decimal("0.2"), "idle": Decimal("0.26")}
        assert delivery.cluster_files.get().clusters == ["shop"]
        assert_books_hold()

    def test_fay_reads_on_the_delivery_where_the_shares_are(self, load, people, client_of):
        page = client_of(people["fay"]).get(f"/deliveries/{load(REPORT).pk}/").content.decode()
        assert "Its rows of pods split the machines of shop" in page
        assert '<a href="/kubernetes/?month=2026-03">their shares</a>' in page
        assert "Rows that split the cost of machines among pods or tasks: 2." in page

    def test_the_next_version_of_the_month_replaces_its_days(self, load):
        load(REPORT)
        load(REPORT.replace(b"0.5,0.2", b"0.4,0.3"), "again.csv")
        assert amounts() == {"web": Decimal("0.4"), "job": Decimal("0.2"), "idle": Decimal("0.36")}
        assert ClusterFile.objects.count() == 1

    def test_days_that_fay_brought_in_another_file_stay(self, load, bring):
        bring(opencost(allocation("web-1", "1", namespace="shop")))
        load(REPORT)
        assert amounts() == {"shop": Decimal("0.96")}

    def test_a_bill_without_pods_brings_nothing(self, load):
        load(bills.cur_csv([{}]))
        assert not ClusterFile.objects.exists()

    def test_the_night_reads_what_no_worker_did(self, tmp_path):
        (received,) = receive_bill("aws", [bills.write(tmp_path, "cur.csv", REPORT)])
        load_bill(received.delivery)
        assert not ClusterFile.objects.exists(), "nothing is queued before the commit"
        assert split_nightly(timezone.now().date()) == "1 report read."
        assert amounts()["web"] == Decimal("0.5")
        assert split_nightly(timezone.now().date()) == "0 reports read."


def test_periods_beside_the_files_have_no_shares(bring, machines):
    bring(opencost(*PODS))
    assert shares.split(WholeCompany(), Period(date(2026, 4, 1), date(2026, 5, 1))) == []
