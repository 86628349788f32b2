"""What budgets take away of the demo company: its budgets with their alerts, its controls, its anomalies."""

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from budgets.models import Anomaly, AnomalySensitivity, Budget, Control, ControlChangeSet
from finops_site.people.demo_rows import counted_rows, delete_unless_held, demo_people, demo_rows


def counts() -> list[tuple[str, int, int]]:
    return [counted_rows(_("budgets"), _budgets()), counted_rows(_("controls"), _controls())]


def _budgets() -> QuerySet[Budget]:
    return Budget.objects.filter(Q(pk__in=demo_rows(Budget)) | Q(created_by__in=demo_people()))


def _controls() -> QuerySet[Control]:
    of_demo = Q(pk__in=demo_rows(Control)) | Q(changed_by__in=demo_people()) | Q(budget__in=_budgets())
    return Control.objects.filter(of_demo)


def remove_budgets() -> None:
    """Anomalies go with the bills in which they stood out; the next night looks at those that stay."""
    changes = Q(pk__in=demo_rows(ControlChangeSet)) | Q(control__in=_controls()) | Q(proposed_by__in=demo_people())
    ControlChangeSet.objects.filter(changes).delete()
    delete_unless_held(_controls())
    Anomaly.objects.filter(Q(answered_by=None) | Q(answered_by__in=demo_people())).delete()
    demo_rows(AnomalySensitivity).delete()
    delete_unless_held(_budgets())
