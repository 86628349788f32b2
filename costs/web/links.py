"""Addresses of cost pages: every figure opens to the lines behind it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from finops_site.lib.periods import Period


def lines_url(period: Period, filters: Mapping[str, Any]) -> str:
    """The cost lines of a period, with the explorer's filters."""
    query = {**filters, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"
