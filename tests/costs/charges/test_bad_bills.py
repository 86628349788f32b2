"""Bad input gets a clear message, loses nothing, and leaves the last good month standing."""

import gzip
import json
import re
from decimal import Decimal

import pytest
from django.test import override_settings

from costs import reconciliation
from costs.formats.base import BadBill
from costs.ingest.load import load_bill, retry_delivery
from costs.ingest.receive import receive_bill
from costs.models import CostLine, Delivery, Reject, TagSet
from finops_site.lib.periods import Month
from tests import bills

APRIL = {"BillingPeriodStart": "2026-04-01T00:00:00Z", "BillingPeriodEnd": "2026-05-01T00:00:00Z"}

pytestmark = pytest.mark.django_db


def load(path, source="northwind", **options):
    (received,) = receive_bill(source, [path], **options)
    return load_bill(received.delivery)


@pytest.fixture
def good_month(tmp_path):
    """March as it was delivered yesterday: 10 USD."""
    delivery = load(bills.write(tmp_path, "good.csv", bills.focus_csv([{"BilledCost": "10"}])))
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    return delivery


@pytest.fixture(autouse=True)
def _the_good_month_still_stands(good_month):
    yield
    good_month.refresh_from_db()
    assert good_month.status == Delivery.Status.CURRENT
    assert CostLine.objects.current().filter(delivery_month__delivery=good_month).totals()["USD"]["billed_cost"] == 10
    assert [check for check in reconciliation.reconcile() if not check.holds] == []
    assert not CostLine.objects.filter(delivery_month__is_current=False).exists()


def test_a_bill_without_rows_is_not_damaged(tmp_path):
    delivery = load(bills.write(tmp_path, "empty.csv", bills.focus_csv([])))
    assert delivery.status == Delivery.Status.EMPTY
    assert "a header and no charges" in delivery.message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.csv", b"Dear finance,\nplease find the bill attached.\n", "none of the columns we look for"),
        ("people.csv", b"name,age\nada,36\n", "its header has none of the columns we look for"),
        (
            "near.csv",
            b"BilledCost,EffectiveCost,BillingPeriodStart,ChargeCategory\n1,1,2026-03-01,Usage\n",
            "ChargePeriodStart",
        ),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(200), "not a header|binary file"),
        ("latin.csv", "Kosten,Währung\n1,2\n".encode("latin-1"), "its header has none of the columns we look for"),
        ("cyrillic.csv", "Дата,Валюта\n1,2\n".encode("cp1251"), "line 1, the header, is not UTF-8"),
        ("cut.csv.gz", gzip.compress(bills.focus_csv([{}] * 5000), mtime=0)[:-300], "ends early"),
        ("damaged.csv.gz", gzip.compress(b"x" * 50, mtime=0)[:12] + b"garbage garbage garbage", "damaged|ends early"),
        ("broken.parquet", b"PAR1 and then nothing of the kind", "Parquet file is damaged"),
        (
            "all_bad.csv",
            bills.focus_csv([{"BilledCost": "abc"}] * 3),
            "none of its 3 rows could be read.*line 2.*'abc' is not a number",
        ),
    ],
)
def test_a_file_that_is_no_bill_is_refused_with_its_reason(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    try:
        delivery = load(path)
    except BadBill as error:
        message = str(error)
    else:
        assert delivery.status == Delivery.Status.FAILED
        message = delivery.message
    assert re.search(says, message), message
    assert name in message
    assert "\n" not in message


def test_an_empty_file_and_a_zip_are_refused_before_they_are_kept(tmp_path):
    for name, content in [("nothing.csv", b""), ("bill.zip", b"PK\x03\x04....")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadBill, match=name):
            receive_bill("northwind", [tmp_path / name])
    assert Delivery.objects.count() == 1


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadBill, match="no such file"):
        receive_bill("northwind", [tmp_path / "nowhere.csv"])


def test_a_zip_bomb_stops_at_the_limit(tmp_path):
    path = bills.write(tmp_path, "bomb.csv.gz", bills.focus_csv([{}]) + b"," * 5_000_000)
    assert path.stat().st_size < 20_000
    with override_settings(BILL_MAX_BYTES=1_000_000):
        delivery = load(path)
    assert delivery.status == Delivery.Status.FAILED
    assert "unfolds to more than 1,000,000 bytes" in delivery.message


def test_a_manifest_that_climbs_out_of_its_folder_is_refused(tmp_path):
    manifest = tmp_path / "cur-Manifest.json"
    manifest.write_text('{"reportKeys": ["../../etc/passwd"], "billingPeriod": {"start": "20260301T000000.000Z"}}')
    with pytest.raises(BadBill, match="climbs out"):
        receive_bill("northwind", [manifest])


def test_one_broken_row_among_ten_thousand_is_named_and_the_rest_counts(tmp_path):
    rows = [{"BilledCost": "0.1", "ResourceId": f"i-{n}"} for n in range(10_000)]
    rows[6_999] |= {"BilledCost": "abc"}
    delivery = load(bills.write(tmp_path, "april.csv", bills.focus_csv(rows, **APRIL)))
    assert delivery.status == Delivery.Status.CURRENT
    assert (delivery.rows_read, delivery.rows_loaded, delivery.rows_rejected) == (10_000, 9_999, 1)
    assert delivery.totals["USD"]["billed_cost"] == "999.9"
    assert delivery.message.startswith("1 of 10,000 rows not read.")
    (reject,) = delivery.rejects.all()
    assert (reject.line, reject.column, reject.value, reject.reason) == (7_001, "BilledCost", "abc", "is not a number")


def test_every_kind_of_broken_row_says_where_and_why(tmp_path):
    april = APRIL
    rows = [
        april,
        april | {"ResourceName": "two\nlines"},
        april | {"BilledCost": ""},
        april | {"ChargePeriodStart": "yesterday"},
        april | {"ChargePeriodStart": "1815-12-10"},
        april | {"BillingCurrency": "dollars"},
        april | {"EffectiveCost": "12,5"},
        april | {"BilledCost": "NaN"},
        {"BillingPeriodStart": ""},
    ]
    content = bills.focus_csv(rows) + b"too,few,cells\n" + b"1,2" + b",3" * 80 + b"\n"
    delivery = load(bills.write(tmp_path, "april.csv", content))
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    rejects = [(row.line, row.column, row.reason) for row in delivery.rejects.order_by("line")]
    assert rejects[:7] == [
        (5, "BilledCost", "is empty"),
        (6, "ChargePeriodStart", "is not a date of this century"),
        (7, "ChargePeriodStart", "is not a date of this century"),
        (8, "BillingCurrency", "is not a currency code"),
        (9, "EffectiveCost", "is not a number"),
        (10, "BilledCost", "is not a number"),
        (11, "BillingPeriodStart", "is empty"),
    ]
    assert [line for line, _, _ in rejects[7:]] == [12, 13]
    assert "Expected Number of Columns" in rejects[7][2]
    assert (delivery.rows_read, delivery.rows_loaded, delivery.rows_rejected) == (11, 2, 9)


def test_bytes_that_are_no_text_cost_one_row_only(tmp_path):
    content = bills.focus_csv([{"ResourceName": "fine"}, {"ResourceName": "XX"}, {"ResourceName": "good"}])
    april = content.replace(b"2026-03-01T", b"2026-04-01T").replace(b"XX", b"\xff\xfe")
    delivery = load(bills.write(tmp_path, "april.csv", april))
    assert (delivery.rows_loaded, delivery.rows_rejected) == (2, 1)
    assert delivery.rejects.get().line == 3


def test_two_currencies_are_never_added(tmp_path):
    rows = [{"BilledCost": "1.5"}, {"BilledCost": "2", "BillingCurrency": "EUR"}, {"BilledCost": "0.25"}]
    delivery = load(bills.write(tmp_path, "april.csv", bills.focus_csv(rows, **APRIL)))
    assert {code: sums["billed_cost"] for code, sums in delivery.totals.items()} == {"USD": "1.75", "EUR": "2"}
    lines = CostLine.objects.current().filter(delivery_month__delivery=delivery)
    assert {code: sums["billed_cost"] for code, sums in lines.totals().items()} == {"USD": Decimal("1.75"), "EUR": 2}


def test_a_bill_without_a_currency_stands_apart_and_says_so(tmp_path):
    columns = [name for name in bills.FOCUS_ROW if name != "BillingCurrency"]
    row = {name: bills.FOCUS_ROW[name] for name in columns} | {**APRIL}
    path = bills.write(tmp_path, "april.csv", bills.csv_text(columns, [row]).encode())
    delivery = load(path)
    assert list(delivery.totals) == ["XXX"]
    assert "names no currency" in delivery.message
    assert list(load(path, source="said", currency="eur").totals) == ["EUR"]


def test_a_byte_order_mark_windows_lines_and_three_hundred_columns_do_no_harm(tmp_path):
    extra = {f"x_Column{number}": "x" for number in range(300)}
    content = bills.focus_csv([extra, {"BilledCost": "2"}], **APRIL).replace(b"\n", b"\r\n")
    delivery = load(bills.write(tmp_path, "april.csv", b"\xef\xbb\xbf" + content))
    assert delivery.totals["USD"]["billed_cost"] == "3", delivery.message


def test_hostile_tag_values_are_kept_as_the_text_they_are(tmp_path):
    nasty = {
        "script": "<script>alert(1)</script>",
        "formula": "=cmd()",
        "nul": "a\x00b",
        "long": "x" * 65_536,
        "rtl": "שלום 🙂",
    }
    row = {"Tags": json.dumps(nasty), "ResourceName": "bell\x00", **APRIL}
    delivery = load(bills.write(tmp_path, "april.csv", bills.focus_csv([row])))
    assert delivery.status == Delivery.Status.CURRENT, delivery.message
    line = CostLine.objects.current().get(delivery_month__delivery=delivery)
    assert line.tag_set.tags == nasty | {"nul": "a�b"}
    assert line.resource_name == "bell�"


def test_tags_that_are_no_json_do_not_cost_the_charge(tmp_path):
    delivery = load(bills.write(tmp_path, "april.csv", bills.focus_csv([{"Tags": "env=prod"}], **APRIL)))
    assert delivery.totals["USD"]["billed_cost"] == "1"
    assert "1 row has tags that are not a JSON object" in delivery.message


def test_the_same_bill_again_is_a_message_and_not_double_cost(tmp_path, good_month):
    (again,) = receive_bill("northwind", [tmp_path / "good.csv"])
    assert (again.is_new, again.delivery) == (False, good_month)
    assert Delivery.objects.count() == 1


def test_files_of_two_formats_are_not_mixed_into_one_delivery(tmp_path):
    one = bills.write(tmp_path, "focus.csv", bills.focus_csv([{}]))
    two = bills.write(tmp_path, "cur.csv", bills.cur_csv([{}]))
    (received,) = receive_bill("mixed", [one, two])
    delivery = load_bill(received.delivery)
    assert delivery.status == Delivery.Status.FAILED
    assert "different formats (aws-cur, focus)" in delivery.message


def test_a_bill_for_another_month_than_asked_is_refused(tmp_path):
    delivery = load(bills.write(tmp_path, "march.csv", bills.focus_csv([{"BilledCost": "3"}])), month=Month(2026, 5))
    assert delivery.message == "march.csv: the bill is for 2026-03, not for 2026-05."


def test_a_failed_delivery_can_be_tried_again(tmp_path):
    path = bills.write(tmp_path, "april.csv.gz", bills.focus_csv([{"BilledCost": "3"}] * 99, **APRIL))
    with override_settings(BILL_MAX_BYTES=100):
        delivery = load(path)
    assert delivery.status == Delivery.Status.FAILED
    assert retry_delivery(delivery)
    assert not retry_delivery(delivery), "it waits already"
    assert load_bill(delivery).totals["USD"]["billed_cost"] == "297"


def test_one_tag_set_is_kept_once_however_many_lines_carry_it(tmp_path):
    rows = [
        {"ResourceId": f"i-{n}", "Tags": tags} for n in range(6) for tags in ('{"b":"2","a":"1"}', '{"a":"1", "b":"2"}')
    ]
    load(bills.write(tmp_path, "april.csv", bills.focus_csv(rows, **APRIL)))
    assert TagSet.objects.filter(tags={"a": "1", "b": "2"}).count() == 1


def test_a_gzip_of_several_members_is_read_to_its_end(tmp_path):
    """As ``cat a.gz b.gz`` makes them, and as some exporters do."""
    text = bills.focus_csv([{"BilledCost": "1"}, {"BilledCost": "2"}, {"BilledCost": "abc"}])
    cut = text.index(b"\n", len(text) // 2) + 1
    members = gzip.compress(text[:cut]) + gzip.compress(text[cut:])
    (tmp_path / "bill.csv.gz").write_bytes(members)
    delivery = load(tmp_path / "bill.csv.gz", source="exporter")
    assert (delivery.rows_read, delivery.rows_rejected) == (3, 1), delivery.message
    assert delivery.totals["USD"]["billed_cost"] == "3"
    assert Reject.objects.get().line == 4


def test_columns_may_be_called_what_we_call_things_ourselves(tmp_path):
    ours = dict.fromkeys(
        ["e", "c", "i", "part", "pair", "other", "record", "problem", "empty_row", "line", "value"], "x"
    )
    text = bills.focus_csv([{**ours}, {**ours, "BilledCost": "much"}])
    delivery = load(bills.write(tmp_path, "focus.csv", text), source="focus")
    assert (delivery.rows_loaded, delivery.rows_rejected) == (1, 1)
    assert delivery.rejects.get().line == 3
    from tests.costs.charges.test_providers import gcp_csv

    assert load(bills.write(tmp_path, "gcp.csv", gcp_csv([{**ours}])), source="gcp").rows_loaded == 1
