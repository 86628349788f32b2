"""What controls show on the pages of others: decisions that wait, what they saved, and their part of the report."""

from typing import Any, cast

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from budgets.calc.controls import rules as control_rules
from budgets.controls.approvals import approval_objection
from budgets.controls.savings import saved_by_currency
from budgets.models import ControlChangeSet
from finops_site.lib.money import formatted
from finops_site.lib.periods import Month, day_text
from finops_site.lib.person import Person
from finops_site.lib.words import counted
from finops_site.models import User
from finops_site.registry import PendingDecision
from finops_site.ui.pending_decisions import decision_items


def proposed_changes(user: Person) -> QuerySet[ControlChangeSet]:
    """What controls propose and nobody has answered."""
    rows = ControlChangeSet.objects.visible_to(user).filter(state=control_rules.PROPOSED)
    return rows.select_related("control__budget__team", "team")


def changes_waiting(user: Person, rows: QuerySet[ControlChangeSet]) -> list[PendingDecision]:
    """Of these the ones that she may approve."""
    able = [row for row in rows[:50] if not approval_objection(row, cast(User, user))]
    url = f"{reverse('budgets:control_changes')}?state={control_rules.PROPOSED}"
    return decision_items(able, _("A cost control waits for approval"), _("cost controls wait for approval"), url)


def controls_report(user: Person, month: Month) -> dict[str, Any] | None:
    """The change sets that began in a month: what they did, and what the bill proves."""
    rows = ControlChangeSet.objects.visible_to(user).filter(
        started_at__date__gte=month.start, started_at__date__lt=month.next.start
    )
    listed = list(rows.select_related("control"))
    if not listed:
        return None
    sums = saved_by_currency(listed)
    proved = ", ".join(f"{formatted(amount, code)} {code}" for code, amount in sorted(sums.items()))
    return {
        "text": [
            _("{change_sets} of cost controls; {what}.").format(
                change_sets=counted(len(listed), "change set"),
                what=_("bills prove {proved} saved").format(proved=proved)
                if proved
                else _("no bill proves yet what they saved"),
            )
        ],
        "tables": [
            {
                "title": _("Cost controls"),
                "head": [_("Control"), _("State"), _("Began"), _("Saved")],
                "rows": [
                    [
                        {"text": row.control.name, "url": row.get_absolute_url()},
                        row.get_state_display(),
                        day_text(row.started_at),
                        _("not known yet")
                        if row.saved is None
                        else f"{formatted(row.saved, row.saved_currency)} {row.saved_currency}",
                    ]
                    for row in listed
                ],
            }
        ],
        "links": [(_("Change sets"), reverse("budgets:control_changes"))],
    }
