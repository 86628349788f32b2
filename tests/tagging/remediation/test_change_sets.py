"""ARNs, scripts whose words are never code, and tags really set: against moto's Resource Groups Tagging API."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costs.change_set_reviews import CannotChange
from costs.models import Credential
from finops_site.models import Team
from tagging.calc import arns, tag_scripts
from tagging.calc.tag_scripts import TagEdit
from tagging.models import ChangeSet, TagChange, TaggingAccess, VirtualTag, VirtualTagBatch
from tagging.remediation import change_sets, provider_tagging

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ACCOUNT = "123456789012"
EFS = f"arn:aws:elasticfilesystem:us-east-1:{ACCOUNT}:file-system/fs-0abcdef12"
HOSTILE = [
    "$(touch /tmp/owned)",
    "`id`",
    "'; rm -rf / #",
    '"; echo x',
    "a\nb",
    "\\",
    "${var.x}",
    "%{ if true }",
    "-x",
    "عربي 💸",
]


@pytest.mark.parametrize(
    ("service", "resource", "region", "arn"),
    [
        (
            "Amazon Elastic Compute Cloud",
            "i-0abcdef12",
            "eu-west-1",
            f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0abcdef12",
        ),
        ("Amazon EBS", "vol-0abcdef12", "us-east-1", f"arn:aws:ec2:us-east-1:{ACCOUNT}:volume/vol-0abcdef12"),
        ("Amazon EBS", "snap-0abcdef12", "us-east-1", "arn:aws:ec2:us-east-1::snapshot/snap-0abcdef12"),
        ("Amazon VPC", "nat-0abcdef12", "us-east-1", f"arn:aws:ec2:us-east-1:{ACCOUNT}:natgateway/nat-0abcdef12"),
        ("Amazon Simple Storage Service", "my-bucket", "us-east-1", "arn:aws:s3:::my-bucket"),
        (
            "AmazonEFS",
            "fs-0abcdef12",
            "us-east-1",
            EFS,
        ),
        ("Amazon CloudFront", "E1NORTHWIND", "", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1NORTHWIND"),
        ("EC2", "i-0abcdef12", "cn-north-1", f"arn:aws-cn:ec2:cn-north-1:{ACCOUNT}:instance/i-0abcdef12"),
        ("EC2", "i-0abcdef12", "us-gov-west-1", f"arn:aws-us-gov:ec2:us-gov-west-1:{ACCOUNT}:instance/i-0abcdef12"),
    ],
)
def test_an_id_becomes_an_arn(service, resource, region, arn):
    target = arns.tagging_target("AWS", service, resource, ACCOUNT, region)
    assert (target.arn, target.problem) == (arn, "")


@pytest.mark.parametrize(
    ("provider", "resource", "account", "region", "words"),
    [
        ("Microsoft", "/subscriptions/1", ACCOUNT, "", "Microsoft's"),
        ("AWS", "", ACCOUNT, "us-east-1", "names no resource"),
        ("AWS", "i-0abcdef12", "42", "us-east-1", "not an AWS account"),
        ("AWS", "i-0abcdef12", ACCOUNT, "", "region is not known"),
        ("AWS", "whatever", ACCOUNT, "us-east-1", "does not say what it is"),
        ("AWS", f"arn:aws:iam::{ACCOUNT}:role/x", ACCOUNT, "", "does not know IAM"),
        ("AWS", f"arn:aws-cn:rds:us-east-1:{ACCOUNT}:db:x", ACCOUNT, "", "is of aws-cn"),
        ("AWS", f"arn:other:rds:us-east-1:{ACCOUNT}:db:x", ACCOUNT, "", "is not one"),
        ("AWS", "arn:aws:s3:::bucket/key", ACCOUNT, "us-east-1", "objects of a bucket"),
        ("AWS", "i-0abc\u202edef", ACCOUNT, "us-east-1", "not an id of AWS"),
    ],
)
def test_what_this_api_cannot_tag_is_said_plainly(provider, resource, account, region, words):
    assert words in arns.tagging_target(provider, "", resource, account, region).problem


def test_an_arn_of_another_part_of_aws_keeps_its_region():
    target = arns.tagging_target("AWS", "", f"arn:aws-cn:rds:cn-north-1:{ACCOUNT}:db:x", "", "")
    assert (target.account, target.region, target.is_taggable) == (ACCOUNT, "cn-north-1", True)


def change(key="Team", after="x", resource="i-0abcdef12", name=""):
    return TagEdit(arns.tagging_target("AWS", "EC2", resource, ACCOUNT, "us-east-1"), resource, name, key, "", after)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_shell_sees_hostile_words_as_words(text, tmp_path):
    script = tag_scripts.shell_script([change(after=text), change(key=text), change(resource=f"odd {text}")], text)
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done\n')
    aws.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh"], input=script.encode(), capture_output=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True
    )
    words = done.stdout.decode().split("\0")
    assert json.loads(words[words.index("--tags") + 1]) == {"Team": text, text: "x"}
    assert words[:2] == ["resourcegroupstaggingapi", "tag-resources"]
    assert not done.stderr


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=40))
def test_a_terraform_string_says_what_it_said(text):
    escaped = tag_scripts.hcl(text)
    assert "\n" not in escaped
    assert "${" not in escaped.replace("$${", "")
    assert json.loads(escaped.replace("$${", "${").replace("%%{", "%{")) == text


def test_terraform_sets_tags_of_ec2_and_shows_the_rest_to_paste():
    bucket = TagEdit(
        arns.tagging_target("AWS", "Amazon S3", "my-bucket", ACCOUNT, "us-east-1"), "my-bucket", "", "Team", "", "x"
    )
    text = tag_scripts.terraform_file([change(), bucket, change(resource="odd")], "March\nsecond")
    assert 'resource "aws_ec2_tag" "tag_1"' in text
    assert 'resource_id = "i-0abcdef12"' in text
    assert "# arn:aws:s3:::my-bucket" in text
    assert "# not here: odd" in text
    assert all(line.startswith("#") for line in text.splitlines() if "second" in line)


@pytest.fixture(scope="module")
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def machines(moto, settings, monkeypatch):
    """Three machines at the provider, reached as a role."""
    settings.FINOPS_STORAGE_ENDPOINTS = [moto]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    ec2 = boto3.client("ec2", endpoint_url=moto, region_name="us-east-1")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=3, MaxCount=3, InstanceType="t3.micro")["Instances"]
    ids = [instance["InstanceId"] for instance in made]
    ec2.create_tags(Resources=ids, Tags=[{"Key": "Owner", "Value": "lea"}])
    yield ids
    ec2.terminate_instances(InstanceIds=ids)


def place(machine):
    return f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{machine}" if machine else "odd"


@pytest.fixture
def reviewed(people, machines, moto):
    """A change set of a Team for each machine and one more that no API can tag, approved."""
    credential = Credential.objects.create(name="tagger", role_arn=f"arn:aws:iam::{ACCOUNT}:role/tagger")
    TaggingAccess.objects.create(sub_account=ACCOUNT, credential=credential, endpoint=moto, per_call=2)
    team = Team.objects.get(name="Payments")
    batch = VirtualTagBatch.objects.create(words="x", made_by=people["lea"])
    tags = [
        VirtualTag.objects.create(
            provider="AWS", sub_account=ACCOUNT, resource=place(one),
            resource_key=f"{n:032}", team=team, key="Team", value="Payments", start=NOW.date(), batch=batch,
            made_by=people["lea"],
        )
        for n, one in enumerate([*machines, ""])
    ]  # fmt: skip
    row = change_sets.create_change_set(tags, title="March", user=people["eli"], now=NOW)
    change_sets.submit(row.pk)
    return change_sets.review(row.pk, approve=True, comment="", user=people["lea"], now=NOW)


def tags_of(moto, machine):
    ec2 = boto3.client("ec2", endpoint_url=moto, region_name="us-east-1")
    (instance,) = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def clock():
    return NOW


def started(row, people):
    provider_tagging.dry_run_change_set(row, NOW)
    return change_sets.start_applying(row.pk, user=people["eli"], now=NOW)


@pytest.mark.django_db
class TestAtTheProvider:
    def test_a_dry_run_changes_nothing_and_says_what_would(self, reviewed, machines, moto):
        assert provider_tagging.dry_run_change_set(reviewed, NOW).startswith(
            "Dry run: 3 to set, 0 there already, 1 cannot"
        )
        assert tags_of(moto, machines[0]) == {"Owner": "lea"}
        unable = reviewed.changes.get(result="unable")
        assert "does not say what it is" in unable.message or "region" in unable.message

    def test_without_a_dry_run_nothing_is_applied(self, reviewed, people):
        with pytest.raises(CannotChange, match="First the dry run"):
            change_sets.start_applying(reviewed.pk, user=people["eli"], now=NOW)

    def test_tags_are_set_and_every_result_is_kept(self, reviewed, machines, moto, people):
        assert provider_tagging.apply_change_set(started(reviewed, people), clock=clock)
        reviewed.refresh_from_db()
        assert reviewed.state == "applied"
        assert change_sets.count_results(reviewed) == {"ok": 3, "unable": 1}
        assert [tags_of(moto, one) for one in machines] == [{"Owner": "lea", "Team": "Payments"}] * 3

    def test_again_it_finds_everything_there(self, reviewed, people):
        provider_tagging.apply_change_set(started(reviewed, people), clock=clock)
        ChangeSet.objects.update(state="approved")
        TagChange.objects.filter(result="ok").update(result="waiting")
        assert "0 to set, 3 there already" in provider_tagging.dry_run_change_set(ChangeSet.objects.get(), NOW)

    def test_one_that_was_killed_half_way_goes_on_where_it_was(self, reviewed, people, machines, moto):
        row = started(reviewed, people)

        class Kill(BaseException):
            pass

        calls = []

        def dies():
            calls.append(1)
            if len(calls) == 2:
                raise Kill
            return NOW

        with pytest.raises(Kill):
            provider_tagging.apply_change_set(row, clock=dies)
        # Nobody else takes it while its worker may still live.
        assert not provider_tagging.apply_change_set(ChangeSet.objects.get(), clock=clock)
        later = NOW + timedelta(minutes=5)
        assert list(ChangeSet.objects.stalled(later)) == [row]
        assert provider_tagging.apply_change_set(ChangeSet.objects.get(), clock=lambda: later)
        assert change_sets.count_results(row) == {"ok": 3, "unable": 1}
        assert ChangeSet.objects.get().attempt == 2

    def test_an_account_without_tagging_access_fails_with_the_reason(self, reviewed, people):
        TaggingAccess.objects.all().delete()
        provider_tagging.apply_change_set(started(reviewed, people), clock=clock)
        reviewed.refresh_from_db()
        assert reviewed.state == "partly"
        failed = reviewed.changes.filter(result="failed").first()
        assert f"Account {ACCOUNT} has no tagging access: an administrator adds it in the admin." in failed.message

    def test_no_secret_is_in_any_message(self, reviewed, people):
        credential = Credential.objects.get()
        credential.seal({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret-indeed"})
        credential.save()
        TaggingAccess.objects.update(endpoint="http://127.0.0.1:9/")
        row = started(reviewed, people)
        provider_tagging.apply_change_set(row, clock=clock, wait=lambda _: None)
        text = " ".join(row.changes.values_list("message", flat=True))
        assert "FINOPS_STORAGE_ENDPOINTS" in text
        assert "secret-indeed" not in text
        assert "AKID" not in text

    def test_who_made_it_does_not_approve_it(self, reviewed, people):
        ChangeSet.objects.update(state="review")
        with pytest.raises(CannotChange, match="Somebody else"):
            change_sets.review(reviewed.pk, approve=True, comment="", user=people["eli"], now=NOW)
