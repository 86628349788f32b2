"""From one total to another, step by step: what a waterfall draws and what its table says."""

from decimal import Decimal

import pytest

from finops_site.lib import charts

ONE, TWO = ("October", Decimal(100)), ("November", Decimal(90))
STEPS = [("new", Decimal(30)), ("gone", Decimal("-40"))]


def chart(before=ONE, steps=STEPS, after=TWO):
    return {"id": "x", "kind": "bar", "title": "", "currency": "USD", **charts.waterfall(before, steps, after)}


def test_each_step_begins_where_the_one_before_it_ended():
    total, more, less = chart()["series"]
    assert (total["low"], total["high"]) == ([0, None, None, 0], [100, None, None, 90])
    assert (more["low"], more["high"]) == ([None, 100, None, None], [None, 130, None, None])
    assert (less["low"], less["high"]) == ([None, None, 90, None], [None, None, 130, None])


def test_the_table_has_every_amount_once():
    assert charts.as_table(chart())["rows"] == [
        ["October", "100.00", "—", "—"],
        ["new", "—", "30.00", "—"],
        ["gone", "—", "—", "-40.00"],
        ["November", "90.00", "—", "—"],
    ]
    assert charts.for_browser(chart())["series"][2]["low"] == [None, None, "90", None]


def test_steps_that_lead_elsewhere_are_refused():
    with pytest.raises(ValueError, match="must lead from its first total to its last"):
        chart(after=("November", Decimal(91)))
