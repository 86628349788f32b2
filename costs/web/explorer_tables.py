"""An answer of the cost explorer as its page draws it: a chart and a table for each currency, every figure a link."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from costs.query.pivots import Pivot, PivotGroup
from costs.query.question import Question
from costs.web.links import filter_value, lines_url
from finops_site.lib import charts
from finops_site.lib.periods import Month, Period, short_day_text
from finops_site.ui.figures import month_text


class ExplorerTables:
    """`target` is the currency that costs are shown in, empty for each as it was billed."""

    def __init__(self, question: Question, title: str, target: str) -> None:
        self.question, self.title, self.target = question, title, target

    def of_currency(self, pivot: Pivot) -> dict[str, Any]:
        """One currency's chart and table, each figure with the address of its lines."""
        heads = [self._bucket_text(bucket) for bucket in pivot.buckets]
        groups = pivot.groups or [PivotGroup((), "Total", pivot.sums, pivot.total)]
        return {
            "currency": pivot.currency,
            "heads": heads,
            "rows": [self._row(group, pivot) for group in groups],
            "sums": self._cells((), pivot.sums, pivot),
            "total": pivot.total,
            "total_url": self._lines_url((), None, pivot.currency),
            "chart": {
                "id": f"spend-{pivot.currency.lower()}",
                "kind": "stacked-bar",
                "title": f"{self.title} in {pivot.currency}",
                "categories": heads,
                "series": [
                    charts.series(
                        group.label, group.amounts, **({} if group.keys or not pivot.groups else {"other": True})
                    )
                    for group in groups
                ],
                "currency": pivot.currency,
                "table_id": f"table-{pivot.currency.lower()}",
            },
        }

    def _bucket_text(self, bucket: date) -> str:
        if self.question.grain == "month":
            return month_text(bucket)
        text = short_day_text(bucket)
        return f"week of {text}" if self.question.grain == "week" else text

    def _row(self, group: PivotGroup, pivot: Pivot) -> dict[str, Any]:
        linked = bool(group.keys) or not pivot.groups
        return {
            "label": group.label,
            "cells": self._cells(group.keys, group.amounts, pivot, linked=linked),
            "total": group.total,
            "url": self._lines_url(group.keys, None, pivot.currency) if linked else "",
        }

    def _cells(
        self, keys: tuple[str, ...], amounts: Sequence[Decimal | None], pivot: Pivot, *, linked: bool = True
    ) -> list[dict[str, Any]]:
        return [
            {"amount": amount, "url": self._lines_url(keys, bucket, pivot.currency) if linked else ""}
            for amount, bucket in zip(amounts, pivot.buckets, strict=True)
        ]

    def _lines_url(self, keys: tuple[str, ...], bucket: date | None, currency: str) -> str:
        """The cost lines behind a figure: same filters, same days, same currency."""
        filters: dict[str, Any] = {name: list(values) for name, values in self.question.filters.items()}
        if keys:
            filters |= {name: [filter_value(name, key)] for name, key in zip(self.question.group_by, keys, strict=True)}
        billed_in = {} if currency == self.target else {"currency": currency}
        return lines_url(self._days_of(bucket), {**filters, **billed_in})

    def _days_of(self, bucket: date | None) -> Period:
        """The days of a bucket that lie in the question's period; all of them for no bucket."""
        period = self.question.period
        if bucket is None:
            return period
        ends = {
            "month": Month.of(bucket).next.start,
            "week": bucket + timedelta(days=7),
            "day": bucket + timedelta(days=1),
        }
        return Period(max(bucket, period.start), min(ends[self.question.grain], period.end))
