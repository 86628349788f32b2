"""The filters and the form of prices."""

import django_filters
from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext as _

from finops_site.translation import gettext_lazy as _lazy
from reservations.calc import price_lists
from reservations.calc.prices import BadPrices, Price
from reservations.calc.terms import KINDS
from reservations.forms import read_upload
from reservations.models import Rate

MOST_PRICE_BYTES = 512 << 20


class RateFilter(django_filters.FilterSet):
    instance_type = django_filters.CharFilter(label=_lazy("Type"), lookup_expr="istartswith")
    service = django_filters.CharFilter(label=_lazy("Service"), lookup_expr="icontains")
    region = django_filters.CharFilter(label=_lazy("Region"), lookup_expr="icontains")
    kind = django_filters.MultipleChoiceFilter(
        label=_lazy("Option"),
        choices=[("on_demand", _lazy("On demand")), *((kind, _lazy(label)) for kind, label in KINDS.items())],
    )

    class Meta:
        model = Rate
        fields: list[str] = []


class PricesForm(forms.Form):
    file = forms.FileField(
        label=_lazy("Price list"),
        help_text=format_lazy(
            _lazy(
                "AWS's offer file of a service or of savings plans (JSON), answers of Azure's retail prices "
                "(JSON), Google Cloud's price table (CSV, its date in the file's name), or a sheet (CSV): {columns}"
            ),
            columns=", ".join((*price_lists.NEEDED, *price_lists.OPTIONAL)),
        ),
    )

    def clean_file(self) -> list[Price]:
        uploaded = self.cleaned_data["file"]
        try:
            return price_lists.parse_price_list(read_upload(uploaded, MOST_PRICE_BYTES), uploaded.name)
        except BadPrices as error:
            raise forms.ValidationError(str(error)) from None
        except KeyError as error:
            raise forms.ValidationError(
                _("This is not such a price list: it has no {value}.").format(value=error.args[0])
            ) from None
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            raise forms.ValidationError(
                _("This is not such a price list: a value in it is of another kind than the provider writes there.")
            ) from None
