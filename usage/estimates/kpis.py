"""The KPI of estimates: how near they came to what things cost."""

from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from finops_site.lib.person import Person
from finops_site.registry import Better, Measure, MeasureInput, Unit
from finops_site.translation import text_lazy
from finops_site.ui.figures import percent_text
from usage.estimates.figures import outcome
from usage.models import Estimate

MOST = 50


def accuracy_measure(user: Person, as_of: date) -> Measure | None:
    """The mean accuracy of the newest estimates of which a whole month came; unknown while none did."""
    estimates = Estimate.objects.visible_to(user).filter(starts__lt=as_of, archived_at=None).exclude(tag_key="")[:MOST]
    outcomes = [(one, came) for one in estimates if (came := outcome(user, one, as_of))]
    measured = [(one, came.accuracy) for one, came in outcomes if came.accuracy is not None]
    value = sum((accuracy for _one, accuracy in measured), Decimal(0)) / len(measured) if measured else None
    return Measure(
        value,
        Unit.PERCENT,
        None,
        Better.HIGHER,
        text_lazy(lambda: _("Of estimates whose things run: how near what was estimated is to what came.")),
        reverse("usage:estimates"),
        inputs=tuple(
            MeasureInput(f"{one.name} ({percent_text(accuracy / 100)})", accuracy, one.get_absolute_url(), Unit.PERCENT)
            for one, accuracy in measured
        ),
    )
