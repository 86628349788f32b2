"""The peer that benchmarks measure against does the job it says: the same rows, sums and rollups."""

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
