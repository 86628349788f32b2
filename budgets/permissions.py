"""Who may change a budget, and who decides whom it notifies."""

from budgets.models import Budget, ProposedChange
from finops_site.lib.person import Person
from finops_site.models import Membership, Team


def led_teams(user: Person) -> set[int]:
    """The teams she leads and every team below: those she may propose a budget for."""
    led = Team.objects.filter(memberships__user=user.pk, memberships__role=Membership.Role.LEAD)
    return {pk for team in led for pk in Team.objects.below(team).values_list("pk", flat=True)}


def may_edit_budget(user: Person, budget: Budget) -> bool:
    """Finance edits, a lead what she proposed until it is approved; an archived budget is brought back first."""
    if budget.state == Budget.State.ARCHIVED:
        return False
    if user.has_perm("budgets.change_budget"):
        return True
    is_proposal = budget.state in (Budget.State.DRAFT, Budget.State.PROPOSED)
    return is_proposal and may_edit_recipients(user, budget)


def may_propose_change(user: Person, budget: Budget) -> bool:
    """A lead proposes other amounts of a budget of her teams that is in force; finance changes it at once."""
    if budget.state != Budget.State.ACTIVE or user.has_perm("budgets.change_budget"):
        return False
    return may_edit_recipients(user, budget)


def may_decide_change(user: Person, change: ProposedChange, verb: str) -> bool:
    """Finance approves and rejects a change; those who may propose one withdraw it."""
    if verb in ("approve", "reject"):
        return user.has_perm("budgets.approve_budget")
    return verb == "withdraw" and may_propose_change(user, change.budget)


def may_edit_recipients(user: Person, budget: Budget) -> bool:
    """Finance, and who leads the team or one above it, decide who is notified; of an archived budget nobody."""
    if budget.state == Budget.State.ARCHIVED:
        return False
    if user.has_perm("budgets.change_budget"):
        return True
    return user.has_perm("budgets.propose_budget") and budget.team_id in led_teams(user)
