"""A line has the price of its place, system and term, or none with the reason: never a price of something else."""

from decimal import Decimal

from finops_site.registry import UnitPrice
from usage.calc.estimate_prices import OwnRate, price_items, total
from usage.calc.estimate_text import read_line


def listed(item="m5.large", region="eu-west-1", system="Linux", price="0.10", **terms):
    return UnitPrice("AWS", "EC2", region, item, system, "Hrs", Decimal(price), "USD", "a list", **terms)


def priced(line, prices=(), own=(), usual=""):
    (price,) = price_items([read_line(line)], prices, own, usual)
    return price


def test_ten_machines_cost_their_hours_at_the_list_price():
    price = priced("10 x m5.large in eu-west-1", [listed()])
    assert price.cost == price.list_cost == Decimal("730")


def test_the_own_rate_of_the_bill_counts_and_the_list_stands_beside_it():
    own = [OwnRate("m5.large", "eu-west-1", "Hrs", Decimal("0.08"), "USD", "linux")]
    price = priced("m5.large in eu-west-1", [listed()], own)
    assert (price.cost, price.list_cost) == (Decimal("58.4"), Decimal("73"))


def test_a_term_has_the_price_of_its_commitment_and_not_the_own_rate():
    prices = [listed(), listed(price="0.06", option="sp_compute", term_months=12, payment="none")]
    own = [OwnRate("m5.large", "eu-west-1", "Hrs", Decimal("0.08"), "USD", "linux")]
    assert priced("m5.large in eu-west-1, 1 year no upfront", prices, own).cost == Decimal("43.8")
    assert priced("m5.large in eu-west-1, 3 years all upfront", prices, own).cost is None


def test_a_commitment_for_a_machine_that_sleeps_at_night_saves_nothing():
    prices = [listed(), listed(price="0.06", option="sp_compute", term_months=12, payment="none")]
    assert priced("m5.large in eu-west-1", prices).committed_cost == Decimal("43.8")
    # 260.7143 hours at 0.10 are 26.07; the commitment is paid for all 730.
    assert priced("m5.large in eu-west-1, 12x5", prices).committed_cost is None


def test_a_commitment_is_paid_for_every_hour_though_it_runs_for_a_few():
    prices = [listed(), listed(price="0.06", option="sp_compute", term_months=12, payment="none")]
    assert priced("m5.large in eu-west-1, 8x5, 1 year no upfront", prices).cost == Decimal("43.8")


def test_the_rate_of_linux_is_none_of_windows():
    own = [OwnRate("m5.large", "eu-west-1", "Hrs", Decimal("0.08"), "USD", "linux")]
    price = priced("m5.large in eu-west-1, windows", [listed(), listed(system="Windows", price="0.19")], own)
    assert (price.own_rate, price.cost) == (None, Decimal("138.7"))


def test_what_has_no_price_says_why_and_is_in_no_sum():
    prices = [listed(), listed(system="Windows", price="0.19")]
    assert priced("m5.large in us-east-1", prices).problem == "no price in us-east-1; lists have it in eu-west-1"
    assert priced("m9.large in eu-west-1", prices).problem == "no price list that is loaded has it"
    assert "write which" in priced("m5.large in eu-west-1, suse", prices).problem
    assert total([Decimal(3), None]) == (Decimal(3), 1)


def test_a_line_without_a_region_is_priced_where_the_company_spends_most():
    assert priced("m5.large", [listed()], usual="eu-west-1").region == "eu-west-1"
    assert "no region" in priced("m5.large", [listed()]).problem
