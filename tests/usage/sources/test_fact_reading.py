"""Files of facts: what is read of them, what is not and why; gaps stay gaps and nothing is guessed."""

import json
from datetime import date

import duckdb
import pytest

from usage.calc import fact_reading
from usage.calc.fact_json import BadFacts
from usage.calc.fact_reading import read_facts

DAY = date(2026, 11, 30)


def read(folder, text, name="facts.csv"):
    """(what was read, the rows of Parquet)."""
    path, out = folder / name, folder / "facts.parquet"
    path.write_text(text)
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    facts = read_facts(db, path, name, out, DAY)
    rows = db.execute(f"SELECT * FROM '{out}' ORDER BY resource").fetchall()
    names = [column[0] for column in db.description]
    return facts, [dict(zip(names, row, strict=True)) for row in rows]


HEADER = "provider,account,region,resource,metric,time,value,unit\n"


def points(resource, values, metric="CPUUtilization", unit="Percent", day="2026-11-29"):
    return "".join(
        f"aws,1234,us-east-1,{resource},{metric},{day}T{hour:02}:00:00Z,{value},{unit}\n"
        for hour, value in enumerate(values)
    )


def test_hours_of_a_metric_become_its_average_peak_and_share(tmp_path):
    facts, rows = read(tmp_path, HEADER + points("i-1", [10] * 12 + [30] * 12) + points("i-2", [50] * 12))
    assert (facts.kind, facts.rows_read, facts.rows_rejected) == ("metrics", 36, 0)
    full, half = rows
    assert (full["metric"], full["average"], full["maximum"], full["share"]) == ("cpu", 20, 30, 1)
    # Half a day of measurements is half a share: the other half is not known, and is no idleness.
    assert (half["average"], half["share"], half["days"]) == (50, 0.5, 1)
    assert full["provider"] == "AWS"


def test_another_time_zone_is_brought_to_utc_and_the_same_moment_counts_once(tmp_path):
    text = HEADER + "aws,1,r,i-1,cpu,2026-11-29T01:00:00+02:00,10,\naws,1,r,i-1,cpu,2026-11-28T23:00:00Z,30,\n"
    facts, (row,) = read(tmp_path, text)
    assert (facts.first_day, row["average"]) == (date(2026, 11, 28), 30)


def test_units_are_brought_to_ours_and_swapped_ones_are_refused(tmp_path):
    text = HEADER + points("i-1", [0.5], unit="fraction") + points("i-2", [870]) + points("i-3", [5], unit="furlongs")
    facts, (row,) = read(tmp_path, text)
    assert row["average"] == 50
    assert [(one.line, one.column, one.reason) for one in facts.rejects] == [
        (3, "value", "it is more than 100 per cent: is the unit another?"),
        (4, "unit", "this unit is not known"),
    ]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("aws,1,r,,cpu,2026-11-29,1,", "resource", "it names no resource"),
        ("aws,1,r,i-9,warmth,2026-11-29,1,", "metric", "nobody reads this metric; see the list in docs/usage.md"),
        ("aws,1,r,i-9,cpu,yesterday,1,", "time", "it is no moment: write 2026-11-30T14:00:00Z"),
        ("aws,1,r,i-9,cpu,2026-11-29,much,", "value", "it is no number"),
        ("aws,1,r,i-9,cpu,2026-11-29,nan,", "value", "it is no number"),
        ("aws,1,r,i-9,cpu,2026-11-29,-1,", "value", "it is below zero"),
        ("aws,1,r,i-9,cpu,2027-11-29,1,", "time", "it lies in the future"),
        ("aws,1,r,i-9,cpu,20261129,1,", "time", "it is no moment: write 2026-11-30T14:00:00Z"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_count(tmp_path, line, column, reason):
    facts, rows = read(tmp_path, f"{HEADER}{points('i-1', [5])}{line}\n")
    assert [row["resource"] for row in rows] == ["i-1"]
    assert [(one.line, one.column, one.reason) for one in facts.rejects] == [(3, column, reason)]


def test_a_share_of_one_is_no_per_cent(tmp_path):
    text = HEADER + points("i-1", [0.4, 0.9], unit="") + points("i-2", [40, 90], unit="")
    facts, (row,) = read(tmp_path, text)
    assert (row["resource"], facts.rows_rejected) == ("i-2", 2)
    assert facts.rejects[0].reason == "it is never above 1: say whether the unit is percent or fraction"


def test_a_table_of_excel_in_half_of_europe_is_read(tmp_path):
    text = "\ufeff" + (HEADER + points("i-1", [5])).replace(",", ";")
    _facts, (row,) = read(tmp_path, text)
    assert row["average"] == 5


def test_one_resource_in_two_accounts_is_nobodys(tmp_path):
    text = HEADER + points("i-1", [5]) + "aws,999,r,i-2,cpu,2026-11-29,1,\naws,998,r,i-2,cpu,2026-11-29,1,\n"
    facts, rows = read(tmp_path, text)
    assert [row["resource"] for row in rows] == ["i-1"]
    assert {one.reason for one in facts.rejects} == {"this resource stands in two accounts of the file"}


def test_an_inventory_says_what_is_attached_to_nothing(tmp_path):
    volume = {"AvailabilityZone": "us-east-1a", "Size": 100, "VolumeType": "gp2"}
    volumes = {
        "Volumes": [
            {**volume, "VolumeId": "vol-1", "State": "available"},
            {**volume, "VolumeId": "vol-2", "State": "in-use", "Attachments": [{"InstanceId": "i-1"}]},
        ]
    }
    facts, (free, used) = read(tmp_path, json.dumps(volumes), "volumes.json")
    assert facts.kind == "inventory"
    assert (free["kind"], free["attached_to"], free["region"], free["size"]) == ("disk", "", "us-east-1", 100)
    assert used["attached_to"] == "i-1"


def test_cloudwatch_and_prometheus_are_read_as_they_print(tmp_path):
    cloudwatch = {
        "MetricDataResults": [
            {"Label": "1234 us-east-1 i-1 CPUUtilization", "Timestamps": ["2026-11-29T00:00:00Z"], "Values": [7.5]}
        ]
    }
    _facts, (row,) = read(tmp_path, json.dumps(cloudwatch), "cpu.json")
    assert (row["account"], row["average"], row["source"]) == ("1234", 7.5, "CloudWatch")
    prometheus = {
        "status": "success",
        "data": {
            "result": [
                {
                    "metric": {"provider": "aws", "resource": "shop/web", "metric": "cpu_cores_used"},
                    "values": [[1795910400, "0.25"]],
                }
            ]
        },
    }
    _facts, (row,) = read(tmp_path, json.dumps(prometheus), "prom.json")
    assert (row["resource"], row["metric"], row["average"]) == ("shop/web", "cpu_cores_used", 0.25)


def test_what_providers_advise_is_read_with_its_saving_of_a_month(tmp_path):
    hub = (
        "account_id,action_type,resource_arn,estimated_monthly_savings_after_discount,currency_code,"
        "current_resource_type,region,recommended_resource_summary\n"
        "1234,Rightsize,arn:aws:ec2:us-east-1:1234:instance/i-1,12.5,USD,Ec2Instance,us-east-1,m5.large\n"
    )
    facts, (row,) = read(tmp_path, hub, "hub.csv")
    assert (facts.layout, row["rule"], row["monthly_saving"]) == (
        "AWS Cost Optimization Hub",
        "machine_rightsize",
        12.5,
    )
    azure = (
        "Category,Recommendation,Subscription ID,Resource Name,Resource ID,Potential Annual Cost Savings\n"
        'Cost,Right-size,ABC,vm-1,/subscriptions/abc/vm-1,"1,200"\nSecurity,Lock it,ABC,vm-2,/x,\n'
    )
    _facts, (row,) = read(tmp_path, azure, "advisor.csv")
    assert (row["provider"], row["account"], row["monthly_saving"]) == ("Azure", "abc", 100)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "the header is of no export that we read"),
        ("provider,resource,metric,time\n1,2,3,4\n", "Nearest is plain metrics; it lacks value"),
        ('{"a": 1}', "this JSON is none that we read"),
        ('{"Reservations": 3}', "not built as its provider builds it"),
        ("[" * 50_000, "nested too deeply|no JSON"),
        (f"{HEADER}aws,1,r,i-1,warmth,2026-11-29,1,\n", "no row of it could be read"),
        ("provider,Provider,resource,metric,time,value\n", "two columns are called provider"),
    ],
)
def test_a_file_that_is_none_of_ours_says_what_would_be(tmp_path, text, words):
    with pytest.raises(BadFacts, match=words):
        read(tmp_path, text)


def test_json_that_would_fill_the_memory_is_refused_and_csv_of_that_size_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(fact_reading, "MOST_JSON_BYTES", 100)
    with pytest.raises(BadFacts, match="JSON may have 0 MB; part it, or send it as CSV"):
        read(tmp_path, json.dumps({"MetricDataResults": [], "Messages": ["x" * 100]}), "big.json")
    facts, _rows = read(tmp_path, HEADER + points("i-1", [10] * 24))
    assert facts.rows_read == 24


def test_answers_of_aws_about_other_things_become_an_inventory(tmp_path):
    balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/1"
    documents = [
        {"LoadBalancerDescriptions": [{"LoadBalancerName": "old", "Instances": []}]},
        {"LoadBalancers": [{"LoadBalancerArn": balancer, "LoadBalancerName": "web", "State": {"Code": "active"}}]},
        {
            "Functions": [
                {
                    "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:resize",
                    "MemorySize": 1024,
                    "Architectures": ["arm64"],
                }
            ]
        },
        {"logGroups": [{"logGroupName": "/app", "arn": "arn:aws:logs:eu-west-1:123456789012:log-group:/app:*"}]},
        {
            "NatGateways": [
                {"NatGatewayId": "nat-1", "State": "deleted"},
                {"NatGatewayId": "nat-2", "State": "available"},
            ]
        },
    ]
    facts, rows = read(tmp_path, "\n".join(map(json.dumps, documents)), "aws.json")
    by_kind = {(row["kind"], row["name"]): row for row in rows}
    # A classic load balancer states what stands behind it; of the others an answer of its own does.
    assert json.loads(by_kind["load_balancer", "old"]["attributes"]) == {"targets": 0}
    assert json.loads(by_kind["load_balancer", "web"]["attributes"]) == {}
    function = next(row for row in rows if row["kind"] == "function")
    assert json.loads(function["attributes"]) == {"memory_mb": 1024, "architecture": "arm64"}
    assert (function["account"], function["region"]) == ("123456789012", "eu-west-1")
    logs = by_kind["log_group", "/app"]
    assert logs["resource"] == "arn:aws:logs:eu-west-1:123456789012:log-group:/app"
    assert json.loads(logs["attributes"]) == {"retention_days": None}
    assert [row["resource"] for row in rows if row["kind"] == "nat_gateway"] == ["nat-2"]
    assert facts.layout == "plain inventory (function, load_balancer, log_group, nat_gateway)"


def test_a_machine_that_was_stopped_says_since_when(tmp_path):
    machine = {
        "InstanceId": "i-1",
        "InstanceType": "m5.large",
        "State": {"Name": "stopped"},
        "StateTransitionReason": "User initiated (2026-05-01 10:00:00 GMT)",
    }
    document = {"Reservations": [{"OwnerId": "123456789012", "Instances": [machine]}]}
    _facts, (row,) = read(tmp_path, json.dumps(document), "machines.json")
    assert (row["state"], row["last_used_day"]) == ("stopped", date(2026, 5, 1))


def test_the_classes_of_spot_machines_become_how_often_they_are_taken_back(tmp_path):
    document = {"spot_advisor": {"eu-west-1": {"Linux": {"m5.large": {"s": 70, "r": 1}}, "Windows": {}}}}
    facts, (row,) = read(tmp_path, json.dumps(document), "spot-advisor-data.json")
    assert (row["region"], row["resource"], row["metric"], row["average"]) == (
        *("eu-west-1", "m5.large", "spot_interruption", 7.5),
    )
    assert (facts.rows_rejected, facts.last_day) == (0, DAY)


def test_allocations_of_a_cluster_become_what_its_workloads_request_and_use(tmp_path):
    def pod(name, cores, memory):
        return {
            "properties": {
                **{"cluster": "prod", "namespace": "shop", "controller": "web", "controllerKind": "deployment"},
                "pod": name,
            },
            "window": {"start": "2026-11-29T00:00:00Z", "end": "2026-11-30T00:00:00Z"},
            **{"cpuCoreRequestAverage": 1.0, "cpuCoreUsageAverage": cores, "ramByteRequestAverage": 2**30},
            "ramByteUsageAverage": memory,
            "rawAllocationOnly": {"cpuCoreUsageMax": cores * 2, "ramByteUsageMax": memory},
        }

    window = {"web-1": pod("web-1", 0.1, 2**28), "web-2": pod("web-2", 0.2, 2**28), "prod/__idle__": {}}
    _facts, rows = read(tmp_path, json.dumps({"code": 200, "data": [window]}), "allocation.json")
    figures = {row["metric"]: (row["average"], row["maximum"]) for row in rows}
    assert {(row["account"], row["resource"]) for row in rows} == {("prod", "shop/deployment/web")}
    # Two pods: two cores are requested, three tenths of one are used.
    assert figures["cpu_cores_requested"] == (2, 2)
    assert figures["cpu_cores_used"] == pytest.approx((0.3, 0.6))
    assert figures["memory_bytes_used"] == (2**29, 2**29)
