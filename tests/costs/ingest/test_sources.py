"""Bills that come by themselves: from a folder, S3, Google Cloud and Azure; and when they do not come."""

import gzip
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from costs import tasks
from costs.ingest.load import load_bill
from costs.models import Credential, Delivery, Source, Stream
from costs.sources import sync
from costs.sources.connection_test import try_connection
from costs.sources.health import is_late, source_health, warn_of_late_bills
from costs.sources.kinds import storage_of
from costs.sources.storage import StorageProblem
from finops_site.mail import outbox
from tests import bills

pytestmark = pytest.mark.django_db

BILL = bills.focus_csv([{}])
SECRET = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret-indeed"}


def loaded(done):
    return [load_bill(received.delivery) for received in done.received if received.is_new]


@pytest.fixture
def inbox(tmp_path, settings):
    settings.FINOPS_FOLDERS = [str(tmp_path / "inbox")]
    (tmp_path / "inbox" / "aws").mkdir(parents=True)
    return tmp_path / "inbox" / "aws"


@pytest.fixture
def folder(inbox):
    return Source.objects.create(name="watched", kind="folder", bucket="aws", expected_every_hours=24)


class TestFolder:
    def test_a_bill_put_there_is_fetched_once(self, inbox, folder):
        bills.write(inbox, "march.csv", BILL)
        (delivery,) = loaded(sync.synchronise(folder))
        assert (delivery.status, delivery.source, delivery.rows_loaded) == ("current", folder, 1)
        again = sync.synchronise(folder)
        assert (again.received, again.unchanged) == ([], 1)
        assert folder.sync_message == "0 new deliveries, 1 unchanged."

    def test_a_bill_that_changes_is_fetched_again(self, inbox, folder):
        path = bills.write(inbox, "march.csv", BILL)
        loaded(sync.synchronise(folder))
        bills.write(inbox, "march.csv", bills.focus_csv([{"BilledCost": "2"}]))
        os.utime(path, ns=(1, 1))
        (delivery,) = loaded(sync.synchronise(folder))
        assert delivery.totals["USD"]["billed_cost"] == "2"

    def test_a_broken_bill_is_said_and_does_not_keep_the_others(self, inbox, folder):
        bills.write(inbox, "broken.csv", b"")
        bills.write(inbox, "march.csv", BILL)
        done = sync.synchronise(folder)
        assert len(loaded(done)) == 1
        assert "broken.csv: the file is empty" in folder.sync_message
        assert source_health(folder, timezone.now(), timezone.now()).state == "failing"

    def test_only_folders_the_machine_allows_are_watched(self, inbox, folder):
        for bucket in ("/etc", "../../etc", "/"):
            folder.bucket = bucket
            with pytest.raises(StorageProblem, match="FINOPS_FOLDERS"):
                storage_of(folder)

    def test_links_are_not_followed(self, inbox, folder, tmp_path):
        (tmp_path / "secret.csv").write_bytes(BILL)
        (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets/more.csv").write_bytes(BILL)
        (inbox / "folder").symlink_to(tmp_path / "secrets")
        assert sync.synchronise(folder).received == []

    def test_two_workers_do_not_fetch_at_once(self, inbox, folder):
        sync.claim_source(folder)
        with pytest.raises(sync.Busy):
            sync.synchronise(folder)
        Source.objects.update(sync_started_at=timezone.now() - timedelta(hours=7))
        sync.synchronise(folder)


@pytest.fixture(scope="module")
def s3():
    """A real S3 and STS over loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, settings, monkeypatch):
    import boto3

    settings.FINOPS_STORAGE_ENDPOINTS = [s3]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    client.create_bucket(Bucket="bills")
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="bills"):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket="bills", Key=item["Key"])
    client.delete_bucket(Bucket="bills")


@pytest.fixture
def aws(s3, bucket):
    return Source.objects.create(name="aws", kind="s3", bucket="bills", prefix="pre/", region="us-east-1", endpoint=s3)


PERIOD = "pre/cur/20260301-20260401"


def put_report(client, assembly, *parts):
    """A legacy report as AWS delivers it: the parts, then the manifest of the period."""
    keys = []
    for number, text in enumerate(parts, 1):
        keys.append(f"{PERIOD}/{assembly}/cur-{number}.csv.gz")
        client.put_object(Bucket="bills", Key=keys[-1], Body=gzip.compress(text))
    body = json.dumps({"assemblyId": assembly, "reportName": "cur", "reportKeys": keys}).encode()
    client.put_object(Bucket="bills", Key=f"{PERIOD}/cur-Manifest.json", Body=body)


class TestS3:
    def test_a_report_is_what_its_manifest_names_and_a_newer_one_replaces_the_month(self, bucket, aws):
        put_report(bucket, "one", bills.cur_csv([{}]), bills.cur_csv([{"lineItem/UnblendedCost": "0.004"}]))
        (first,) = loaded(sync.synchronise(aws))
        assert first.totals["USD"]["billed_cost"] == "0.1"
        # Three times as much would be held.
        Stream.objects.update(is_judged=False)
        put_report(bucket, "two", bills.cur_csv([{"lineItem/UnblendedCost": "0.3"}]))
        (second,) = loaded(sync.synchronise(aws))
        first.refresh_from_db()
        assert (second.totals["USD"]["billed_cost"], first.status) == ("0.3", "superseded")
        assert sync.synchronise(aws).unchanged == 1

    def test_more_objects_than_a_page_of_the_listing_are_all_seen(self, bucket, aws):
        for number in range(1005):
            bucket.put_object(Bucket="bills", Key=f"pre/noise/{number:05}.txt", Body=b"")
        bucket.put_object(Bucket="bills", Key="pre/zz-march.csv", Body=BILL)
        assert len(sync.synchronise(aws).received) == 1

    def test_cur_2_and_focus_exports_lie_in_partitions(self, bucket, aws):
        key = "pre/focus/data/BILLING_PERIOD=2026-03/focus-00001.csv"
        bucket.put_object(Bucket="bills", Key=key, Body=BILL)
        manifest = json.dumps({"dataFiles": [f"s3://bills/{key}"]}).encode()
        bucket.put_object(
            Bucket="bills", Key="pre/focus/metadata/BILLING_PERIOD=2026-03/focus-Manifest.json", Body=manifest
        )
        (delivery,) = loaded(sync.synchronise(aws))
        assert delivery.format.startswith("focus")

    def test_a_role_is_assumed(self, bucket, aws):
        aws.credential = Credential.objects.create(
            name="role", role_arn="arn:aws:iam::123456789012:role/finops", external_id="ext"
        )
        aws.save()
        bucket.put_object(Bucket="bills", Key="pre/march.csv", Body=BILL)
        assert len(sync.synchronise(aws).received) == 1

    def test_a_bucket_that_is_not_there_is_said_in_words(self, aws):
        aws.bucket = "nowhere"
        aws.save()
        with pytest.raises(StorageProblem, match="there is no such bucket"):
            sync.synchronise(aws)
        assert (aws.sync, aws.sync_message) == ("failed", "Bucket nowhere: there is no such bucket.")

    def test_a_server_that_is_down_may_pass(self, aws, settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
        settings.FINOPS_STORAGE_ENDPOINTS = [dead]
        aws.endpoint = dead
        aws.save()
        with pytest.raises(StorageProblem) as problem:
            sync.synchronise(aws)
        assert problem.value.is_temporary

    def test_no_request_leaves_to_an_address_that_is_not_allowed(self, aws, settings):
        settings.FINOPS_STORAGE_ENDPOINTS = []
        with pytest.raises(StorageProblem, match="FINOPS_STORAGE_ENDPOINTS"):
            sync.synchronise(aws)


class TestCredentials:
    def test_a_secret_is_kept_encrypted_and_opens_for_the_connection_alone(self):
        credential = Credential(name="keys")
        credential.seal(SECRET)
        credential.save()
        stored = Credential.objects.values().get()
        assert "very-secret" not in str(stored)
        assert Credential.objects.get().secret() == SECRET

    def test_a_secret_sealed_with_a_lost_key_is_asked_for_again(self, settings):
        from cryptography.fernet import Fernet

        credential = Credential(name="keys")
        credential.seal(SECRET)
        settings.FINOPS_CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        with pytest.raises(ValidationError, match="enter it again"):
            credential.secret()

    def test_an_old_key_still_opens_after_a_new_one_was_put_in_front(self, settings):
        from cryptography.fernet import Fernet

        credential = Credential(name="keys")
        credential.seal(SECRET)
        settings.FINOPS_CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.FINOPS_CREDENTIAL_KEYS]
        assert credential.secret() == SECRET

    def test_ada_writes_a_secret_and_nobody_reads_it(self, ada, fay, client_of, bucket, aws, caplog):
        page = reverse("admin:costs_credential_add")
        client_of(ada).post(page, {"name": "keys", "secret": json.dumps(SECRET), "role_arn": "", "external_id": ""})
        credential = Credential.objects.get()
        assert credential.secret() == SECRET
        aws.credential = credential
        aws.bucket = "nowhere"
        aws.save()
        with pytest.raises(StorageProblem):
            sync.synchronise(aws)
        change = reverse("admin:costs_credential_change", args=[credential.pk])
        seen = [
            client_of(ada).get(change).content.decode(),
            client_of(fay).get(reverse("costs:source", args=[aws.pk])).content.decode(),
            client_of(fay).get(reverse("costs:sources")).content.decode(),
            json.dumps(client_of(fay).get("/api/v1/sources/").json()),
            caplog.text,
            aws.sync_message,
        ]
        assert not any("very-secret" in text or "AKIDEXAMPLE" in text for text in seen)
        client_of(ada).post(change, {"name": "renamed", "secret": "", "role_arn": "", "external_id": ""})
        assert Credential.objects.get().secret() == SECRET, "an empty field leaves the secret as it is"

    def test_fay_may_not_open_credentials(self, fay, client_of):
        assert client_of(fay).get(reverse("admin:costs_credential_changelist")).status_code == 403


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    """A real Google Cloud Storage protocol over loopback."""
    port = free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    command = [program, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=bills"]
    server = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path_factory.mktemp("gcs"),
    )
    assert answers(port)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(10)


class TestGoogleCloud:
    def test_a_bill_is_fetched_once(self, google, settings):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage as client

        settings.FINOPS_STORAGE_ENDPOINTS = [google]
        cloud = client.Client("none", AnonymousCredentials(), client_options={"api_endpoint": google})
        cloud.bucket("bills").blob("pre/march.csv").upload_from_string(BILL)
        source = Source.objects.create(name="gcp", kind="gcs", bucket="bills", prefix="pre/", endpoint=google)
        (delivery,) = loaded(sync.synchronise(source))
        assert delivery.status == Delivery.Status.CURRENT
        assert sync.synchronise(source).unchanged == 1
        source.bucket = "nowhere"
        source.save()
        with pytest.raises(StorageProblem, match="Bucket nowhere"):
            sync.synchronise(source)


AZURITE = os.environ.get("AZURITE") or shutil.which("azurite-blob")


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    port, folder = free_port(), tmp_path_factory.mktemp("azurite")
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    # Without the last two it asks its maker's servers and refuses newer clients.
    server = subprocess.Popen([AZURITE, *options, "--silent", "--disableTelemetry", "--skipApiVersionCheck"])
    assert answers(port)
    yield f"http://127.0.0.1:{port}/devstoreaccount1"
    server.terminate()
    server.wait(10)


@pytest.mark.skipif(not AZURITE, reason="azurite (from npm) is not here; set AZURITE to its azurite-blob")
class TestAzure:
    # Azurite's own published key of its one account.
    KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def test_the_last_run_of_an_export_is_fetched(self, azurite, settings):
        from azure.storage.blob import ContainerClient

        settings.FINOPS_STORAGE_ENDPOINTS = [azurite]
        container = ContainerClient(azurite, "bills", credential=self.KEY)
        container.create_container()
        for run, cost in (("202603050100", "1"), ("202603060100", "2")):
            text = bills.focus_csv([{"BilledCost": cost}])
            container.upload_blob(f"exports/focus/20260301-20260331/{run}/part_0.csv", text)
        credential = Credential(name="azurite")
        credential.seal({"account_key": self.KEY})
        credential.save()
        source = Source.objects.create(
            name="azure", kind="azure", bucket="bills", prefix="exports/", endpoint=azurite, credential=credential
        )
        (delivery,) = loaded(sync.synchronise(source))
        assert delivery.totals["USD"]["billed_cost"] == "2"
        assert sync.synchronise(source).unchanged == 1


class TestConnectionTest:
    """What is tried is neither loaded nor kept, and what is missing is named."""

    def test_a_folder_says_what_lies_there(self, inbox, folder):
        bills.write(inbox, "march.csv", bills.focus_csv([{}, {}]))
        bills.write(inbox, "notes.txt", b"x")
        connection = try_connection(folder)
        assert (connection.is_ok, connection.missing, connection.files, connection.bills) == (True, "", 2, 1)
        newest = (connection.newest, connection.format, connection.months, connection.rows)
        assert newest == ("march.csv", "focus 1.0", ("2026-03",), 2)
        assert connection.words.startswith("It works: 2 files, 1 bill to fetch. The newest, march.csv, was written ")
        assert not Delivery.objects.exists()
        assert list((Path(inbox).parents[0] / "..").glob("incoming/test-*")) == []

    def test_what_is_no_bill_is_said(self, inbox, folder):
        assert "nothing lies there yet" in try_connection(folder).words
        bills.write(inbox, "odd.csv", b"a,b\n1,2\n")
        connection = try_connection(folder)
        assert (connection.is_ok, connection.format) == (False, "")
        assert "odd.csv" in connection.words

    def test_a_folder_that_is_not_there_or_not_allowed_is_said(self, inbox):
        connection = try_connection(Source(kind="folder", bucket="gcp"))
        assert (connection.is_ok, "is not there" in connection.words) == (False, True)
        assert "FINOPS_FOLDERS" in try_connection(Source(kind="folder", bucket="/etc")).words
        assert "people deliver" in try_connection(Source(kind="upload")).words

    def test_s3_lists_the_newest_report(self, bucket, aws):
        put_report(bucket, "one", bills.cur_csv([{}]))
        connection = try_connection(aws)
        assert (connection.is_ok, connection.bills, connection.format) == (True, 1, "aws-cur")
        assert connection.months == ("2026-03",)
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize(
        ("operation", "right"),
        [("ListObjectsV2", "s3:ListBucket on arn:aws:s3:::bills"), ("GetObject", "s3:GetObject")],
    )
    def test_the_right_that_is_missing_is_named(self, bucket, aws, monkeypatch, operation, right):
        from botocore.client import BaseClient
        from botocore.exceptions import ClientError

        bucket.put_object(Bucket="bills", Key="pre/march.csv", Body=BILL)
        ask = BaseClient._make_api_call
        denied = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}

        def deny(self, name, arguments):
            if name == operation:
                raise ClientError(denied, name)
            return ask(self, name, arguments)

        with monkeypatch.context() as patch:
            patch.setattr(BaseClient, "_make_api_call", deny)
            connection = try_connection(aws)
        assert not connection.is_ok
        assert connection.missing.startswith(right)

    def test_a_bucket_that_is_not_there_lacks_no_right(self, aws):
        aws.bucket = "nowhere"
        connection = try_connection(aws)
        assert (connection.is_ok, connection.missing) == (False, "")
        assert "there is no such bucket" in connection.words

    def test_fay_tests_what_she_typed_and_no_secret_is_shown(self, fay, ola, client_of, inbox, s3, bucket):
        credential = Credential(name="keys", external_id="a-word")
        credential.seal(SECRET)
        credential.save()
        bucket.put_object(Bucket="bills", Key="pre/march.csv", Body=BILL)
        described = {"name": "mine", "kind": "s3", "bucket": "bills", "prefix": "pre/", "endpoint": s3, "region": ""}
        fields = {**described, "delivery_mode": "replace", "expected_every_hours": "24", "credential": credential.pk}
        page = client_of(fay).post(reverse("costs:source_add"), {**fields, "test": "1"}).content.decode()
        assert "It works: 1 file, 1 bill to fetch" in page
        assert '<b data-fill="bucket" data-empty="BUCKET">bills</b>/<b data-fill="prefix">pre/</b>*' in page
        assert "very-secret" not in page
        assert "a-word" not in page, "credentials are the administrator's"
        assert not Source.objects.exists()
        assert client_of(ola).post(reverse("costs:source_add"), {**fields, "test": "1"}).status_code == 403

    def test_the_api_and_the_admin_test_the_same(self, ada, fay, max_, client_of, inbox, folder):
        bills.write(inbox, "march.csv", BILL)
        address = f"/api/v1/sources/{folder.pk}/test/"
        answer = client_of(fay).post(address).json()
        assert (answer["is_ok"], answer["months"], answer["missing"]) == (True, ["2026-03"], "")
        assert client_of(max_).post(address).status_code == 403
        chosen = {"action": "test_connection", "_selected_action": [folder.pk]}
        page = client_of(ada).post(reverse("admin:costs_source_changelist"), chosen, follow=True).content.decode()
        assert "watched: It works: 1 file" in page
        assert not Delivery.objects.exists()


class TestHealth:
    @pytest.mark.parametrize(
        ("hours", "state", "words"),
        [
            (9, "good", "Last delivery 9 h ago, expected every 24 h."),
            (31, "late", "Last delivery 31 h ago, expected every 24 h."),
        ],
    )
    def test_a_light_says_whether_bills_come_in_time(self, folder, hours, state, words):
        now = timezone.now()
        health = source_health(folder, now - timedelta(hours=hours, minutes=1), now)
        assert (health.state, health.words) == (state, words)

    def test_finance_is_told_once_for_each_bill_that_is_late(self, folder, inbox, people):
        bills.write(inbox, "march.csv", BILL)
        loaded(sync.synchronise(folder))
        later = timezone.now() + timedelta(hours=31)
        assert [warn_of_late_bills(later) for _ in range(3)] == [1, 0, 0]
        assert outbox.send_queued_emails(later) == 1
        (message,) = mail.outbox
        assert (message.to, message.subject) == (["fay@demo.example"], "Bill overdue: watched")
        assert "Last delivery 31 h ago, expected every 24 h." in message.body
        assert "/sources/" in message.body
        bills.write(inbox, "april.csv", bills.focus_csv([{"BilledCost": "5"}]))
        loaded(sync.synchronise(folder))
        assert warn_of_late_bills(timezone.now()) == 0
        assert warn_of_late_bills(timezone.now() + timedelta(hours=40)) == 1, "late again after a bill that came"

    def test_a_source_nobody_waits_for_is_never_late(self, folder):
        folder.expected_every_hours = 0
        assert not is_late(folder, None, timezone.now() + timedelta(days=90))


class TestPages:
    def test_fay_connects_a_folder_and_its_bills_are_looked_for(
        self, fay, client_of, inbox, django_capture_on_commit_callbacks, monkeypatch
    ):
        queued = []
        monkeypatch.setattr(tasks.synchronise_source, "delay", queued.append)
        described = {"name": "mine", "kind": "folder", "bucket": "aws", "delivery_mode": "replace", "is_enabled": "on"}
        with django_capture_on_commit_callbacks(execute=True):
            client_of(fay).post(reverse("costs:source_add"), {**described, "expected_every_hours": "24"})
        source = Source.objects.get()
        assert queued == [source.pk]
        page = client_of(fay).get(reverse("costs:sources")).content.decode()
        assert "mine" in page
        assert "No bill has come yet." in page

    @pytest.mark.parametrize(
        ("described", "message"),
        [
            ({"kind": "folder", "bucket": "/etc"}, "FINOPS_FOLDERS"),
            ({"kind": "s3", "bucket": "Not A Bucket"}, "3 to 63 small letters"),
            ({"kind": "azure", "bucket": "bills", "region": "http://evil.example"}, "3 to 24 small letters"),
            (
                {"kind": "s3", "bucket": "bills", "endpoint": "http://169.254.169.254"},
                "not one of the available choices",
            ),
            ({"kind": "upload", "currency": "euro"}, "3"),
        ],
    )
    def test_a_place_that_cannot_be_is_refused_in_words(self, fay, client_of, inbox, described, message):
        fields = {"name": "mine", "delivery_mode": "replace", "expected_every_hours": "0", **described}
        page = client_of(fay).post(reverse("costs:source_add"), fields)
        assert page.status_code == 200
        assert message in page.content.decode()
        assert not Source.objects.exists()

    def test_what_another_kind_needs_is_not_kept(self, fay, client_of, inbox):
        left = {"prefix": "pre/", "region": "eu-west-1", "credential": Credential.objects.create(name="role").pk}
        described = {"name": "mine", "kind": "folder", "bucket": "aws", "delivery_mode": "replace", **left}
        client_of(fay).post(reverse("costs:source_add"), {**described, "expected_every_hours": "24"})
        source = Source.objects.get()
        assert (source.bucket, source.prefix, source.region, source.credential) == ("aws", "", "", None)

    def test_a_button_looks_for_bills_at_once(
        self, fay, client_of, folder, django_capture_on_commit_callbacks, monkeypatch
    ):
        queued = []
        monkeypatch.setattr(tasks.synchronise_source, "delay", queued.append)
        with django_capture_on_commit_callbacks(execute=True):
            client_of(fay).post(reverse("costs:source_sync", args=[folder.pk]))
        assert queued == [folder.pk]

    def test_the_task_fetches_and_queues_the_loads(
        self, inbox, folder, monkeypatch, django_capture_on_commit_callbacks
    ):
        queued = []
        monkeypatch.setattr(tasks.load_delivery, "delay", queued.append)
        bills.write(inbox, "march.csv", BILL)
        with django_capture_on_commit_callbacks(execute=True):
            tasks.synchronise_source(folder.pk)
        assert queued == [Delivery.objects.get().pk]
