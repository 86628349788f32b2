"""Addresses of cost pages: every figure opens to the lines behind it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from costs.query.question import is_tag
from costs.query.scope import NOBODY
from finops_site.lib.periods import Period


def lines_url(period: Period, filters: Mapping[str, Any]) -> str:
    """The cost lines of a period, with the explorer's filters."""
    query = {**filters, "from": period.start, "to": period.last_day}
    return f"{reverse('costs:lines')}?{urlencode(query, doseq=True)}"


def filter_value(name: str, key: str) -> str:
    """The value of a group as a filter: an empty one filters nothing, but for a tag, so that NOBODY stands for it."""
    return key if key or is_tag(name) else NOBODY
