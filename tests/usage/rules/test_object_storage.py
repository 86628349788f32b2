"""Buckets and what is kept: savings equal to a calculation by hand from the public price list."""

import json
from decimal import Decimal

import boto3
import pytest
from moto import mock_aws

from tests.usage.rules.rule_cases import find, measured, rule_named, saving, thing, use
from usage.calc.storage_classes import (
    DEEP_ARCHIVE,
    GLACIER_FLEXIBLE,
    GLACIER_INSTANT,
    INTELLIGENT,
    ONE_ZONE_IA,
    STANDARD,
    STANDARD_IA,
    best_class,
    monthly_saving,
    most_reading,
    s3_policy,
    smallest_paying_bytes,
)

KIB = 1024


def stored(bucket, gigabytes, cost=None, **fields):
    storage = {
        "service": "Amazon Simple Storage Service",
        "usage_type": "TimedStorage-ByteHrs",
        "operation": "StandardStorage",
        "instance_type": None,
        "category": "Storage",
        "unit": "GB-Mo",
        "quantity": gigabytes,
        "monthly_quantity": gigabytes,
        "hours": None,
        "monthly_list_cost": None,
    }
    return use(bucket, cost or str(Decimal(gigabytes) * Decimal("0.023")), **storage | fields)


def reads(bucket, requests):
    return stored(bucket, requests, "0.4", usage_type="Requests-Tier2", unit="Requests", category="Storage")


@pytest.mark.parametrize(
    ("colder", "months", "size"),
    [
        # 0.01 / 1000 for moving; (0.023 - 0.0125) a GiB and month, six months: 0.063 / 2^30 a byte: 170,438 bytes.
        (STANDARD_IA, 6, 170_438),
        # 0.02 / 1000 against 0.019 x 12 = 0.228: 94,189 bytes, and nothing below 128 KB is moved.
        (GLACIER_INSTANT, 12, 128 * KIB),
        # 0.02 / 1000 against 0.019 x 3 = 0.057: 376,752 bytes (rounded up).
        (GLACIER_INSTANT, 3, 376_754),
    ],
)
def test_the_size_from_which_a_class_pays(colder, months, size):
    assert abs(smallest_paying_bytes(STANDARD, colder, months) - size) <= 2


def test_a_class_that_is_as_dear_never_pays():
    assert smallest_paying_bytes(STANDARD, STANDARD) is None
    assert smallest_paying_bytes(STANDARD, INTELLIGENT) > smallest_paying_bytes(STANDARD, GLACIER_INSTANT)


def test_how_much_may_be_read_before_a_class_costs_more():
    assert most_reading(STANDARD, STANDARD_IA) == Decimal("1.05")
    assert most_reading(STANDARD, GLACIER_FLEXIBLE) == Decimal("1.94")
    assert most_reading(STANDARD, INTELLIGENT) is None


def test_the_overhead_of_an_archive_is_paid_for_every_object():
    # 1,000 GiB in a million objects: 40 KiB each are 38.147 GiB more at 0.00099; moving 50 over 12 months.
    saved = monthly_saving(STANDARD, DEEP_ARCHIVE, Decimal(1000), Decimal(10**6), Decimal(0))
    by_hand = (
        Decimal(23) - (Decimal(1000) + Decimal(10**6) * 40 * KIB / 1024**3) * Decimal("0.00099") - Decimal(50) / 12
    )
    assert abs(saved - by_hand) < Decimal("0.0001")


def test_the_best_class_answers_at_once_and_survives_a_zone():
    chosen, _saved = best_class("AWS", Decimal(1000), Decimal(10**5), Decimal(0))
    assert chosen is GLACIER_INSTANT
    busy, _saved = best_class("AWS", Decimal(1000), Decimal(10**5), Decimal("0.6"))
    assert busy in (INTELLIGENT, STANDARD_IA)
    assert ONE_ZONE_IA not in (chosen, busy)
    assert best_class("AWS", Decimal(1000), Decimal(10**5), Decimal(5)) is None
    # A thousand GiB in a hundred million objects are 10 KiB each.
    assert best_class("AWS", Decimal(1000), Decimal(10**8), Decimal(0)) is None


def test_a_bucket_that_nobody_reads_moves_to_glacier_instant():
    findings = find("bucket_tiering", stored("logs", 1000), metrics=[measured("logs", "objects", 1_000_000)])
    # 23.00 - 4.00 - 1,000,000 / 1000 x 0.02 / 12 = 17.33.
    assert saving(findings) == Decimal("17.33")
    assert findings[0]["target"]["class"] == "GLACIER_IR"
    assert findings[0]["confidence"] == "likely"


def test_a_bucket_whose_objects_are_read_often_stays():
    rows = stored("site", 1000), reads("site", 6_000_000)
    assert find("bucket_tiering", *rows, metrics=[measured("site", "objects", 1_000_000)]) == []


def test_small_objects_are_never_moved():
    # 1,000 GiB in 9,000,000 objects are 119 KB each.
    assert find("bucket_tiering", stored("tiny", 1000), metrics=[measured("tiny", "objects", 9_000_000)]) == []


def test_without_the_number_of_objects_the_saving_is_not_known_and_not_zero():
    findings = find("bucket_tiering", stored("data", 500), reads("data", 20))
    assert saving(findings) is None
    assert findings[0]["confidence"] == "needs a look"
    assert findings[0]["target"]["class"] == "INTELLIGENT_TIERING"


def test_another_currency_has_no_prices_of_dollars():
    findings = find(
        "bucket_tiering", stored("logs", 1000, currency="EUR"), metrics=[measured("logs", "objects", 1_000_000)]
    )
    assert saving(findings) is None


def test_a_small_bucket_is_not_worth_a_policy():
    assert find("bucket_tiering", stored("small", 99), metrics=[measured("small", "objects", 10_000)]) == []


def test_uploads_that_never_ended_are_saved_whole_at_the_own_rate():
    bucket = thing("data", "bucket", attributes=json.dumps({"incomplete_multipart_bytes": 100 * 1024**3}))
    findings = find("bucket_multipart", stored("data", 500, "10.00"), inventory=[bucket])
    # 100 of 500 GiB at the bill's own 0.02.
    assert saving(findings) == Decimal("2.00")
    assert findings[0]["confidence"] == "certain"
    assert find("bucket_multipart", stored("data", 500, "10.00"), inventory=[thing("data", "bucket")]) == []


def snapshot(cost="5.00", **fields):
    return stored("snap-1", 100, cost, usage_type="EBS:SnapshotUsage", service="Amazon Elastic Compute Cloud", **fields)


def test_a_snapshot_whose_disk_is_gone_is_certain_only_where_disks_are_listed():
    orphan = thing("snap-1", "snapshot", parent="vol-9", created_day="2026-06-01")
    assert find("snapshot_old", snapshot(), inventory=[orphan]) == []
    other = thing("vol-1", "disk")
    findings = find("snapshot_old", snapshot(), inventory=[orphan, other])
    assert (saving(findings), findings[0]["confidence"]) == (Decimal("5.00"), "certain")
    there = thing("vol-9", "disk")
    assert find("snapshot_old", snapshot(), inventory=[orphan, there]) == []
    image = thing("ami-1", "image", parent="snap-1")
    assert find("snapshot_old", snapshot(), inventory=[orphan, other, image]) == []


def logs(gigabytes, taken, cost="30.00"):
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/app/web:*"
    storage = stored(group, gigabytes, cost, usage_type="USE1-TimedStorage-ByteHrs", service="AmazonCloudWatch logs")
    return {**storage, "description": "log storage"}, {
        **stored(group, taken, "1.00", usage_type="USE1-DataProcessing-Bytes", service="AmazonCloudWatch logs"),
    }


def test_logs_without_an_end_save_what_is_older_than_three_months():
    findings = find("logs_kept", *logs(1000, 200))
    # Three months of 200 GB kept at 15 % are 90 of 1,000 GB: 91 % of 30.00.
    assert saving(findings) == Decimal("27.30")
    assert "/app/web --retention" in rule_named("logs_kept").fixes(findings[0])[0].text


@mock_aws
def test_s3_takes_the_policy_gives_it_back_and_forgets_it_again():
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="data")
    policy = json.loads(s3_policy(STANDARD_IA, 5, versions_days=30, multipart_days=7))
    s3.put_bucket_lifecycle_configuration(Bucket="data", LifecycleConfiguration=policy)
    stored_rules = s3.get_bucket_lifecycle_configuration(Bucket="data")["Rules"]
    assert [rule["ID"] for rule in stored_rules] == ["to-standard-ia", "old-versions", "incomplete-uploads"]
    # S3 moves nothing to Standard-IA before its thirtieth day.
    assert stored_rules[0]["Transitions"] == [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    s3.delete_bucket_lifecycle(Bucket="data")
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="data")
