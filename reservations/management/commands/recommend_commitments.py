"""Computes what to commit to, and prints it with its bound, its confidence and its working."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone

from finops_site.lib.money import BadAmount, exact_text, formatted, parse_amount
from finops_site.models import Team
from finops_site.ops.commands import BadInput, PlainCommand
from reservations.calc.terms import OPTIONS, PAYMENTS
from reservations.models import Plan, PlanItem
from reservations.recommendations import demand_sources, recommend
from reservations.recommendations.plan_parameters import InvalidParameters, Parameters, default_parameters

# A limit that is left out is by the buying policy of finance; "none" is no limit.
BY_POLICY = object()
LIMITS = {
    "target_coverage": ("--target-coverage", "SHARE", "cover at most this share: 0.7, or none for no limit"),
    "minimum_coverage": ("--minimum-coverage", "SHARE", "cover at least this share"),
    "max_upfront": ("--max-upfront", "AMOUNT", "cash there is for the first day, or none for no limit"),
    "max_monthly": ("--max-monthly", "AMOUNT", "what may be paid each month"),
    "minimum_utilisation": ("--minimum-utilisation", "SHARE", "of each purchase that is expected to be used, or none"),
    "break_even_months": ("--break-even", "MONTHS", "buy only what has paid off by then"),
}
MONEY = ("cost_before", "cost_after", "lower_bound", "saving", "best_saving", "upfront")


class Command(PlainCommand):
    help = "Recommends commitments for the demand of the last days, with a cost that no plan can be below."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--as-of", help="what was known at the start of this day: 2026-03-15 (the newest bill)")
        parser.add_argument("--lookback", type=int, default=30, metavar="DAYS", help="how far to look back (30)")
        parser.add_argument("--term", type=int, nargs="+", choices=[1, 3], metavar="YEARS", help="1, 3 or both")
        parser.add_argument("--payment", nargs="+", choices=list(PAYMENTS), help="none, partial, all")
        parser.add_argument("--kind", nargs="+", choices=OPTIONS, help="the options that may be bought")
        for name, (option, metavar, words) in LIMITS.items():
            how = f"{words} (by the policy)"
            parser.add_argument(option, dest=name, type=read_limit, default=BY_POLICY, metavar=metavar, help=how)
        parser.add_argument(
            "--cash-rate", type=read_number, metavar="SHARE", help="what cash costs a year (by the policy)"
        )
        parser.add_argument(
            "--negotiated", type=read_number, default=0.0, metavar="SHARE", help="off list prices on demand"
        )
        parser.add_argument("--negotiated-on-commitments", action="store_true", help="the contract gives it there too")
        parser.add_argument("--no-sharing", action="store_true", help="accounts do not share commitments")
        parser.add_argument("--team", help="for the use of one team and the teams below it")
        parser.add_argument("--time-limit", type=float, default=recommend.TIME_LIMIT, metavar="SECONDS")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = recommend.create_plan(
                None,
                read_parameters(options),
                as_of=read_day(options["as_of"]),
                lookback_days=options["lookback"],
                team=read_team(options["team"]),
            )
        except InvalidParameters as error:
            raise BadInput(error) from None
        plan = recommend.compute_recommendation(plan, time_limit=options["time_limit"])
        self.answer(plan_as_figures(plan), plan_as_text(plan), as_json=options["json"])


def read_day(text: str | None) -> date:
    """A day like 2026-03-15; without one the newest that is billed."""
    if not text:
        return demand_sources.newest_billed_day(timezone.now().date())
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is not a day: write it like 2026-03-15") from None


def read_team(name: str | None) -> Team | None:
    team = Team.objects.filter(name=name).first() if name else None
    if name and team is None:
        raise BadInput(f"there is no team {name!r}.")
    return team


def read_limit(text: str) -> float | None:
    """A limit, or None for "none"; raises ArgumentTypeError."""
    return None if text.lower() == "none" else read_number(text)


def read_number(text: str) -> float:
    """A number that somebody typed; raises ArgumentTypeError, which asks where it reads in two ways."""
    try:
        return float(parse_amount(text))
    except BadAmount as error:
        raise ArgumentTypeError(str(error)) from None


def read_parameters(options: dict[str, Any]) -> Parameters:
    """What finance's policy allows, with what the options say instead."""
    chosen: dict[str, Any] = {
        "terms": tuple(12 * years for years in options["term"] or ()),
        "payments": tuple(options["payment"] or ()),
        "kinds": tuple(options["kind"] or ()),
    }
    chosen = {name: value for name, value in chosen.items() if value}
    if options["cash_rate"] is not None:
        chosen["cash_rate"] = options["cash_rate"]
    chosen |= {name: options[name] for name in LIMITS if options[name] is not BY_POLICY}
    chosen["is_shared"] = not options["no_sharing"]
    return default_parameters(
        **chosen, negotiated=options["negotiated"], negotiated_on_commitments=options["negotiated_on_commitments"]
    )


def plan_as_figures(plan: Plan) -> dict[str, Any]:
    """A recommendation as programs read it: money as exact decimal text, a year of the observed demand."""
    return {
        "id": plan.pk,
        "as_of": plan.as_of.isoformat(),
        "lookback_days": plan.lookback_days,
        "currency": plan.currency,
        **{name: exact_text(getattr(plan, name)) for name in MONEY},
        "gap": exact_text(plan.gap),
        "confidence": plan.confidence,
        "indicative_prices": plan.is_indicative,
        "notes": plan.notes,
        "parameters": plan.parameters,
        "recommendations": [item_as_figures(item) for item in plan.items.all()],
        "working": plan.working,
    }


def item_as_figures(item: PlanItem) -> dict[str, Any]:
    amounts = ("quantity", "hourly", "upfront", "monthly", "on_demand_cost", "committed_cost", "saving")
    return {
        "option": item.kind,
        "term_months": item.term_months,
        "payment": item.payment,
        **{name: getattr(item, name) for name in ("provider", "region", "instance_type", "system", "unit")},
        **{name: exact_text(getattr(item, name)) for name in amounts},
        "utilisation": exact_text(item.utilisation),
        "break_even_months": exact_text(item.break_even_months),
        "rate": {"source": item.rate_source, "day": item.rate_day.isoformat(), "indicative": item.is_indicative},
        "working": {name: value for name, value in item.working.items() if name != "days"},
    }


def plan_as_text(plan: Plan) -> str:
    """A recommendation as people read it."""
    code = plan.currency
    if plan.cost_before is None or plan.saving is None or plan.cost_after is None or plan.lower_bound is None:
        return plan.message
    lines = [
        f"{formatted(plan.cost_before, code)} {code} a year on demand, {formatted(plan.cost_after, code)} with this "
        f"plan: {formatted(plan.saving, code)} saved. No plan within the limits costs less than "
        f"{formatted(plan.lower_bound, code)} (gap {plan.gap:.2%}).",
        *_range_line(plan),
        *plan.notes,
        *(_item_line(item, code) for item in plan.items.all()),
    ]
    return "\n".join(lines)


def _range_line(plan: Plan) -> Iterator[str]:
    """Where the bill leaves the hours of a day open: from what to what it saves."""
    if plan.saving is not None and plan.best_saving is not None and plan.best_saving > plan.saving:
        least, most = formatted(plan.saving, plan.currency), formatted(plan.best_saving, plan.currency)
        yield f"Of a bill of days: from {least} to {most} {plan.currency}, by the hours in which machines ran."


def _item_line(item: PlanItem, code: str) -> str:
    earned = ", ".join(f"{Decimal(batch['return']):.1%}" for batch in item.working["ladder"])
    cash = f"; {formatted(item.upfront, code)} {code} on the first day" if item.upfront else ""
    return (
        f"  {item.title}: saves {formatted(item.saving, code)} of {formatted(item.on_demand_cost, code)} {code} a year"
        f"{cash}. Its batches return {earned} of what they commit."
    )
