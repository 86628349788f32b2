"""Sums of what providers state of carbon: by provider, month, team, service and region, in kilograms of CO2e."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Case, Count, F, Min, Q, Sum, When
from django.utils.translation import gettext as _

from costs.calc.providers import provider_name
from costs.models import MonthRollup
from finops_site.lib.periods import Month
from finops_site.lib.person import Person
from finops_site.lib.words import number_text
from finops_site.models import Team
from usage.models import CarbonMonth

MOST_MONTHS = 13
SMALL_KG = 10
FIGURES = ("market", "location", "scope1", "scope2_market", "scope3_market")
SUMS = {
    **{f"{name}_kg": Sum(name) for name in FIGURES},
    **{f"{name}_missing": Count("pk", filter=Q(**{name: None})) for name in FIGURES},
}


@dataclass(frozen=True, slots=True)
class CarbonSum:
    """Kilograms of what a name stands for; None is not delivered, never zero.

    `of_a_part` names the FIGURES that some of the rows do not state: their sums are too small by as much.
    """

    name: str
    market: Decimal | None = None
    location: Decimal | None = None
    scope1: Decimal | None = None
    scope2: Decimal | None = None
    scope3: Decimal | None = None
    month: Month | None = None
    is_delivered: bool = True
    without: Sequence[str] = ()
    of_a_part: frozenset[str] = frozenset()

    @property
    def market_text(self) -> str:
        return self._text(self.market, "market")

    @property
    def location_text(self) -> str:
        return self._text(self.location, "location")

    @property
    def scope_texts(self) -> list[str]:
        """Scope 1, 2 (market-based) and 3."""
        scopes = ((self.scope1, "scope1"), (self.scope2, "scope2_market"), (self.scope3, "scope3_market"))
        return [self._text(value, figure) for value, figure in scopes]

    def _text(self, value: Decimal | None, figure: str) -> str:
        text = kilograms_text(value)
        return _("{kilograms} of a part").format(kilograms=text) if figure in self.of_a_part else text


def kilograms_text(value: Decimal | None) -> str:
    """``1,234 kg``, ``0.52 kg`` below ten; a dash for what is not delivered."""
    return "—" if value is None else f"{number_text(value, 0 if value >= SMALL_KG else 2)} kg"


@dataclass(frozen=True, slots=True)
class _Owners:
    """{(month, account): team} of accounts whose use of a month one team owns alone; None where it is not so."""

    of_month: Mapping[tuple[date, str], int | None] = field(default_factory=dict)

    def team(self, month: date, account: str) -> int | None:
        return self.of_month.get((month, _short(account)))


class Carbon:
    """What somebody may see of the carbon that was delivered.

    Carbon comes by account: who sees teams alone sees the accounts that are hers alone, by the bills of the month.
    """

    def __init__(self, user: Person) -> None:
        self.user = user

    @cached_property
    def months(self) -> list[Month]:
        """Those that anything is delivered of, the newest first."""
        days = CarbonMonth.objects.current().order_by("-month").values_list("month", flat=True).distinct()
        return [Month.of(day) for day in days[:MOST_MONTHS]]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Sums for each month, provider and account that she may see."""
        if not self.months:
            return []
        rows = CarbonMonth.objects.current().filter(month__gte=self.months[-1].start).order_by()
        sums = rows.values("month", "provider", "account").annotate(**SUMS)
        return [row for row in sums if self._may_see(row["month"], row["account"])]

    @cached_property
    def owners(self) -> _Owners:
        """By the use that bills state: fees and taxes of an account are often nobody's."""
        account = Case(When(sub_account="", then=F("billing_account")), default=F("sub_account"))
        used = MonthRollup.objects.current().filter(
            charge_month__in=[month.start for month in self.months], charge_category="Usage"
        )
        groups = (
            used.order_by()
            .values("charge_month", short=account)
            .annotate(teams=Count("owner", distinct=True), without=Count("pk", filter=Q(owner=None)), team=Min("owner"))
        )
        return _Owners(
            {
                (row["charge_month"], _short(row["short"])): row["team"]
                if row["teams"] == 1 and not row["without"]
                else None
                for row in groups
            }
        )

    @cached_property
    def _visible_teams(self) -> set[int]:
        return set(self.user.visible_team_ids)

    def _may_see(self, month: date, account: str) -> bool:
        return self.user.sees_whole_company or self.owners.team(month, account) in self._visible_teams

    @property
    def newest(self) -> Month | None:
        """The newest month that every provider delivered that delivers at all; else the newest of any."""
        providers = {row["provider"] for row in self.rows}
        together = [one for one in self.months if providers and {row["provider"] for row in self._of(one)} == providers]
        return next(iter(together), None) or next((one for one in self.months if self._of(one)), None)

    def _of(self, month: Month) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["month"] == month.start]

    def by_provider(self, month: Month) -> list[CarbonSum]:
        """Each provider in the month; those that bills have and that deliver no carbon are named as such."""
        delivered = self._grouped(self._of(month), "provider")
        newest: dict[str, date] = {}
        for row in self.rows:
            newest[row["provider"]] = max(newest.get(row["provider"], date.min), row["month"])
        there = {one.name for one in delivered}
        missing = sorted((set(newest) | self._billed_providers(month)) - there)
        return [
            *delivered,
            *(
                CarbonSum(name, month=Month.of(newest[name]) if name in newest else None, is_delivered=False)
                for name in missing
            ),
        ]

    def _billed_providers(self, month: Month) -> set[str]:
        lines = MonthRollup.objects.visible_to(self.user).filter(charge_month=month.start, charge_category="Usage")
        return {provider_name(name) for name in lines.order_by().values_list("provider", flat=True).distinct() if name}

    def by_month(self) -> list[CarbonSum]:
        """A sum for each month, with the providers that deliver carbon and did not deliver this month."""
        providers = {row["provider"] for row in self.rows}
        sums = []
        for month in self.months:
            rows = self._of(month)
            if rows:
                without = sorted(providers - {row["provider"] for row in rows})
                sums.append(_sum("", rows, month=month, without=without))
        return sums

    def by_team(self, month: Month) -> list[CarbonSum]:
        """Of accounts that one team owns alone; the rest stands last, without a name, for who sees the company."""
        names = dict(Team.objects.values_list("pk", "name"))
        groups: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
        for row in self._of(month):
            groups[self.owners.team(row["month"], row["account"])].append(row)
        of_teams = [_sum(names.get(team, ""), rows) for team, rows in groups.items() if team is not None]
        rest = [_sum("", groups[None])] if groups.get(None) else []
        return [*_largest(of_teams), *rest]

    def by_place(self, month: Month, column: str, most: int) -> list[CarbonSum]:
        """The largest services or regions of the month."""
        rows = self._visible_rows(month).order_by().values(column).annotate(**SUMS)
        return _largest(_sum(row[column], [row]) for row in rows)[:most]

    def _visible_rows(self, month: Month) -> Any:
        rows = CarbonMonth.objects.current().filter(month=month.start)
        if self.user.sees_whole_company:
            return rows
        return rows.filter(account__in=[row["account"] for row in self._of(month)])

    def export_rows(self, month: Month | None) -> Iterator[list[Any]]:
        """Every row of the month that she may see, with all digits; what is not delivered is empty."""
        names = ("scope1", "scope2_market", "scope2_location", "scope3_market", "scope3_location", "market", "location")
        yield ["month", "provider", "account", "region", "service", *(f"kg_{name}" for name in names), "model"]
        for row in self._visible_rows(month).iterator() if month else ():
            figures = [getattr(row, name) for name in names]
            yield [str(month), row.provider, row.account, row.region, row.service, *figures, row.model]

    @staticmethod
    def _grouped(rows: Iterable[Mapping[str, Any]], column: str) -> list[CarbonSum]:
        groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            groups[row[column]].append(row)
        return _largest(_sum(name, of_name) for name, of_name in groups.items())


def _sum(name: str, rows: Sequence[Mapping[str, Any]], **more: Any) -> CarbonSum:
    def total(figure: str) -> Decimal | None:
        known = [row[f"{figure}_kg"] for row in rows if row[f"{figure}_kg"] is not None]
        return sum(known, Decimal(0)) if known else None

    sums = {figure: total(figure) for figure in FIGURES}
    of_a_part = frozenset(
        figure for figure, value in sums.items() if value is not None and any(row[f"{figure}_missing"] for row in rows)
    )
    market, location, scope1, scope2, scope3 = sums.values()
    return CarbonSum(name, market, location, scope1, scope2, scope3, of_a_part=of_a_part, **more)


def _largest(sums: Iterable[CarbonSum]) -> list[CarbonSum]:
    return sorted(sums, key=lambda one: (-(one.market or one.location or 0), one.name))


def _short(account: str) -> str:
    """Bills write ``/subscriptions/<id>`` where others write the id."""
    return account.rpartition("/")[2].lower()
