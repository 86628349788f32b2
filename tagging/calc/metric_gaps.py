"""The days on which a usage metric has no value, in a few words. Pure: no Django."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date

from finops_site.lib.language import gettext as _
from finops_site.lib.periods import days_text

MAX_SPANS = 3


def describe_gaps(name: str, days: Collection[date], days_with_value: Collection[date]) -> str:
    """A sentence about the days of a month for which the metric `name` has no value; empty if there are none."""
    missing = sorted(set(days) - set(days_with_value))
    if not missing:
        return ""
    spans = [days_text(first, last) for first, last in consecutive_spans(missing)]
    listed = ", ".join(spans[:MAX_SPANS])
    if len(spans) > MAX_SPANS:
        listed = _("{listed} and {count} more").format(listed=listed, count=len(spans) - MAX_SPANS)
    return _(
        "The metric {name} has no value on {missing} of {days} days ({listed}): the pool "
        "is split by the days that have one."
    ).format(name=name, missing=len(missing), days=len(days), listed=listed)


def consecutive_spans(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Consecutive days as (first, last)."""
    first = last = None
    for day in sorted(days):
        if last is not None and (day - last).days == 1:
            last = day
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = day
    if first is not None and last is not None:
        yield first, last
