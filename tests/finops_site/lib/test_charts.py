"""Charts as data; no database."""

from decimal import Decimal

from finops_site.lib import charts


def test_what_is_too_many_is_summed_exactly_as_other():
    many = [charts.series(f"s{n}", [Decimal(n), Decimal("0.000000000000000001")]) for n in range(12)]
    top = charts.top_series(many, limit=8)
    assert [one["name"] for one in top[:2]] == ["s11", "s10"]
    assert top[-1]["name"] == "Other (4)"
    assert top[-1]["data"] == [Decimal(6), Decimal("0.000000000000000004")]
    assert len(top) == 9


def test_one_too_many_is_shown_rather_than_called_other():
    many = [charts.series(f"s{n}", [Decimal(n)]) for n in range(9)]
    assert len(charts.top_series(many, limit=8)) == 9
    assert not any(one.get("other") for one in charts.top_series(many, limit=8))


def test_other_is_absent_where_all_its_parts_are():
    many = [charts.series(f"s{n}", [None, Decimal(n)]) for n in range(5)]
    assert charts.top_series(many, limit=2)[-1]["data"] == [None, Decimal(3)]


def test_the_table_of_a_chart_has_categories_down_and_series_across():
    chart = {
        "id": "x",
        "kind": "bar",
        "categories": ["Oct", "Nov"],
        "series": [
            charts.series("EC2", [Decimal("1000.005"), None]),
            charts.series("S3", [Decimal(1), Decimal(2)]),
        ],
        "currency": "USD",
    }
    table = charts.as_table(chart)
    assert table["head"] == ["", "EC2", "S3"]
    assert table["rows"] == [["Oct", "1,000.00", "1.00"], ["Nov", "—", "2.00"]]


def test_labels_of_the_server_win():
    chart = {
        "id": "x",
        "kind": "treemap",
        "series": [charts.series("EC2", [Decimal(5)], labels=["five"])],
        "currency": "USD",
    }
    assert charts.as_table(chart)["rows"] == [["EC2", "five"]]
    assert charts.for_browser(chart)["series"][0]["labels"] == ["five"]
