"""Charts as SVG: right in proportion, never broken by what is in them, the colours of the pages."""

import re
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_site.lib import chart_svg, charts
from finops_site.lib.palette import palette

CSS = Path(chart_svg.__file__).parents[1] / "static/finops/finops.css"
SVG = "{http://www.w3.org/2000/svg}"


def chart(kind, *many, names=("Jan", "Feb", "Mar")):
    return {"id": "c", "kind": kind, "title": "Spend", "currency": "USD", "categories": list(names), "series": many}


def drawn(made, **more):
    return ElementTree.fromstring(chart_svg.svg(made, **more))


def bars(root):
    return [element for element in root.iter(f"{SVG}rect") if element.get("width") != "9"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_are_those_of_the_pages(theme):
    block = re.search(rf'\[data-bs-theme="{theme}"\] {{(.*?)\n}}', CSS.read_text(), re.S).group(1)
    css = dict(re.findall(r"--([\w-]+): (#\w+);", block))
    ours = palette(theme)
    assert ours["series"] == [css[f"chart-{place}"] for place in range(1, 11)]
    names = {"other": "chart-other", "ink": "ink", "soft": "ink-3", "line": "line", "surface": "surface"}
    assert {name: css[variable] for name, variable in names.items()} == {name: ours[name] for name in names}
    assert (ours["good"], ours["bad"]) == (css["good"], css["bad"])


def test_a_theme_that_does_not_exist_is_noticed():
    with pytest.raises(LookupError, match="sepia"):
        palette("sepia")


def test_bars_are_as_high_as_their_amounts_and_credits_hang_below_zero():
    data = [Decimal(100), Decimal(50), Decimal(-25)]
    tall = [float(element.get("height")) for element in bars(drawn(chart("bar", charts.series("a", data))))]
    assert tall[0] == pytest.approx(2 * tall[1], abs=0.2)
    assert tall[0] == pytest.approx(4 * tall[2], abs=0.3)
    tops = [float(element.get("y")) for element in bars(drawn(chart("bar", charts.series("a", data))))]
    assert tops[2] == pytest.approx(tops[0] + tall[0], abs=0.2)


def test_a_stack_stands_on_what_is_below_it():
    first, second = charts.series("a", [Decimal(10)] * 3), charts.series("b", [Decimal(30)] * 3)
    low, high = bars(drawn(chart("stacked-bar", first, second)))[:2]
    assert float(high.get("y")) + float(high.get("height")) == pytest.approx(float(low.get("y")), abs=0.2)


def test_a_forecast_has_its_band_and_a_budget_its_line():
    band = charts.band("80 %", [None, Decimal(8), Decimal(9)], [None, Decimal(12), Decimal(15)], currency="USD")
    line = charts.series("Spend", [Decimal(5), Decimal(10), None])
    made = chart("line", line, band, charts.threshold("Budget", Decimal(11), 3))
    root = drawn(made)
    (strip,) = root.iter(f"{SVG}polygon")
    assert len(strip.get("points").split()) == 4
    budget = list(root.iter(f"{SVG}polyline"))[-1]
    assert budget.get("stroke-dasharray")
    assert len({point.split(",")[1] for point in budget.get("points").split()}) == 1
    assert charts.as_table(made)["rows"][2] == ["Mar", "—", "9.00 to 15.00", "11.00"]
    assert charts.for_browser(made)["series"][1]["low"] == [None, "8", "9"]


def test_bars_across_say_their_amounts():
    words = [
        element.text for element in drawn(chart("horizontal-bar", charts.series("a", [Decimal("1234.5")] * 3))).iter()
    ]
    assert words.count("1,234.50") == 3


def test_shares_fill_the_bar():
    many = [charts.series(name, [Decimal(part)]) for name, part in (("a", 1), ("b", 3))]
    wide = [float(element.get("width")) for element in bars(drawn(chart("share", *many, names=["x"])))]
    assert wide == [160, 480]


@pytest.mark.parametrize("kind", ["stacked-bar", "bar", "line", "area", "sparkline", "horizontal-bar", "share"])
@pytest.mark.parametrize("data", [[], [None], [Decimal(0)], [Decimal(5)], [Decimal("-1e-18")], [Decimal("9e29")]])
def test_nothing_little_and_much_are_drawn(kind, data):
    data = [None] if kind == "share" and not data else data
    root = drawn(chart(kind, charts.series("a", data), names=["x"] * len(data)))
    assert "nan" not in ElementTree.tostring(root, "unicode")


@settings(max_examples=50, deadline=None)
@given(name=st.text(), kind=st.sampled_from(["stacked-bar", "line", "treemap", "share"]))
def test_no_name_breaks_the_drawing(name, kind):
    many = [charts.series(name, [Decimal(1)]), charts.series('</text><script x="', [Decimal(2)])]
    tags = {element.tag for element in drawn(chart(kind, *many, names=[name]) | {"title": name}).iter()}
    assert tags <= {f"{SVG}{tag}" for tag in ("svg", "rect", "text", "line", "polyline", "circle")}


def test_the_same_chart_is_the_same_text():
    made = chart("area", charts.series("a", [Decimal(1), Decimal(2), None]))
    assert chart_svg.svg(made) == chart_svg.svg(made)
