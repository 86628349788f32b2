"""FOCUS 1.3 and 1.4, what stands in the place of unknown costs, and months that go to a bucket every night."""

import base64
import hashlib
import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import duckdb
import google_crc32c
import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse
from google.api_core.exceptions import RetryError
from google.auth.exceptions import RefreshError, TransportError
from google.cloud.storage.exceptions import DataCorruption
from requests.exceptions import ConnectionError

from costs import focus_export, health, scheduled_exports
from costs.formats import focus_out
from costs.ingest.withdraw import withdraw_delivery
from costs.models import Credential, ExportPlace
from costs.sources.storage import StorageProblem
from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput
from tests import bills
from tests.costs.ingest.test_sources import bucket, s3  # noqa: F401
from tests.costs.test_focus_export import load, three_clouds  # noqa: F401

pytestmark = pytest.mark.django_db

MARCH = Month(2026, 3)
NOW = datetime(2026, 4, 2, 4, 20, tzinfo=UTC)


@pytest.mark.parametrize(("version", "columns"), [("1.2", 57), ("1.3", 65), ("1.4", 65)])
def test_a_version_has_its_columns_and_is_read_again_as_it(three_clouds, load, tmp_path, version, columns):  # noqa: F811
    path = tmp_path / "march.csv"
    written = focus_export.write_month(MARCH, path, version)
    header = path.read_text().splitlines()[0].split(",")
    assert (len(header), header) == (columns, list(focus_out.VERSIONS[version]))
    assert ("ProviderName" in header) == (version != "1.4")
    again = load("again", path.read_bytes())
    assert (again.format, again.rows_rejected, again.totals) == (f"focus {version}", 0, written.totals)


def test_1_3_names_who_provides_and_who_hosts(three_clouds, tmp_path):  # noqa: F811
    focus_export.write_month(MARCH, tmp_path / "x.parquet", "1.3")
    rows = duckdb.execute(
        f"SELECT DISTINCT ServiceProviderName, HostProviderName FROM '{tmp_path / 'x.parquet'}' ORDER BY 1"
    ).fetchall()
    assert rows == [("AWS", "AWS"), ("Azure", "Azure"), ("GCP", "GCP")]


def test_a_version_that_there_is_not_is_refused(three_clouds, tmp_path):  # noqa: F811
    with pytest.raises(BadInput, match=r"FOCUS 2\.0 is not written: use 1\.2, 1\.3, 1\.4"):
        call_command("export_focus", month="2026-03", out=str(tmp_path / "x.csv"), focus_version="2.0")


def test_unknown_effective_cost_is_named_wherever_the_export_is(load, tmp_path, capsys):  # noqa: F811
    load("gone", bills.focus_csv([{}], EffectiveCost=""))
    text = "gone: the effective cost is not known, and billed cost stands in its place."
    written = focus_export.write_month(MARCH, tmp_path / "x.parquet")
    assert text in written.notes
    noted = duckdb.execute(f"SELECT value FROM parquet_kv_metadata('{tmp_path / 'x.parquet'}') WHERE key = 'notes'")
    assert text in noted.fetchone()[0].decode()
    call_command("export_focus", month="2026-03", out=str(tmp_path / "x.csv"))
    printed = capsys.readouterr().out
    assert text in printed
    assert "the file fills: effective cost" in printed


def test_of_a_bill_in_two_halves_nothing_is_unknown(three_clouds, tmp_path):  # noqa: F811
    notes = focus_export.write_month(MARCH, tmp_path / "x.parquet").notes
    assert not [note for note in notes if "stands in its place" in note]


@pytest.fixture
def place(tmp_path, settings):
    settings.FINOPS_EXPORT_FOLDERS = [str(tmp_path / "outbox")]
    return ExportPlace.objects.create(name="warehouse", kind="folder", bucket="focus", version="1.4", prefix="finops")


def test_a_month_goes_out_once_and_again_when_its_bills_change(three_clouds, load, place, tmp_path):  # noqa: F811
    assert scheduled_exports.write_all(NOW) == []
    folder = tmp_path / "outbox" / "focus" / "finops" / "billing_month=2026-03"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["focus_version"], manifest["file"]) == ("1.4", "focus-1.4-2026-03.parquet")
    assert manifest["totals"]["USD"]["billed_cost"] == "3.606"
    assert (folder / manifest["file"]).read_bytes()[:4] == b"PAR1"
    place.refresh_from_db()
    assert (place.written_at, place.problem) == (NOW, "")
    assert scheduled_exports.write_place(place, NOW) == []
    load("late", bills.focus_csv([{"BilledCost": "1", "SubAccountId": "9"}]))
    assert scheduled_exports.write_place(place, NOW) == [MARCH]
    assert json.loads((folder / "manifest.json").read_text())["totals"]["USD"]["billed_cost"] == "4.606"


def test_a_month_that_was_withdrawn_is_written_without_rows_and_says_so(load, place, tmp_path, fay):  # noqa: F811
    bill = load("focus", bills.focus_csv([{}]))
    scheduled_exports.write_place(place, NOW)
    folder = tmp_path / "outbox" / "focus" / "finops" / "billing_month=2026-03"
    columns = duckdb.execute(f"DESCRIBE SELECT * FROM '{folder}/*.parquet'").fetchall()
    assert withdraw_delivery(bill, fay)
    assert scheduled_exports.write_place(place, NOW) == [MARCH]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["totals"]) == (0, {})
    (note,) = manifest["notes"]
    assert note.startswith("No bill of 2026-03 counts any more")
    assert duckdb.execute(f"DESCRIBE SELECT * FROM '{folder}/*.parquet'").fetchall() == columns
    assert duckdb.execute(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall() == [(0,)]
    assert place.marks == {}
    assert scheduled_exports.write_place(place, NOW) == []


@pytest.mark.parametrize(("name", "value"), [("bucket", "another"), ("prefix", "elsewhere")])
def test_a_place_that_moves_gets_its_months_again(load, place, tmp_path, name, value):  # noqa: F811
    load("focus", bills.focus_csv([{}]))
    assert scheduled_exports.write_place(place, NOW) == [MARCH]
    setattr(place, name, value)
    assert scheduled_exports.write_place(place, NOW) == [MARCH]
    folder = tmp_path / "outbox" / place.bucket / place.prefix / "billing_month=2026-03"
    assert (folder / "manifest.json").exists()


def test_a_place_that_fails_is_named_and_keeps_no_other_back(three_clouds, place, fay, client_of):  # noqa: F811
    ExportPlace.objects.create(name="attic", kind="folder", bucket="../../elsewhere")
    (problem,) = scheduled_exports.write_all(NOW)
    assert problem.startswith("attic: ")
    assert "FINOPS_EXPORT_FOLDERS" in problem
    place.refresh_from_db()
    assert place.written_at == NOW
    assert [status.state.value for status in health.export_places(NOW)] == ["bad", "good"]
    page = client_of(fay).get(reverse("costs:exports")).content.decode()
    assert "Written every night" in page
    assert "written 2 Apr 2026, 04:20 UTC" in page


def test_a_month_goes_to_a_bucket(three_clouds, s3, bucket):  # noqa: F811
    place = ExportPlace.objects.create(name="s3", kind="s3", bucket="bills", region="us-east-1", endpoint=s3)
    assert scheduled_exports.write_place(place, NOW) == [MARCH]
    keys = {item["Key"] for item in bucket.list_objects_v2(Bucket="bills")["Contents"]}
    assert keys == {"billing_month=2026-03/focus-1.2-2026-03.parquet", "billing_month=2026-03/manifest.json"}
    place.bucket = "nowhere"
    with pytest.raises(StorageProblem, match="there is no such bucket"):
        scheduled_exports.write_place(place, NOW)


class ObjectStore(BaseHTTPRequestHandler):
    """As much of Azure Blob Storage and Google Cloud Storage as writing asks for: whole objects, and those in parts."""

    def do_PUT(self):
        query = dict(parse_qsl(urlsplit(self.path).query))
        content = self._content()
        if "upload_id" in query:
            self._keep(query["upload_id"], content)
            checksum = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
            return self._answer(200, {"name": query["upload_id"], "bucket": "bills", "crc32c": checksum})
        name, parts = unquote(urlsplit(self.path).path).removeprefix("/account"), self.server.parts
        if query.get("comp") == "block":
            parts[query["blockid"]] = content
        elif query.get("comp") == "blocklist":
            self._keep(name, b"".join(parts[key.decode()] for key in re.findall(b"<Latest>(.+?)</Latest>", content)))
        else:
            self._keep(name, content)
        return self._answer(self.server.refusal or 201)

    def do_POST(self):
        url, content = urlsplit(self.path), self._content()
        container = url.path.split("/")[-2]
        if dict(parse_qsl(url.query))["uploadType"] == "resumable":
            name = f"/{container}/{json.loads(content)['name']}"
            host = self.headers["Host"]
            return self._answer(
                self.server.refusal or 200, {}, Location=f"http://{host}/?{urlencode({'upload_id': name})}"
            )
        _, about, body, _ = content.split(b"--" + re.match(b"--(.+?)\r\n", content)[1])
        about = json.loads(about.split(b"\r\n\r\n", 1)[1])
        self._keep(f"/{container}/{about['name']}", body.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
        return self._answer(self.server.refusal or 200, {"name": about["name"], "bucket": container})

    def _content(self):
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _keep(self, name, content):
        if not self.server.refusal:
            self.server.objects[name] = content

    def _answer(self, status, body=None, **headers):
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        when = "Thu, 02 Apr 2026 04:20:00 GMT"
        for header, value in {"ETag": '"1"', "Last-Modified": when, "Content-Length": len(text), **headers}.items():
            self.send_header(header, str(value))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        """Tests print nothing."""


@pytest.fixture
def store(settings):
    """A server of objects in this process: what it holds is in `objects`; it refuses with the status `refusal`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ObjectStore)
    server.objects, server.parts, server.refusal = {}, {}, 0
    address = f"http://127.0.0.1:{server.server_port}"
    server.addresses = {"azure": f"{address}/account", "gcs": address}
    settings.FINOPS_STORAGE_ENDPOINTS = list(server.addresses.values())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def place_in(store, kind):
    credential = Credential(name=kind)
    credential.seal({"account_key": "a2V5"} if kind == "azure" else {})
    credential.save()
    return ExportPlace(name=kind, kind=kind, bucket="bills", endpoint=store.addresses[kind], credential=credential)


def test_a_month_goes_to_azure_and_to_google_cloud(load, store):  # noqa: F811
    load("focus", bills.focus_csv([{}]))
    for kind in ("azure", "gcs"):
        place = place_in(store, kind)
        place.save()
        store.objects.clear()
        assert scheduled_exports.write_place(place, NOW) == [MARCH]
        name, manifest = store.objects
        folder = "/bills/billing_month=2026-03"
        assert (name, manifest) == (f"{folder}/focus-1.2-2026-03.parquet", f"{folder}/manifest.json"), "manifest last"
        about = json.loads(store.objects[manifest])
        assert about["sha256"] == hashlib.sha256(store.objects[name]).hexdigest()
        assert scheduled_exports.write_place(place, NOW) == []


@pytest.mark.parametrize("kind", ["azure", "gcs"])
def test_a_large_file_is_written_in_parts(store, kind, tmp_path, monkeypatch):
    target = scheduled_exports.TARGETS[kind](place_in(store, kind))
    if kind == "azure":
        target.client._config.max_single_put_size, target.client._config.max_block_size = 10, 400_000
    else:
        monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 10)
    path = tmp_path / "large"
    path.write_bytes(bytes(range(250)) * 4000)
    target.store("a folder/large", path)
    assert store.objects == {"/bills/a folder/large": path.read_bytes()}


@pytest.mark.parametrize("kind", ["azure", "gcs"])
@pytest.mark.parametrize(("status", "says"), [(403, "access is denied"), (404, "there is no such (bucket|container)")])
def test_a_place_that_takes_no_file_says_why(store, kind, status, says, tmp_path):
    store.refusal = status
    (tmp_path / "x").write_text("x")
    with pytest.raises(StorageProblem, match=says):
        scheduled_exports.TARGETS[kind](place_in(store, kind)).store("x", tmp_path / "x")
    assert store.objects == {}


@pytest.mark.parametrize(
    ("error", "says", "is_temporary"),
    [
        (ConnectionError("http://10.0.0.1/?token=abc"), "Bucket bills: no answer.", True),
        (RetryError("http://10.0.0.1/?token=abc", None), "Bucket bills: no answer.", True),
        (TransportError("http://10.0.0.1/?token=abc"), "Bucket bills: no answer.", True),
        (DataCorruption(None, "sum"), "Bucket bills: what arrived is not what was sent.", True),
        (RefreshError("secret"), "Bucket bills: the credentials were refused.", False),
    ],
)
def test_what_google_cloud_does_not_answer_is_no_accident_of_the_night(
    store, tmp_path, monkeypatch, error, says, is_temporary
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("google.cloud.storage.Blob.upload_from_filename", fail)
    with pytest.raises(StorageProblem) as problem:
        scheduled_exports.TARGETS["gcs"](place_in(store, "gcs")).store("x", tmp_path / "x")
    assert (str(problem.value), problem.value.is_temporary) == (says, is_temporary)


def test_s3_says_what_writing_needs(tmp_path, monkeypatch):
    target = scheduled_exports.TARGETS["s3"](ExportPlace(name="s3", kind="s3", bucket="bills"))

    def fail(*arguments):
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    monkeypatch.setattr(target.client, "upload_file", fail)
    with pytest.raises(StorageProblem, match="the role needs s3:PutObject here"):
        target.store("x", tmp_path / "x")


def test_an_account_key_that_is_none_is_named(store, tmp_path):
    (tmp_path / "x").write_text("x")
    place = place_in(store, "azure")
    place.credential.seal({"account_key": "no key"})
    with pytest.raises(StorageProblem, match=r"Container bills: the account key cannot be used\."):
        scheduled_exports.TARGETS["azure"](place).store("x", tmp_path / "x")


def test_no_file_goes_where_the_machine_allows_none(place):
    for kind, name in (("folder", "/etc"), ("s3", "No Bucket")):
        place.kind, place.bucket = kind, name
        with pytest.raises(ValidationError):
            scheduled_exports.check_place(place)
