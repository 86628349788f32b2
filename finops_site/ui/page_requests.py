"""A page asked for outside of a request of hers, with her rights: as it is for a saved view, or for a file by a job."""

from django.http import HttpRequest, QueryDict
from django_htmx.middleware import HtmxDetails

from finops_site.models import User


def request_for(user: User, path: str, query: str) -> HttpRequest:
    """A GET of an address as if she had sent it."""
    request = HttpRequest()
    request.method, request.path, request.path_info = "GET", path, path
    request.GET = QueryDict(query)
    request.user = user
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return request
