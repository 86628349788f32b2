"""The ledger's arithmetic: months worked on paper, and sums that are conserved whatever the bill says."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_site.lib.money import EXACT
from reservations.calc import realised_savings
from reservations.calc.realised_savings import Promise, Proof

# A plan of 2.40 a day that covers 4.80 on demand, expected to be used whole, out of 10 a day that it can cover.
PLAN = Promise(Decimal("4.80"), Decimal("2.40"), Decimal(1), Decimal(10))
# On paper, for April (30 days): what the bill says, and the line. 30 x 2.40 = 72 are promised.
ON_PAPER = {
    "as promised": ((30, "144", "72", "720", "0", "10", "0"), ("72", "0", "0", "0", "0", "0")),
    "bought on the 11th": ((20, "96", "48", "480", "0", "10", "0"), ("48", "24", "0", "0", "0", "0")),
    "a quarter idle, demand as it was": ((30, "108", "72", "540", "180", "10", "0"), ("36", "0", "0", "36", "0", "0")),
    "a quarter idle, demand fell by a tenth": (
        (30, "108", "72", "540", "180", "9", "0"),
        ("36", "0", "3.6", "32.4", "0", "0"),
    ),
    "on-demand prices fell by a tenth": (
        (30, "129.6", "72", "720", "0", "10", "0"),
        ("57.6", "0", "0", "0", "0", "14.4"),
    ),
    "an older plan lost 12": ((30, "144", "72", "720", "0", "10", "12"), ("60", "0", "0", "0", "12", "0")),
    "not used at all": ((30, "0", "72", "0", "720", "0", "0"), ("-72", "0", "144", "0", "0", "0")),
    "not in the bill yet": ((0, "0", "0", "0", "0", "10", "0"), ("0", "72", "0", "0", "0", "0")),
}


@pytest.mark.parametrize("name", ON_PAPER)
def test_a_month_is_what_was_worked_on_paper(name):
    (days, *figures), expected = ON_PAPER[name]
    on_demand, paid, used, unused, demand, displaced = map(Decimal, figures)
    line = realised_savings.ledger_line(PLAN, Proof(days, 30, on_demand, paid, used, unused, demand, displaced))
    assert line.promised == 72
    got = (line.realised, line.timing, line.demand, line.utilisation, line.displaced, line.price)
    assert got == tuple(map(Decimal, expected))


AMOUNTS = st.decimals(0, 10**7, places=9)
PROMISES = st.builds(Promise, AMOUNTS, AMOUNTS, st.decimals("0", "1", places=6), AMOUNTS)


@st.composite
def proofs(draw):
    of_days = draw(st.integers(28, 31))
    rest = [draw(AMOUNTS) for _ in range(4)]
    return Proof(draw(st.integers(0, of_days)), of_days, *rest, draw(st.none() | AMOUNTS), draw(AMOUNTS))


@settings(max_examples=100)
@given(PROMISES, proofs())
def test_the_reasons_sum_to_the_gap_to_the_last_digit(promise, proof):
    line = realised_savings.ledger_line(promise, proof)
    with localcontext(EXACT):
        _check(line, proof)


def _check(line, proof):
    assert sum(getattr(line, name) for name in realised_savings.REASONS) == line.promised - line.realised
    assert line.realised == proof.on_demand - proof.paid - proof.displaced
    assert (line.reason == "") == (line.gap == 0)


@settings(max_examples=100)
@given(AMOUNTS, AMOUNTS, st.lists(AMOUNTS, max_size=6))
def test_what_is_displaced_is_charged_once_and_never_turned_into_a_saving(unused, baseline, weights):
    shares = realised_savings.displacement(unused, baseline, weights)
    assert len(shares) == len(weights)
    assert all(share >= 0 for share in shares)
    with localcontext(EXACT):
        assert sum(shares) == min(max(unused - baseline, 0), sum(weights))


@settings(max_examples=50)
@given(st.lists(st.tuples(PROMISES, proofs()), min_size=1, max_size=5), AMOUNTS, AMOUNTS)
def test_all_lines_together_claim_what_the_company_saved_and_no_more(rows, unused, baseline):
    """On demand minus paid of every charge once, less what older commitments lost: whatever was promised."""
    shares = realised_savings.displacement(unused, baseline, [proof.on_demand for _, proof in rows])
    with localcontext(EXACT):
        lines = [
            realised_savings.ledger_line(promise, replace(proof, displaced=share))
            for (promise, proof), share in zip(rows, shares, strict=True)
        ]
        saved = sum((proof.on_demand - proof.paid for _, proof in rows), Decimal(0))
        lost = min(max(unused - baseline, 0), sum(proof.on_demand for _, proof in rows))
        assert sum((month_line.realised for month_line in lines), Decimal(0)) == saved - lost


def test_no_purchase_is_charged_for_more_than_it_covered():
    """An older plan lost 100 because its machines went away: two purchases that covered 30 and 10 took 40 at most."""
    assert realised_savings.displacement(Decimal(100), Decimal(0), [Decimal(30), Decimal(10)]) == [30, 10]
    assert realised_savings.displacement(Decimal(24), Decimal(4), [Decimal(30), Decimal(10)]) == [15, 5]


def parts(**figures):
    return dict.fromkeys(realised_savings.REASONS, Decimal(0)) | {name: Decimal(text) for name, text in figures.items()}


@pytest.mark.parametrize(
    ("gap", "figures"),
    [
        ({}, "As promised."),
        ({"price": "0.004"}, "As promised."),
        (
            {"timing": "24"},
            "24.00 USD less than promised: 24.00 less because the bill does not show it on every day",
        ),
        (
            {"demand": "3.6", "utilisation": "32.4"},
            "36.00 USD less than promised: 32.40 less because less of it was used than was expected; 3.60 less because "
            "there was less to cover than when it was approved.",
        ),
        (
            {"timing": "-10", "displaced": "4"},
            "6.00 USD more than promised: 10.00 more because the bill shows it longer than was promised; 4.00 less "
            "because older commitments stood idle for it.",
        ),
        ({"timing": "5", "price": "-5"}, "As promised in sum: 5.00 less because"),
    ],
)
def test_the_gap_is_said_in_words_with_every_reason_priced(gap, figures):
    assert realised_savings.explain_gap(parts(**gap), "USD").startswith(figures)
