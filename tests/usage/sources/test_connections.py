"""Fay connects an account by a role that only reads: what is answered is stored, what is not is unknown, never gone."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

from costs.models import Credential
from finops_site.celery import task
from tests.people import person, signed_in
from usage.calc.rules import RULES
from usage.findings import facts, store
from usage.findings.evaluate import workplace
from usage.models import Connection, FactImport
from usage.sources import connections
from usage.sources.aws_questions import Lack, _buckets
from usage.sources.aws_reading import RIGHTS

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 20, 2, 27, tzinfo=UTC)
ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/finops-read"


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.FINOPS_VAR = str(tmp_path)


@pytest.fixture
def aws(monkeypatch):
    """An AWS of ours. `answers` are operations that answer otherwise: with a code of an error, or with a document."""
    real, answers = (
        BaseClient._make_api_call,
        {
            "GetEC2InstanceRecommendations": {"instanceRecommendations": []},
            "ListRecommendations": {"items": []},
        },
    )

    def call(client, operation, parameters):
        region = client.meta.region_name
        answer = answers.get((operation, region), answers.get(operation))
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "secret"}}, operation)
        return real(client, operation, parameters) if answer is None else answer

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    with mock_aws():
        yield answers


def client(service, region=REGION):
    return boto3.client(service, region_name=region)


@pytest.fixture
def things(aws):
    """A machine with its disk, a disk of nobody, an address, an empty load balancer, logs and a bucket."""
    ec2 = client("ec2")
    (machine,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    disk = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2")["VolumeId"]
    ec2.create_snapshot(VolumeId=disk)
    ec2.allocate_address(Domain="vpc")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    balancer = client("elbv2").create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    logs = client("logs")
    logs.create_log_group(logGroupName="/app/web")
    logs.put_retention_policy(logGroupName="/app/web", retentionInDays=30)
    s3 = client("s3")
    s3.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    client("cloudwatch").put_metric_data(
        Namespace="AWS/EC2",
        MetricData=[
            {
                "MetricName": "CPUUtilization",
                "Dimensions": [{"Name": "InstanceId", "Value": machine["InstanceId"]}],
                "Timestamp": NOW - timedelta(hours=hours),
                "Value": 4.0,
                "Unit": "Percent",
            }
            for hours in range(2, 26)
        ],
    )
    return {"machine": machine["InstanceId"], "disk": disk, "balancer": balancer}


def connection(**fields):
    values = {"name": "Production", "regions": REGION, **fields}
    return Connection.objects.create(**values)


def read(row, now=NOW):
    assert connections.read(row.pk, now)
    row.refresh_from_db()
    return row


def known(table, columns, where="true"):
    """What rules read of a table of facts."""
    with workplace() as (db, _scratch):
        facts.make_tables(db)
        facts._read_imports(db)
        facts._read_unread(db)
        return db.execute(f"SELECT {columns} FROM {table} WHERE {where} ORDER BY 1, 2").fetchall()


def test_what_aws_answers_becomes_an_inventory_and_metrics_that_rules_read(things):
    row = read(connection())
    assert (row.state, [one["problems"] for one in row.parts if one["problems"]]) == ("done", [])
    rows = {one[:2]: one[2:] for one in known("inventory", "kind, resource, account, region, state, attached_to")}
    assert rows["machine", things["machine"]] == (ACCOUNT, REGION, "running", None)
    assert rows["disk", things["disk"]] == (ACCOUNT, REGION, "available", "")
    attributes = dict(known("inventory", "kind, attributes", "kind IN ('load_balancer', 'log_group', 'bucket')"))
    assert json.loads(attributes["load_balancer"]) == {"targets": 0}
    assert json.loads(attributes["log_group"]) == {"retention_days": 30}
    assert json.loads(attributes["bucket"]) == {"versioning": "enabled", "lifecycle": []}
    ((name, average),) = known("metrics", "metric, average", f"resource = '{things['machine']}'")
    assert (name, average) == ("cpu", 4)
    kinds = FactImport.objects.filter(state="current").values_list("kind", "source", "connection")
    assert set(kinds) == {(kind, "Production", row.pk) for kind in ("inventory", "metrics", "advice")}


def test_a_right_that_is_denied_is_named_and_what_was_known_stays(things, aws):
    row = read(connection())
    client("ec2").delete_volume(VolumeId=things["disk"])
    aws["DescribeVolumes"] = "UnauthorizedOperation"
    read(row, NOW + timedelta(days=1))
    assert (row.state, [one["problems"] for one in row.parts if one["problems"]]) == (
        "partly",
        [[f"{ACCOUNT} {REGION}: ec2:DescribeVolumes is denied."]],
    )
    # Nobody knows whether the disk is there: what was known of it stays, and its rules close nothing.
    assert ("disk", things["disk"]) in known("inventory", "kind, resource")
    assert known("unread", "account, region, kind") == [(ACCOUNT, REGION, "disk")]
    del aws["DescribeVolumes"]
    read(row, NOW + timedelta(days=2))
    assert row.state == "done"
    assert ("disk", things["disk"]) not in known("inventory", "kind, resource")
    assert known("unread", "account, region") == []
    assert FactImport.objects.filter(kind="inventory", state="current").count() == 1


def test_credentials_that_expired_change_nothing_that_is_known(things, aws):
    row = read(connection())
    before = known("inventory", "kind, resource")
    aws["GetCallerIdentity"] = "ExpiredToken"
    read(row, NOW + timedelta(days=1))
    assert (row.state, row.message) == ("failed", "The credentials have expired.")
    assert known("inventory", "kind, resource") == before
    # What failed is tried again three hours later, what was read not before the next day.
    assert connections.due_connections(NOW + timedelta(days=1, hours=2)) == []
    assert connections.due_connections(NOW + timedelta(days=1, hours=4)) == [row.pk]


def test_credentials_that_expire_under_way_lose_nothing(things, aws):
    row = read(connection())
    before = known("inventory", "kind, resource")
    aws["DescribeNatGateways"] = "ExpiredToken"
    read(row, NOW + timedelta(days=1))
    assert row.state == "partly"
    assert known("inventory", "kind, resource") == before
    assert {kind for *_place, kind in known("unread", "account, region, kind")} >= {"machine", "bucket"}


def test_a_key_that_is_switched_off_under_way_is_no_region_that_is_not_enabled(things, aws):
    row = read(connection(with_advice=False))
    before = known("inventory", "kind, resource")
    # EC2 answers so to keys that it does not know, as it does in regions that are not enabled.
    for operation in ("DescribeVolumes", "DescribeSnapshots", "DescribeRegions"):
        aws[operation] = "AuthFailure"
    read(row, NOW + timedelta(days=1))
    assert "AWS does not know these credentials." in str(row.parts)
    assert known("inventory", "kind, resource") == before
    assert {kind for *_place, kind in known("unread", "account, region, kind")} >= {"disk", "snapshot", "log_group"}


def test_a_connection_that_is_deleted_leaves_nothing_that_its_successor_does_not_replace(things, monkeypatch):
    row = read(connection(with_metrics=False, with_advice=False))
    row.delete()
    client("ec2").delete_volume(VolumeId=things["disk"])
    read(connection(name="Again", with_metrics=False, with_advice=False), NOW + timedelta(days=1))
    assert ("disk", things["disk"]) not in known("inventory", "kind, resource")
    # Deleted while it is read, it brings nothing.
    gone = connection(name="Gone")
    monkeypatch.setitem(connections.READERS, "aws", lambda reading: _answer_and_delete(reading, gone))
    assert not connections.read(gone.pk, NOW)
    assert set(FactImport.objects.values_list("source", flat=True)) == {"Production", "Again"}


def _answer_and_delete(reading, row):
    reading.collection.answered.add("inventory")
    Connection.objects.filter(pk=row.pk).delete()


def test_a_region_that_is_not_enabled_holds_nothing_and_hides_nothing(things, aws):
    aws["DescribeInstances", "ap-east-1"] = "AuthFailure"
    row = read(connection(regions=f"{REGION}, ap-east-1"))
    problems = [text for part in row.parts for text in part["problems"]]
    assert problems == [f"{ACCOUNT} ap-east-1: The region is not enabled in the account."]
    assert known("unread", "account, region") == []
    assert len(known("inventory", "kind, resource", "kind = 'machine'")) == 1


def test_pages_are_followed_and_a_busy_aws_is_named(things, aws, monkeypatch):
    logs = client("logs")
    for number in range(60):
        logs.create_log_group(logGroupName=f"/app/{number}")
    row = read(connection())
    assert len(known("inventory", "kind, resource", "kind = 'log_group'")) == 61
    aws["DescribeLogGroups"] = "ThrottlingException"
    read(row, NOW + timedelta(days=1))
    assert [part["part"] for part in row.parts if "AWS was too busy" in str(part["problems"])] == [
        "Log groups and their retention"
    ]
    assert len(known("inventory", "kind, resource", "kind = 'log_group'")) == 61


def test_what_is_denied_of_one_bucket_is_unknown_and_the_bucket_is_there(things, aws):
    aws["GetBucketVersioning"] = "AccessDenied"
    row = read(connection())
    ((_kind, attributes),) = known("inventory", "kind, attributes", "kind = 'bucket'")
    assert json.loads(attributes) == {"lifecycle": []}
    assert any("s3:GetBucketVersioning is denied for 1 of them" in str(part) for part in row.parts)


def test_other_accounts_are_asked_by_the_role_of_the_same_name(aws):
    credential = Credential.objects.create(name="role", role_arn=ROLE, external_id="word")
    other = "210987654321"
    iam = boto3.client("sts").assume_role(
        RoleArn=ROLE.replace(ACCOUNT, other), RoleSessionName="test", ExternalId="word"
    )["Credentials"]
    session = boto3.Session(iam["AccessKeyId"], iam["SecretAccessKey"], iam["SessionToken"], region_name=REGION)
    for logs in (client("logs"), session.client("logs")):
        logs.create_log_group(logGroupName="/app/web")
    row = read(connection(credential=credential, accounts=f"{ACCOUNT}\n{other}", with_advice=False))
    assert row.state == "done", row.parts
    accounts = FactImport.objects.get(kind="inventory").accounts
    assert accounts == [["AWS", ACCOUNT], ["AWS", other]]


def test_advice_of_aws_is_read_as_its_exports_are(things, aws):
    aws["GetEC2InstanceRecommendations"] = {
        "instanceRecommendations": [
            {
                "accountId": ACCOUNT,
                "instanceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1",
                "finding": "OVER_PROVISIONED",
                "currentInstanceType": "m5.2xlarge",
                "recommendationOptions": [
                    {
                        "rank": 1,
                        "instanceType": "m5.large",
                        "savingsOpportunity": {"estimatedMonthlySavings": {"value": 120.5, "currency": "USD"}},
                    }
                ],
            }
        ]
    }
    aws["ListRecommendations"] = "OptInRequired"
    row = read(connection())
    assert known("provider_advice", "rule, monthly_saving, source") == [
        ("machine_rightsize", Decimal("120.5"), "AWS Compute Optimizer")
    ]
    assert row.state == "partly"


def test_a_test_names_the_rights_that_are_missing_and_stores_nothing(things, aws):
    aws["DescribeVolumes"], aws["ListFunctions"] = "UnauthorizedOperation", "AccessDeniedException"
    fay = signed_in(person("fay"))
    form = {"name": "Production", "provider": "aws", "regions": REGION, "test": "1"}
    page = fay.post("/usage/connections/add/", form).content.decode()
    assert "ec2:DescribeVolumes, lambda:ListFunctions" in page
    assert "Nothing was stored or saved" in page
    assert not Connection.objects.exists()
    assert not FactImport.objects.exists()


def test_a_test_asks_for_metrics_advice_and_what_is_asked_of_each_thing(things, aws):
    for operation in ("GetMetricData", "GetBucketVersioning", "DescribeTargetGroups", "GetEC2InstanceRecommendations"):
        aws[operation] = "AccessDenied"
    aws["ListRecommendations"] = "OptInRequired"
    outcome = connections.try_connection(Connection(name="Production", regions=REGION))
    assert set(outcome.missing) == {
        "elasticloadbalancing:DescribeTargetGroups",
        "s3:GetBucketVersioning",
        "cloudwatch:GetMetricData",
        "compute-optimizer:GetEC2InstanceRecommendations",
    }
    assert "Cost Optimization Hub: It is not switched on in the account." in outcome.words


def test_a_busy_aws_denied_nothing(aws):
    client("s3").create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    lack = Lack()
    aws["GetBucketVersioning"] = "SlowDown"
    aws["GetBucketLocation"] = {"LocationConstraint": "EU"}
    (row,) = _buckets(client("s3"), lack)
    assert list(lack.texts()) == ["s3:GetBucketVersioning had no answer for 1 of them."]
    assert row["region"] == "eu-west-1"


def test_fay_describes_a_connection_and_its_page_says_what_became_of_it(things, aws, monkeypatch):
    queued = []
    monkeypatch.setattr(task("usage.tasks.read_connection"), "delay_on_commit", lambda *args: queued.append(args))
    fay = signed_in(person("fay"))
    form = {"name": "Production", "provider": "aws", "regions": f"{REGION};eu-west-1", "is_enabled": "on"}
    assert fay.post("/usage/connections/add/", form).status_code == 302
    row = Connection.objects.get()
    assert (row.regions, queued) == (REGION, [(row.pk, person("fay").pk)])
    aws["DescribeAddresses"] = "UnauthorizedOperation"
    read(row)
    page = fay.get(f"/usage/connections/{row.pk}/").content.decode()
    assert "ec2:DescribeAddresses is denied" in page
    assert all(right in page for right in RIGHTS)
    assert "1 question was not answered in full" in fay.get("/usage/connections/").content.decode()
    answer = fay.get(f"/api/v1/usage-connections/{row.pk}/").json()
    assert (answer["state"], answer["parts"][0]["part"]) == ("partly", "Buckets, their versioning and lifecycle")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("accounts", "12", "12 is no account of AWS"),
        ("accounts", ACCOUNT, "For other accounts the credential needs a role"),
        ("regions", "eu west", None),
        ("regions", "evil.example/", "evil.example/ is no region"),
        ("endpoint", "http://169.254.169.254", "is not one of the available choices"),
    ],
)
def test_what_would_send_us_elsewhere_is_refused_before_anything_is_asked(field, value, words):
    ada = signed_in(person("ada"))
    form = {"name": "Production", "provider": "aws", field: value}
    answer = ada.post("/api/v1/usage-connections/", form, content_type="application/json")
    if words:
        assert answer.status_code == 400
        assert words in answer.json()[field][0]
    else:
        assert answer.json()["regions"] == "eu, west"


def test_lea_connects_nothing_by_any_door():
    lea, row = signed_in(person("lea")), connection()
    assert lea.get("/usage/connections/").status_code == 403
    assert lea.post(f"/usage/connections/{row.pk}/read/").status_code == 403
    assert lea.post(f"/api/v1/usage-connections/{row.pk}/test/").status_code == 403


def test_two_workers_do_not_read_the_same_connection(aws):
    row = connection(state="running", started_at=NOW - timedelta(hours=1))
    assert not connections.read(row.pk, NOW)
    assert connections.due_connections(NOW) == []
    # Whoever gave no sign for six hours has died.
    assert connections.due_connections(NOW + timedelta(hours=6)) == [row.pk]


def test_rules_close_nothing_of_what_a_connection_could_not_list(things, aws):
    aws["DescribeVolumes"] = "UnauthorizedOperation"
    read(connection())
    with workplace() as (db, _scratch):
        facts.make_tables(db)
        facts._read_unread(db)
        unlisted = store._unlisted(db, RULES)
    assert ("disk_unattached", ACCOUNT, REGION) in unlisted
    assert not any(rule == "address_unused" for rule, *_place in unlisted)
