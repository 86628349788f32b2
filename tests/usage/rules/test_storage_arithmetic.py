"""The rule of buckets reckons in SQL what `storage_classes` reckons in decimals: the same class, the same saving."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.usage.rules.rule_cases import find, measured
from tests.usage.rules.test_object_storage import reads, stored
from usage.calc.storage_classes import CLASSES, STANDARD, best_class, monthly_saving

BUCKETS = st.lists(
    st.tuples(
        st.integers(100, 1_000_000),
        st.integers(1, 50_000_000),
        st.integers(0, 60_000_000),
        st.decimals("0.001", "0.2", places=4),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=12, deadline=None)
@given(BUCKETS)
def test_the_sql_of_the_rule_and_the_arithmetic_of_classes_agree(buckets):
    rows, objects = [], []
    for number, (gigabytes, count, requests, rate) in enumerate(buckets):
        name = f"b{number:02}"
        rows += [stored(name, gigabytes, str(gigabytes * rate)), reads(name, requests)]
        objects.append(measured(name, "objects", count))
    by_resource = {one["resource"]: one for one in find("bucket_tiering", *rows, metrics=objects)}
    classes = {one.code: one for one in CLASSES["AWS"]}
    for number, (gigabytes, count, requests, rate) in enumerate(buckets):
        size, things = Decimal(gigabytes), Decimal(count)
        best = best_class("AWS", size, things, Decimal(requests) / things, rate)
        finding = by_resource.get(f"b{number:02}")
        # A finding saves at most the cost; what saves less than a rounded nothing is none.
        expected = min(best[1], size * rate) if best else Decimal(0)
        assert abs((finding["saving"] if finding else Decimal(0)) - expected) < Decimal("0.0001")
        if finding:
            chosen = classes[finding["target"]["class"]]
            saved = monthly_saving(STANDARD, chosen, size, things, Decimal(requests) / things, rate)
            assert abs(saved - best[1]) < Decimal("0.0001"), "of two that save the same either may be proposed"
