"""The filters and the form of owned commitments."""

import django_filters
from django import forms
from django.utils.text import format_lazy

from finops_site.translation import gettext_lazy as _lazy
from reservations.calc.terms import KINDS
from reservations.forms import read_upload, visible_teams
from reservations.inventory import commitment_csv
from reservations.models import Commitment

MOST_BYTES = 20 << 20


class CommitmentFilter(django_filters.FilterSet):
    kind = django_filters.MultipleChoiceFilter(
        label=_lazy("Kind"), choices=[(kind, _lazy(label)) for kind, label in KINDS.items()]
    )
    region = django_filters.CharFilter(label=_lazy("Region"), lookup_expr="icontains")
    owner = django_filters.ModelMultipleChoiceFilter(label=_lazy("Owner"), queryset=visible_teams)
    end = django_filters.DateFromToRangeFilter(label=_lazy("Ends"))

    class Meta:
        model = Commitment
        fields: list[str] = []


class CommitmentsForm(forms.Form):
    """Commitments as CSV, or as their provider lists them; nothing is kept when a row is wrong."""

    file = forms.FileField(
        label=_lazy("File"),
        help_text=format_lazy(
            _lazy(
                "A CSV with one row for each commitment: {names}; the first three needed. Or a list of AWS "
                "(describe-savings-plans, describe-reserved-instances, -db-instances, -cache-nodes), Azure "
                "(reservations, savings plans, transactions) or Google (compute commitments list) as JSON."
            ),
            names=", ".join(commitment_csv.COLUMNS),
        ),
    )

    def clean_file(self) -> str:
        return read_upload(self.cleaned_data["file"], MOST_BYTES)
