"""``manage.py store_kpis``: a night of KPIs by hand."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.utils import timezone

from finops_site.lib.money import exact_text
from finops_site.ops.commands import BadInput, PlainCommand
from programme.kpis import nights
from programme.models import KpiDay


class Command(PlainCommand):
    help = "Stores the KPIs of the whole company as of a day. What is stored of that day already stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="the day, like 2026-03-15; today without it")

    def handle(self, *args: Any, as_of: str | None, json: bool, **options: Any) -> None:
        today = timezone.now().date()
        try:
            day = date.fromisoformat(as_of) if as_of else today
        except ValueError:
            raise BadInput(f"--as-of: {as_of!r} is not a day: write it like 2026-03-15.") from None
        if day > today:
            raise BadInput(f"--as-of: {day} is not over: nobody knows its KPIs.")
        first = nights.first_day(today)
        if day < first:
            raise BadInput(f"--as-of: {day} is before {first}, from when on there is cost: nobody knows its KPIs.")
        stored, failed = nights.store_day(day)
        values = {row.name: exact_text(row.value) for row in KpiDay.objects.filter(day=day)}
        figures = {"as_of": day.isoformat(), "stored": stored, "failed": sorted(failed), "values": values}
        lines = [f"{day}: {stored} stored"] + [f"  {name}: {value or 'not known'}" for name, value in values.items()]
        self.answer(figures, "\n".join(lines), as_json=json)
