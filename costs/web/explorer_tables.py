"""An answer of the cost explorer as its page draws it: a chart and a table for each currency, every figure a link.

A figure opens its cost lines; the name of a group, the head of a column and a bar narrow the question to what they
stand for; Other opens to the groups that come next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from costs.query.pivots import OTHER, Pivot, PivotGroup, skip_largest
from costs.query.question import Question
from costs.query.spend import add
from costs.query.usage import UsagePivot
from costs.web.links import OF_ONE_LOOK, group_filters, lines_url
from finops_site.lib import charts
from finops_site.lib.money import ratio
from finops_site.lib.periods import Month, Period, short_day_text
from finops_site.ui.figures import figure_text, month_text

DAYS = ("period", "from", "to", "grain")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which groups of an answer are listed: `top` of them, after the `skip` largest."""

    top: int
    skip: int = 0


class ExplorerTables:
    """`target` is the currency that costs are shown in, empty for each as it was billed; `address` is the page's.

    `known_until` is the last day that every bill delivered, None where that is not known.
    """

    def __init__(
        self,
        question: Question,
        title: str,
        target: str,
        address: QueryDict,
        ranking: Ranks,
        known_until: date | None = None,
    ) -> None:
        self.question, self.title, self.target = question, title, target
        self.address, self.ranking, self.known_until = address, ranking, known_until

    def of_currency(self, pivot: Pivot) -> dict[str, Any]:
        """One currency's chart and table, each figure with the address of its lines."""
        answer = self._answer(skip_largest(pivot, self.ranking.skip), pivot.currency.lower())
        answer["chart"] |= {
            "title": _("{title} in {currency}").format(title=self.title, currency=pivot.currency),
            "currency": pivot.currency,
        }
        return {**answer, "currency": pivot.currency, "unit": "", "has_shares": bool(pivot.groups)}

    def of_usage(self, usage: UsagePivot, number: int) -> dict[str, Any]:
        """The same of the quantities of one unit, or of its prices, which are lines: nobody adds prices up."""
        answer = self._answer(skip_largest(usage.pivot, self.ranking.skip), f"unit-{number}")
        unit = (
            _("{currency} per {unit}").format(currency=usage.currency, unit=usage.unit)
            if usage.currency
            else usage.unit
        )
        for one in answer["chart"]["series"]:
            one["labels"] = [charts.ABSENT if value is None else figure_text(value) for value in one["data"]]
        kind = "line" if usage.currency else "stacked-bar"
        answer["chart"] |= {
            "title": _("{title} in {unit}").format(title=self.title, unit=unit),
            "unit": unit,
            "kind": kind,
        }
        if usage.currency:
            answer["sum_label"] = _("Overall")
            answer["chart"]["note"] = (
                _("Not complete where the table says so.") if answer["chart"]["unfinished"] else ""
            )
        return {**answer, "currency": "", "unit": unit, "has_shares": bool(usage.pivot.groups) and not usage.currency}

    def _answer(self, pivot: Pivot, key: str) -> dict[str, Any]:
        """A chart and a table; `key` tells their ids from those of others on the page."""
        heads = [self._head(bucket) for bucket in pivot.buckets]
        groups = pivot.groups or [PivotGroup((), _("Total"), pivot.sums, pivot.total)]
        unfinished = [head["note"] for head in heads]
        return {
            "heads": heads,
            "rows": self._rows(groups, pivot),
            "sums": self._cells((), pivot.sums, pivot),
            "sum_label": _("Total"),
            "total": pivot.total,
            "total_url": self._lines_url((), None, pivot.currency),
            "table_id": f"table-{key}",
            "chart": {
                "id": f"spend-{key}",
                "kind": "stacked-bar",
                "categories": [head["text"] for head in heads],
                "series": [self._series(group, pivot) for group in groups],
                "table_id": f"table-{key}",
                "unfinished": unfinished if any(unfinished) else [],
                "note": _("Hatched: not complete, as the table says.") if any(unfinished) else "",
                "narrow": {
                    "base": self._address((*DAYS, *group_filters(self.question.group_by, self._no_keys))),
                    "categories": [urlencode(self._narrower_days(bucket)) for bucket in pivot.buckets],
                },
            },
        }

    @property
    def _no_keys(self) -> list[str]:
        return [""] * len(self.question.group_by)

    def _series(self, group: PivotGroup, pivot: Pivot) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if group.keys:
            options = {"narrow": urlencode(group_filters(self.question.group_by, group.keys), doseq=True)}
        elif pivot.groups:
            options = {"other": True, "url": self._opened(group)}
        return charts.series(group.label, group.amounts, **options)

    def _head(self, bucket: date) -> dict[str, str]:
        """A column: its name, what it lacks (empty where it is complete), and the page about it alone."""
        if self.question.grain == "month":
            text = month_text(bucket)
        else:
            day = short_day_text(bucket)
            text = _("week of {day}").format(day=day) if self.question.grain == "week" else day
        url = self._address(DAYS, **self._narrower_days(bucket))
        return {"text": text, "note": self._lack(bucket), "narrow": url}

    def _lack(self, bucket: date) -> str:
        """What a step of time lacks: days that are not delivered yet, or that were not asked for."""
        full, asked_for = self._full_days(bucket), self._days_of(bucket)
        if self.known_until is not None and asked_for.last_day > self.known_until:
            return _(charts.SO_FAR)
        return "" if full == asked_for else _("{some} of {all} days").format(some=asked_for.days, all=full.days)

    def _rows(self, groups: Sequence[PivotGroup], pivot: Pivot) -> list[dict[str, Any]]:
        """A row for each group, with its share of the total and the share of all down to it."""
        rows, so_far = [], []
        for group in groups:
            so_far.append(group.total)
            linked = bool(group.keys) or not pivot.groups
            rows.append(
                {
                    "label": group.label,
                    "narrow": self._narrowed(group) if pivot.groups else "",
                    "cells": self._cells(group.keys, group.amounts, pivot, linked=linked),
                    "total": group.total,
                    "url": self._lines_url(group.keys, None, pivot.currency) if linked else "",
                    "share": _share(group.total, pivot.total),
                    "cumulative": _share(add(so_far), pivot.total),
                }
            )
        return rows

    def _narrowed(self, group: PivotGroup) -> str:
        """The same question about this group alone; of Other, the groups that come next."""
        if not group.keys:
            return self._opened(group)
        chosen = group_filters(self.question.group_by, group.keys)
        return self._address(chosen, **chosen)

    def _opened(self, group: PivotGroup) -> str:
        top, skip = self.ranking.top, self.ranking.skip
        if group.label == OTHER:
            return self._address((), skip=str(skip + top))
        back = max(skip - top, 0)
        return self._address((), **({"skip": str(back)} if back else {}))

    def _address(self, without: Sequence[str] | dict[str, Any], **changes: str | list[str]) -> str:
        """The page's address with `changes`, without some of its parameters."""
        query = self.address.copy()
        for name in (*OF_ONE_LOOK, *without):
            query.pop(name, None)
        for name, value in changes.items():
            query.setlist(name, value if isinstance(value, list) else [value])
        return f"?{query.urlencode()}"

    def _narrower_days(self, bucket: date) -> dict[str, str]:
        """The days of a step of time, day by day."""
        days = self._days_of(bucket)
        return {"from": days.start.isoformat(), "to": days.last_day.isoformat(), "grain": "day"}

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
            filters |= group_filters(self.question.group_by, keys)
        billed_in = {} if currency in ("", self.target) else {"currency": currency}
        return lines_url(self._days_of(bucket), {**filters, **billed_in})

    def _full_days(self, bucket: date) -> Period:
        """Every day of a step of time, whether it was asked for or not."""
        ends = {
            "month": Month.of(bucket).next.start,
            "week": bucket + timedelta(days=7),
            "day": bucket + timedelta(days=1),
        }
        return Period(bucket, ends[self.question.grain])

    def _days_of(self, bucket: date | None) -> Period:
        """The days of a step of time that lie in the question's period; all of them for none."""
        period = self.question.period
        if bucket is None:
            return period
        full = self._full_days(bucket)
        return Period(max(bucket, period.start), min(full.end, period.end))


def _share(part: Decimal | None, total: Decimal | None) -> Decimal | None:
    return None if part is None or not total else ratio(part, total)
