"""The peer that benchmarks measure against writes the same rows, sums and rollups; and what they import exists."""

import ast
import importlib
from datetime import date
from pathlib import Path

import pytest

from benchmarks import bill, cold, load, pages
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, DayRollup, DeliveryMonth, Dimension, MonthRollup, ResourceRollup, TagSet


@pytest.mark.django_db
def test_pandas_and_bulk_create_write_what_our_load_sums(tmp_path):
    path = bill.write(tmp_path / "bill.csv.gz", 600)
    load._orm(path)
    tag_sets, theirs = TagSet.objects.count(), DeliveryMonth.objects.get()
    drop_downs = set(Dimension.objects.exclude(name="tag").values_list("name", "value"))
    (received,) = receive_bill("northwind", [path])
    ours = load_bill(received.delivery).months.get()
    assert TagSet.objects.count() == tag_sets
    assert set(Dimension.objects.exclude(name="tag").values_list("name", "value")) == drop_downs
    for model in (CostLine, MonthRollup, ResourceRollup, DayRollup):
        rows = model.objects.filter(delivery_month__in=[theirs, ours])
        assert rows.filter(delivery_month=theirs).totals() == rows.filter(delivery_month=ours).totals()
        assert rows.filter(delivery_month=theirs).count() == rows.filter(delivery_month=ours).count()


@pytest.mark.django_db
def test_a_bill_of_many_resources_makes_nearly_as_many_cost_lines_as_it_has_lines(tmp_path):
    few, many = (
        receive_bill(f"{number}", [bill.write(tmp_path / f"{number}.csv.gz", 600, resources=number)])[0].delivery
        for number in (3, 24_000)
    )
    lines = [load_bill(delivery).months.get().lines for delivery in (few, many)]
    assert lines[0] <= 3 * 31
    assert lines[1] > 500


@pytest.mark.django_db
def test_every_page_that_is_measured_answers_who_is_measured(tmp_path, client):
    today = date(2026, 11, 29)
    teams = pages.load_months(tmp_path, 200, 2, today, resources=50)
    cookies = pages.people(teams)
    for who, cookie in cookies.items():
        for name, path in pages.pages(today, 2).items():
            if "page=1000" not in path and (who == "finance" or "chargeback" not in path):
                client.cookies["sessionid"] = cookie.partition("=")[2]
                assert client.get(path).status_code == 200, (who, name)


def test_what_one_request_keeps_no_other_one_finds(monkeypatch):
    monkeypatch.setattr(cold.wsgi, "application", lambda environ, start: [cold.key("answer", "", 1) for _ in range(2)])
    first, second = (cold.application({}, None) for _ in range(2))
    assert first[0] == first[1]
    assert first[0] != second[0]


@pytest.mark.parametrize("path", sorted(Path(load.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_exists(path):
    """Most of it is imported in a function, long after a bill was loaded."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
