"""Bills that an API delivers in pages: each counts once, and a page that is missing is noticed."""

import json
from decimal import Decimal

import duckdb
import pytest

from costs.charges.read_bill import read_bill
from costs.formats.base import BadBill, Options
from tests import bills
from tests.costs.charges.test_vendors import anthropic_page, tokens


@pytest.fixture
def read(tmp_path):
    """Reads texts, each a file, as one bill: (what it costs, what is said about it)."""

    def read(*texts, names=()):
        names = names or [f"p{number}.json" for number in range(1, len(texts) + 1)]
        paths = [bills.write(tmp_path, name, text.encode()) for name, text in zip(names, texts, strict=True)]
        bundle = list(zip(names, paths, strict=True))
        with duckdb.connect() as db:
            contents = read_bill(
                db, bundle, target=tmp_path / "charges", scratch=tmp_path, options=Options(), limit=1 << 30
            )
        (sums,) = contents.totals.values()
        return sums["BilledCost"], " ".join(contents.notes)

    return read


def anthropic(*days, more=False, amount="100"):
    """A page of a dollar for each day of March."""
    ends = [(f"2026-03-{day:02}T00:00:00Z", f"2026-03-{day + 1:02}T00:00:00Z") for day in days]
    return anthropic_page(*[(*span, [tokens(amount)]) for span in ends], has_more=more)


def openai(*days, more=False, amount=1, organization="o"):
    start = 1772323200  # 2026-03-01T00:00:00Z
    cost = {"amount": {"value": amount, "currency": "usd"}, "line_item": "gpt", "organization_id": organization}
    data = [
        {"start_time": start + 86400 * (day - 1), "end_time": start + 86400 * day, "results": [cost]} for day in days
    ]
    return json.dumps({"object": "page", "data": data, "has_more": more, "next_page": "x" if more else None})


def alibaba(*instances, token=None, total=None, day=None, request="r", amount=1.5):
    item = {"ProductCode": "ecs", "SubscriptionType": "PayAsYouGo", "PretaxAmount": amount, "Currency": "CNY"}
    items = [item | {"InstanceID": name, "BillingDate": day} for name in instances]
    data = {"BillingCycle": "2026-03", "AccountID": "1", "TotalCount": total, "NextToken": token, "Items": items}
    return json.dumps({"RequestId": request, "Code": "Success", "Data": data})


def invoice(number="inv1", cents=4506, **more):
    line = {"sku": "X", "totalPriceCents": cents, "startDate": "2026-03-05T00:00:00Z", "groupId": "g1"}
    return json.dumps(
        {
            "id": number,
            "orgId": "o1",
            "startDate": "2026-03-01T00:00:00Z",
            "endDate": "2026-04-01T00:00:00Z",
            "lineItems": [line],
            **more,
        }
    )


BY_DAY = pytest.mark.parametrize("page", [anthropic, openai])


@BY_DAY
class TestPagesOfDays:
    def test_pages_in_a_row_are_a_bill_of_which_nothing_is_to_be_said(self, read, page):
        cost, notes = read(page(1, 2, more=True), page(3, 4))
        assert (cost, "page" in notes) == (4, False)

    def test_the_order_of_the_files_does_not_matter(self, read, page):
        cost, notes = read(page(3), page(1, more=True), page(2, more=True))
        assert (cost, "page" in notes) == (3, False)

    def test_the_same_page_twice_counts_once_and_is_named(self, read, page):
        cost, notes = read(page(1, more=True), page(1, more=True), page(2))
        assert cost == 2
        assert "p2.json is the same page as p1.json; it counts once." in notes

    def test_two_pages_that_share_a_day_are_refused(self, read, page):
        with pytest.raises(BadBill, match=r"p1\.json and p2\.json: both have charges of 2 Mar 2026"):
            read(page(1, 2, more=True), page(2, 3))

    def test_a_day_that_was_fetched_twice_with_other_amounts_is_refused(self, read, page):
        with pytest.raises(BadBill, match="both have charges of 1 Mar 2026"):
            read(page(1), page(1, amount="150" if page is anthropic else 2))

    def test_a_page_missing_in_the_middle_is_noticed_with_its_days(self, read, page):
        cost, notes = read(page(1, more=True), page(8))
        assert cost == 2
        assert "No page has 2 Mar 2026 to 8 Mar 2026: one is missing" in notes

    def test_the_last_page_is_the_one_of_the_latest_day(self, read, page):
        """The first fetch of the month ended on day 2, the second went on and was not fetched to its end."""
        _, notes = read(page(1, 2), page(3, more=True))
        assert "the last page is missing" in notes

    def test_pages_on_lines_of_one_file_are_looked_at_too(self, read, page):
        lines = "\n".join(json.dumps(json.loads(text)) for text in (page(1, more=True), page(9)))
        assert "No page has 2 Mar 2026 to 9 Mar 2026" in read(lines, names=["pages.jsonl"])[1]
        twice = "\n".join(json.dumps(json.loads(page(1))) for _ in range(2))
        with pytest.raises(BadBill, match=r"a page of it is in pages\.jsonl already"):
            read(twice, names=["pages.jsonl"])

    def test_a_day_without_cost_may_be_in_two_pages(self, read, page):
        empty = json.loads(page(2, 3))
        empty["data"][0]["results"] = []
        cost, _ = read(page(1, 2, more=True), json.dumps(empty))
        assert cost == 3


def test_pages_of_two_organisations_are_two_answers(read):
    cost, notes = read(openai(1, 2), openai(1, 2, organization="other"))
    assert (cost, "page" in notes) == (4, False)


class TestAlibaba:
    def test_all_the_pages_hold_all_the_rows(self, read):
        cost, notes = read(alibaba("i-1", "i-2", token="x", total=3), alibaba("i-3", total=3, request="s"))
        assert (cost, "page" in notes) == (Decimal("4.5"), False)

    def test_a_page_that_is_not_there_is_noticed_by_the_number_of_rows(self, read):
        assert "The pages hold 1 of 3 rows" in read(alibaba("i-1", token="x", total=3))[1]
        assert "The pages hold 2 of 3 rows" in read(alibaba("i-2", "i-3", total=3))[1]

    def test_without_that_number_the_token_shows_that_more_follow(self, read):
        assert "the last page is missing" in read(alibaba("i-1", token="x"))[1]

    def test_the_same_page_counts_once_whatever_request_it_answered(self, read):
        pages = [alibaba("i-1", token="x", total=2, request=request) for request in ("r1", "r2")]
        cost, notes = read(*pages, alibaba("i-2", total=2))
        assert cost == 3
        assert "p2.json is the same page as p1.json" in notes

    def test_pages_that_overlap_are_refused(self, read):
        with pytest.raises(BadBill, match="4 rows of 3: pages overlap"):
            read(alibaba("i-1", "i-2", token="x", total=3), alibaba("i-2", "i-3", total=3))

    def test_each_day_may_be_an_answer_of_its_own(self, read):
        cost, notes = read(
            alibaba("i-1", token="x", total=2, day="2026-03-02"),
            alibaba("i-2", total=2, day="2026-03-02"),
            alibaba("i-1", total=1, day="2026-03-03"),
        )
        assert (cost, "page" in notes) == (Decimal("4.5"), False)


class TestMongoDB:
    def test_the_same_invoice_twice_counts_once(self, read):
        cost, notes = read(invoice(), invoice())
        assert cost == Decimal("45.06")
        assert "p2.json is the same page as p1.json" in notes

    def test_an_invoice_with_other_lines_under_the_same_id_is_refused(self, read):
        with pytest.raises(BadBill, match="both have charges of 1 Mar 2026"):
            read(invoice(), invoice(cents=4600))

    def test_two_invoices_are_two(self, read):
        assert read(invoice(), invoice("inv2"))[0] == Decimal("90.12")

    def test_sales_tax_that_stands_in_no_line_is_said(self, read):
        cost, notes = read(invoice(salesTaxCents=123), invoice("inv2", salesTaxCents=0))
        assert cost == Decimal("90.12")
        assert "The invoice states 1.23 USD of sales tax, which is in none of its lines" in notes
