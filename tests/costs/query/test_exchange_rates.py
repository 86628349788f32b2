"""Costs in another currency: by the rate of their month or day, shown beside them, and never by one that is missing."""

import re
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from costs.calc.exchange_rates import BadRates, CurrencyRate, RateBook, parse
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, ExchangeRate
from costs.query import currency_conversion, trends
from costs.web.team_rows import team_spend_rows
from finops_site.lib.periods import Month
from finops_site.ops.commands import BadInput
from tests import bills
from tests.shared_fixtures import shared

MARCH = Month(2026, 3)
HISTORY = "Date,USD,JPY,\n2026-03-31,1.25,160,\n2026-03-30,1.20,N/A,\n2026-02-27,1.10,150,\n"
PORTAL = """KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,TIME_PERIOD,OBS_VALUE
EXR.M.USD.EUR.SP00.A,M,USD,EUR,SP00,2026-03,1.28
EXR.M.GBP.EUR.SP00.A,M,GBP,EUR,SP00,2026-03,0.80
"""
PLAIN = "month,base,quote,rate,source\n2026-03,USD,CHF,0.9,treasury\n"


class TestReading:
    def test_the_history_of_the_ecb(self):
        rates = parse(HISTORY)
        assert len(rates) == 5
        assert rates[0] == CurrencyRate("EUR", "USD", date(2026, 3, 31), Decimal("1.25"), source="ECB")

    def test_its_portal_tells_monthly_averages(self):
        assert [(rate.quote, rate.monthly, rate.value) for rate in parse(PORTAL)] == [
            ("USD", True, Decimal("1.28")),
            ("GBP", True, Decimal("0.80")),
        ]

    def test_rates_of_our_own(self):
        assert parse(PLAIN) == [CurrencyRate("USD", "CHF", MARCH.start, Decimal("0.9"), True, "treasury")]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a,b\n1,2\n", "the header needs date, base, quote and rate"),
            ("date,base,quote,rate\n", "no rates"),
            ("date,base,quote,rate\n5.3.2026,EUR,USD,1\n", "Line 2: '5.3.2026' is no day"),
            ("date,base,quote,rate\n2026-03-05,EUR,USD,much\n", "Line 2: 'much' is no rate"),
            ("date,base,quote,rate\n2026-03-05,EUR,USD,0\n", "more than zero"),
            ("date,base,quote,rate\n2026-03-05,EUR,USD,NaN\n", "more than zero"),
            ("date,base,quote,rate\n2026-03-05,EURO,USD,1\n", "'EURO' is no currency"),
        ],
    )
    def test_what_cannot_be_read_is_said_with_its_line(self, text, message):
        with pytest.raises(BadRates, match=message):
            parse(text)


class TestLookingUp:
    BOOK = RateBook([*parse(HISTORY), *parse(PORTAL)])

    def test_the_average_of_the_month_goes_before_its_last_day(self):
        assert self.BOOK.for_month("EUR", "USD", MARCH).value == Decimal("1.28")
        assert self.BOOK.for_month("EUR", "JPY", MARCH).value == 160, "no average: the last day of the month"

    def test_a_day_takes_the_last_rate_before_it_within_a_week(self):
        rate = self.BOOK.for_day("EUR", "USD", date(2026, 3, 1))
        assert (rate.value, rate.day) == (Decimal("1.10"), date(2026, 2, 27))
        assert self.BOOK.for_day("EUR", "JPY", date(2026, 3, 20)) is None

    def test_a_rate_is_turned_round_and_crossed_over_the_euro(self):
        assert self.BOOK.for_month("USD", "EUR", MARCH).value == Decimal("0.78125"), "1 / 1.28"
        assert self.BOOK.for_month("GBP", "USD", MARCH).value == Decimal("1.6"), "1.28 / 0.80"

    def test_a_month_without_any_rate_has_none(self):
        assert self.BOOK.for_month("USD", "EUR", Month(2025, 3)) is None


@shared
def spent(tmp_path, db):
    """128 USD and 10 EUR in March, 7 EUR in April of which no rate is known."""
    rows = [
        {"BilledCost": "128", "ServiceName": "EC2"},
        {"BilledCost": "10", "BillingCurrency": "EUR", "ServiceName": "EC2"},
        {"BilledCost": "7", "BillingCurrency": "EUR", "ChargePeriodStart": "2026-04-01T00:00:00Z"},
    ]
    (received,) = receive_bill("northwind", [bills.write(tmp_path, "bill.csv", bills.focus_csv(rows))])
    load_bill(received.delivery)
    currency_conversion.load_rates(parse(PORTAL))


def words(page):
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", page)).split())


@pytest.mark.django_db
class TestShowing:
    ASKED = {"from": "2026-03", "to": "2026-03", "group_by": "service", "in": "EUR"}

    def test_spend_is_turned_and_its_rates_are_said(self, spent, fay, client_of):
        answer = client_of(fay).get("/api/v1/spend/", self.ASKED).json()
        assert answer["totals"] == {"EUR": "110"}, "128 / 1.28 + 10"
        assert answer["results"] == [{"service": "EC2", "currency": "EUR", "billed_cost": "110"}]
        assert answer["rates"] == [
            {
                **{"from": "USD", "to": "EUR", "bucket": "2026-03-01", "rate": "0.78125"},
                **{"day": "2026-03-01", "monthly": True, "source": "ECB"},
            }
        ]

    def test_a_currency_without_a_rate_stays_apart_and_is_neither_zero_nor_mixed_in(self, spent, fay, client_of):
        answer = client_of(fay).get("/api/v1/spend/", {**self.ASKED, "to": "2026-04", "in": "USD"}).json()
        assert answer["totals"] == {"EUR": "17", "USD": "128"}
        assert answer["rates"] == [{"from": "EUR", "to": "USD", "bucket": "2026-04-01", "rate": None}]

    def test_a_currency_nobody_has_rates_of_is_refused(self, spent, fay, client_of):
        response = client_of(fay).get("/api/v1/spend/", {**self.ASKED, "in": "SEK"})
        assert response.status_code == 400
        assert "no rates to 'SEK'" in response.json()["detail"]

    def test_the_explorer_shows_one_currency_the_rate_and_its_day(self, spent, fay, client_of):
        url = reverse("costs:explorer") + "?group_by=service&from=2026-03&to=2026-03&show_in=EUR"
        page = client_of(fay).get(url).content.decode()
        assert "110.00" in page
        assert "1 USD = 0.78125 EUR" in page
        assert "average of March 2026, ECB" in page

    def test_the_explorer_says_what_stays_apart(self, spent, fay, client_of):
        url = reverse("costs:explorer") + "?group_by=service&from=2026-03&to=2026-04&show_in=USD"
        page = client_of(fay).get(url).content.decode()
        assert "There is no rate from EUR to USD for April 2026" in page
        assert "17.00" in page

    def test_the_csv_is_turned_too(self, spent, fay, client_of):
        url = reverse("costs:explorer") + "?group_by=service&from=2026-03&to=2026-03&show_in=EUR&_export=csv"
        text = b"".join(client_of(fay).get(url).streaming_content).decode("utf-8-sig")
        assert "EC2,EC2,2026-03-01,EUR,110" in text

    def test_home_shows_the_reporting_currency_and_its_rates(self, spent, fay, client_of, settings):
        settings.FINOPS_REPORTING_CURRENCY = "EUR"
        with time_machine.travel("2026-04-02T08:00:00Z", tick=False):
            page = client_of(fay).get("/").content.decode()
        text = words(page)
        assert "110.00 EUR" in text, "all of March: 128 / 1.28 + 10"
        assert "117.00 EUR" in text, "twelve months: and 7 EUR of April"
        assert "1 USD = 0.78125 EUR" in text
        assert "128.00" not in text
        assert "currency=EUR" not in page, "the lines behind are those of every currency"

    def test_home_shows_apart_what_has_no_rate(self, spent, fay, client_of, settings):
        settings.FINOPS_REPORTING_CURRENCY = "USD"
        with time_machine.travel("2026-04-02T08:00:00Z", tick=False):
            text = words(client_of(fay).get("/").content.decode())
        assert "There is no rate from EUR to USD for April 2026" in text
        assert "17.00 EUR" in text

    def test_a_team_is_shown_in_it_too(self, spent, fay, client_of, settings):
        settings.FINOPS_REPORTING_CURRENCY = "EUR"
        with time_machine.travel("2026-04-02T08:00:00Z", tick=False):
            rows = team_spend_rows(fay, trends.compare(fay, Month(2026, 3), date(2026, 4, 2)))
        assert [(row["currency"], row["now"]) for row in rows if row["team"] == "Unowned"] == [("EUR", Decimal(110))]

    def test_costs_stay_stored_in_the_currency_they_were_billed_in(self, spent):
        assert set(CostLine.objects.values_list("currency", flat=True)) == {"USD", "EUR"}


@pytest.mark.django_db
class TestLoading:
    def test_a_rate_for_the_same_day_replaces_the_one_before(self):
        currency_conversion.load_rates(parse(PORTAL))
        currency_conversion.load_rates(parse(PORTAL.replace("1.28", "1.30")))
        assert ExchangeRate.objects.get(quote="USD").rate == Decimal("1.30")

    def test_the_command(self, tmp_path, capsys):
        (tmp_path / "rates.csv").write_text(HISTORY)
        call_command("load_rates", str(tmp_path / "rates.csv"))
        assert capsys.readouterr().out == "5 rates.\n"
        (tmp_path / "bad.csv").write_text("a,b\n")
        with pytest.raises(BadInput, match=r"bad.csv: These are no rates"):
            call_command("load_rates", str(tmp_path / "bad.csv"))

    def test_fay_loads_rates_on_the_page(self, fay, client_of):
        uploaded = SimpleUploadedFile("rates.csv", HISTORY.encode())
        client_of(fay).post(reverse("costs:rates_load"), {"file": uploaded})
        page = client_of(fay).get(reverse("costs:rates")).content.decode()
        assert "1.25" in page
        bad = client_of(fay).post(reverse("costs:rates_load"), {"file": SimpleUploadedFile("x.csv", b"\xff\xfe")})
        assert "not UTF-8" in bad.content.decode()
