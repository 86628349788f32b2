"""First budgets, proposed from what teams have cost; page and API come through here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from budgets.calc.amounts import parse_amount
from budgets.models import Budget
from budgets.planning.budget_changes import create_budget
from budgets.planning.suggestions import AmountSuggestion, recent_costs, suggest_amounts
from finops_site.lib.money import BadAmount, exact_text
from finops_site.lib.periods import Month
from finops_site.lib.words import counted, labelled
from finops_site.models import Team, User
from finops_site.people.company import load_company

# From so many whole months on a suggestion is good enough to be ticked.
ENOUGH_MONTHS = 2


class CannotCreate(ValueError):
    """Why no budget was made, in sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(" ".join(problems))


@dataclass(frozen=True, slots=True)
class BudgetProposal:
    """A budget of each month that nobody made yet; without a suggestion too little is known to propose an amount."""

    key: str
    budget: Budget
    suggestion: AmountSuggestion | None

    @property
    def is_sure(self) -> bool:
        return bool(self.suggestion and len(self.suggestion.months) >= ENOUGH_MONTHS)

    @property
    def words(self) -> str:
        """What the amount stands on."""
        if self.suggestion is None:
            return _("Too little is known: no whole month has any cost.")
        if not self.is_sure:
            return _("From one whole month alone.")
        return _("From the last {months}.").format(months=counted(len(self.suggestion.months), "whole month"))


def propose_budgets(today: date) -> list[BudgetProposal]:
    """For the company and every team that has cost and no budget yet, one for each currency of it."""
    company = settings.FINOPS_COMPANY or load_company().name or _("The company")
    budgets = {}
    for number, (team, currency, is_one) in enumerate(_without_budget(today), 1):
        name = team.name if team else company
        name = name if is_one else f"{name} ({currency})"
        # A number of its own for as long as it is not saved.
        budget = Budget(pk=-number, name=name, team=team, currency=currency, start=Month.of(today).start)
        budgets[f"{team.pk if team else 'company'}:{currency}"] = budget
    suggestions = suggest_amounts(list(budgets.values()), today) if budgets else {}
    return [BudgetProposal(key, budget, suggestions[budget.pk]) for key, budget in budgets.items()]


def _without_budget(today: date) -> list[tuple[Team | None, str, bool]]:
    """(a team, or None for the company; a currency of its cost; whether it has no other), without a budget of it."""
    costs = recent_costs(today)
    owned = set(costs.exclude(owner=None).values_list("owner", "currency").distinct())
    teams = {team.pk: team for team in Team.objects.filter(pk__in={pk for pk, _ignored in owned})}
    with_cost: set[tuple[int | None, str]] = {(None, currency) for currency in costs.values_list("currency", flat=True)}
    with_cost |= owned
    theirs = Budget.objects.exclude(state=Budget.State.ARCHIVED).values_list("team", "currency")
    wanted = [pair for pair in with_cost if pair not in set(theirs)]
    counts = {pk: sum(other == pk for other, _ignored in with_cost) for pk, _ignored in with_cost}
    rows = [(teams[pk] if pk else None, currency, counts[pk] == 1) for pk, currency in wanted]
    return sorted(rows, key=lambda row: (row[0] is not None, row[0].name if row[0] else "", row[1]))


def typed_amounts(typed: Mapping[str, str]) -> dict[str, Decimal]:
    """The amounts that somebody typed, by the keys of their proposals. Raises CannotCreate."""
    amounts, problems = {}, []
    for key, text in typed.items():
        try:
            amounts[key] = parse_amount(text, currency=key.rpartition(":")[2])
        except BadAmount as error:
            problems.append(labelled(text or _("No amount"), error))
    if problems:
        raise CannotCreate(problems)
    return amounts


def proposal_rows(proposals: Sequence[BudgetProposal]) -> list[dict[str, object]]:
    """The proposals as the API gives them."""
    return [
        {
            "key": one.key,
            "name": one.budget.name,
            "team": one.budget.team.name if one.budget.team else None,
            "currency": one.budget.currency,
            "amount": exact_text(one.suggestion.amount) if one.suggestion else None,
            "months": [
                {"month": str(Month.of(day)), "billed_cost": exact_text(cost)} for day, cost in one.suggestion.months
            ]
            if one.suggestion
            else [],
            "is_sure": one.is_sure,
            "words": one.words,
        }
        for one in proposals
    ]


@transaction.atomic
def create_proposed(user: User, amounts: Mapping[str, Decimal], today: date) -> list[Budget]:
    """Makes the budgets of these proposals with these amounts for each month: {key: amount}.

    Raises CannotCreate, and makes none, where one is no more proposed or would not be valid.
    """
    proposed = {one.key: one for one in propose_budgets(today)}
    problems = [
        _("{key} is not proposed any more: look again.").format(key=key) for key in amounts if key not in proposed
    ]
    if not amounts:
        problems.append(_("Tick at least one."))
    made = []
    for key, amount in amounts.items() if not problems else ():
        budget = proposed[key].budget
        budget.pk = None
        try:
            budget.full_clean()
            new = dict.fromkeys(budget.cut.periods(), amount)
            made.append(create_budget(budget, new, by=user, why=_("proposed from the last months")))
        except (ValidationError, BadAmount) as error:
            texts = error.messages if isinstance(error, ValidationError) else [str(error)]
            problems.append(labelled(budget.name, " ".join(texts)))
    if problems:
        transaction.set_rollback(True)
        raise CannotCreate(problems)
    return made
