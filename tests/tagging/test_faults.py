"""kill -9, for real: of what sets tags at the provider, of what closes a month; and two who remind at once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import Credential
from finops_site.lib.periods import Month
from finops_site.models import AuditEntry, OutgoingEmail, Team
from tagging.chargeback import draft_statements, invariants
from tagging.models import (
    ChangeSet,
    ChargebackPeriod,
    OwnershipRule,
    Statement,
    StatementLine,
    TaggingAccess,
    TagRequirement,
    VirtualTag,
    VirtualTagBatch,
)
from tagging.policy import compliance
from tagging.remediation import change_sets, provider_tagging
from tests import bills
from tests.costs.ingest.test_ingest import ROOT, _environment
from tests.finops_site.mail.test_outbox import server  # noqa: F401
from tests.people import person
from tests.tagging.chargeback.helpers import bill, company, split_support, usual
from tests.tagging.remediation.test_change_sets import ACCOUNT, moto, place  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 3, 9, 7, 30, tzinfo=UTC)
MACHINES = 24
KILLS = int(os.environ.get("FINOPS_KILLS", "12"))
LONG = 60


@pytest.fixture
def worker():
    """Starts workers: each is a function ``tell(verb, argument, now, seconds)`` that returns the outcome."""
    started = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("worker.py")],
            cwd=ROOT,
            env=_environment() | {"PYTHONPATH": str(ROOT)} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return WorkerProcess(process)

    yield start
    for process in started:
        process.stdin.close()
        process.wait(10)


class WorkerProcess:
    def __init__(self, process):
        self.process = process

    def begin(self, verb, argument, now, seconds=LONG):
        self.process.stdin.write(f"{verb} {argument} {now.isoformat()} {seconds}\n")
        self.process.stdin.flush()
        self.child = int(self.process.stdout.readline())

    def answer(self):
        return self.process.stdout.readline().strip()

    def __call__(self, *command):
        self.begin(*command)
        return self.answer()


class Provider:
    """Counts how often it was asked to tag each resource, and kills who asks at the moment it is set to."""

    def __init__(self):
        self.calls, self.set, self.victim, self.left, self.first = Counter(), set(), None, 0, False

    def strike(self, victim, after, *, before_it_is_set):
        self.victim, self.left, self.first = victim, after, before_it_is_set

    def answer(self, really, arns):
        self.left -= 1
        hit = self.victim is not None and self.left == 0
        self.calls.update(arns)
        if hit and self.first:
            self.kill()
        result = really()
        self.set.update(arns)
        if hit and not self.first:
            self.kill()
        return result

    def kill(self):
        os.kill(self.victim.child, signal.SIGKILL)


@pytest.fixture
def provider(monkeypatch):
    from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend as Backend

    really, provider = Backend.tag_resources, Provider()

    def tag_resources(self, resource_arns, tags):
        return provider.answer(lambda: really(self, resource_arns, tags), resource_arns)

    monkeypatch.setattr(Backend, "tag_resources", tag_resources)
    return provider


@pytest.fixture
def approved(moto, settings, monkeypatch):  # noqa: F811
    """A change set of a Team for each of many machines, one a call, approved and rehearsed."""
    settings.FINOPS_STORAGE_ENDPOINTS = [moto]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    ec2 = boto3.client("ec2", endpoint_url=moto, region_name="us-east-1")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    many = {"MinCount": MACHINES, "MaxCount": MACHINES, "InstanceType": "t3.micro"}
    ids = [instance["InstanceId"] for instance in ec2.run_instances(ImageId=image, **many)["Instances"]]
    credential = Credential.objects.create(name="tagger", role_arn=f"arn:aws:iam::{ACCOUNT}:role/tagger")
    TaggingAccess.objects.create(sub_account=ACCOUNT, credential=credential, endpoint=moto, per_call=1)
    row = _change_set(ids)
    provider_tagging.dry_run_change_set(row, NOW)
    yield change_sets.start_applying(row.pk, user=person("eli"), now=NOW)
    ec2.terminate_instances(InstanceIds=ids)


def _change_set(ids):
    eli, lea = person("eli"), person("lea")
    batch = VirtualTagBatch.objects.create(words="x", made_by=lea)
    common = {"provider": "AWS", "sub_account": ACCOUNT, "team": Team.objects.get(name="Payments"), "batch": batch}
    common |= {"key": "Team", "start": NOW.date(), "made_by": lea}
    tags = [
        VirtualTag.objects.create(resource=place(one), resource_key=f"{n:032}", value=f"Payments {n}", **common)
        for n, one in enumerate(ids)
    ]
    row = change_sets.create_change_set(tags, title="March", user=eli, now=NOW)
    change_sets.submit(row.pk)
    return change_sets.review(row.pk, approve=True, comment="", user=lea, now=NOW)


def test_what_sets_tags_may_be_killed_at_any_call_and_no_result_is_lost(approved, provider, worker, moto):  # noqa: F811
    tell, chance, now, killed = worker(FINOPS_STORAGE_ENDPOINTS=moto), random.Random(4), NOW, 0
    # {resource whose result is kept: how often it had been asked for by then}
    saved = {}
    while ChangeSet.objects.get().state == "applying" and killed < KILLS:
        provider.strike(tell, chance.randint(1, 3), before_it_is_set=chance.random() < 0.5)
        killed += tell("apply", approved.pk, now) == "killed"
        done = set(approved.changes.filter(result="ok").values_list("arn", flat=True))
        assert saved.keys() <= done <= provider.set, "a result that was kept stays, and none says more than is true"
        saved |= {arn: provider.calls[arn] for arn in done - saved.keys()}
        now += timedelta(minutes=5)
    assert killed > 5
    assert list(ChangeSet.objects.stalled(now)) == [approved], "the sweep finds it"
    provider.strike(None, 0, before_it_is_set=False)
    assert tell("apply", approved.pk, now) == "ended 0"
    approved.refresh_from_db()
    assert (approved.state, change_sets.count_results(approved)) == ("applied", {"ok": MACHINES})
    assert _tags_at_the_provider(moto, approved) == {one.arn: {"Team": one.after} for one in approved.changes.all()}
    assert saved
    assert {arn: provider.calls[arn] for arn in saved} == saved, "what is known to be set is not sent again"
    print(f"{killed} kills, {MACHINES} resources, {sum(provider.calls.values()) - MACHINES} sent again")


def _tags_at_the_provider(endpoint, row):
    client = boto3.client("resourcegroupstaggingapi", endpoint_url=endpoint, region_name="us-east-1")
    answer = client.get_resources(ResourceARNList=list(row.changes.values_list("arn", flat=True)))
    return {
        mapping["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in mapping["Tags"]}
        for mapping in answer["ResourceTagMappingList"]
    }


def test_a_month_whose_closing_is_killed_is_a_draft_or_closed_whole_and_each_lead_gets_one_letter(tmp_path, worker):
    person("fay")
    split_support(company())
    months = [Month(2025, 9).plus(n) for n in range(4)]
    for month in months:
        bill(tmp_path, usual(str(month)), name=f"{month}.csv")
    tell, chance, killed = worker(), random.Random(5), 0
    full_time = 1.0
    for month in months:
        day, now = month.start, datetime(month.next.year, month.next.number, 5, 9, tzinfo=UTC)
        draft_statements.refresh_stale_drafts(now)
        for _ in range(3):
            began = time.monotonic()
            outcome = tell("close", day, now, chance.uniform(0, full_time))
            killed += outcome == "killed"
            period = ChargebackPeriod.objects.get(billing_month=day)
            numbers = [statement.number for statement in period.statements.order_by("number")]
            if outcome == "ended 0":
                full_time = time.monotonic() - began
            if period.is_closed:
                break
            assert numbers == [None, None], "all or nothing"
        if not period.is_closed:
            assert tell("close", day, now) == "ended 0"
        assert tell("close", day, now) == "ended 1", "closed once"
        for seconds in (chance.uniform(0, 0.2), LONG):
            tell("post", "-", now, seconds)
    assert killed >= 2
    assert ChargebackPeriod.objects.closed().count() == len(months)
    numbers = Statement.objects.exclude(number=None).order_by("number").values_list("number", flat=True)
    assert list(numbers) == [f"{month}-{place:04}" for month in months for place in (1, 2)]
    assert not StatementLine.objects.filter(kind="correction").exists()
    closings = [entry for entry in AuditEntry.objects.of(ChargebackPeriod) if "state" in entry.changes]
    assert len([entry for entry in closings if entry.changes["state"][1] == "closed"]) == len(months)
    letters = Counter(OutgoingEmail.objects.filter(key__startswith="statement ").values_list("to", flat=True))
    assert letters == {"lea@demo.example": len(months), "ola@demo.example": len(months)}
    assert [check for check in invariants.check_statements(None) if not check.holds] == []
    print(f"{killed} kills, {len(months)} months")


def test_two_who_remind_at_the_same_moment_send_one_mail(tmp_path, worker, server, settings):  # noqa: F811
    person("fay")
    team = Team.objects.get(name="Payments")
    OwnershipRule.objects.create(name="Tag", team=team, tag_key="Team", tag_value="Payments")
    for key in ("Owner", "Environment", "Team", "CostCenter", "Project"):
        TagRequirement.objects.get_or_create(key=key)
    rows = [{"ResourceId": f"i-{n}", "Tags": '{"Team": "Payments"}' if n else ""} for n in range(40)]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "march.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    compliance.refresh_compliance()
    two = [worker(EMAIL_URL=f"smtp://{settings.EMAIL_HOST}:{settings.EMAIL_PORT}") for _ in range(2)]
    for week in range(5):
        for one in two:
            one.begin("remind", "-", NOW + timedelta(weeks=week))
        assert [one.answer() for one in two] == ["ended 0", "ended 0"]
    assert Counter(to for to, _ in server.taken) == {
        "payments@demo.example": 2,
        "lea@demo.example": 2,
        # What nobody owns from the first week on; what Payments did not fix in four weeks with it in the fifth.
        "fay@demo.example": 5,
    }
    assert set(server.ids().values()) == {1}
