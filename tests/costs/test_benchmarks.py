"""The peer that benchmarks measure against writes the same rows, sums and rollups; and what they import exists."""

import ast
import importlib
from pathlib import Path

import pytest

from benchmarks import bill, load
from costs.ingest.load import load_bill
from costs.ingest.receive import receive_bill
from costs.models import CostLine, DayRollup, DeliveryMonth, Dimension, MonthRollup, TagSet


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
    for model in (CostLine, MonthRollup, DayRollup):
        rows = model.objects.filter(delivery_month__in=[theirs, ours])
        assert rows.filter(delivery_month=theirs).totals() == rows.filter(delivery_month=ours).totals()
        assert rows.filter(delivery_month=theirs).count() == rows.filter(delivery_month=ours).count()


@pytest.mark.parametrize("path", sorted(Path(load.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_exists(path):
    """Most of it is imported in a function, long after a bill was loaded."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")
