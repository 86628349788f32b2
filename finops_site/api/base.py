"""What all API endpoints share: permissions, paging and exact amounts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from django.db import models
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, Throttled, ValidationError
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView, exception_handler

from finops_site.api.csv_rows import MOST_ROWS, wants_every_row
from finops_site.files.places import FilesUnreachable
from finops_site.lib.addresses import BadFilter, check_names, check_once
from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.ui import unique_violations
from finops_site.ui.filters import filter_names, many_names
from finops_site.ui.keyset import BadCursor, keyset_page
from finops_site.ui.one_export import ASK_AGAIN_SECONDS, ExportRuns, begin_export

# In the description of an operation: a regular expression of further parameters, whose names nobody can list.
NAME_PATTERN = "x-parameter-pattern"
# In the description of an operation: it changes nothing by itself, another person decides about what it asks for.
PROPOSES = "x-proposes"


class Conflict(APIException):
    """What was read is not what is there any more: 409, with the reason."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


@contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """What a service refuses by raising one of these is answered 400, with its reason under `detail`.

    Where the place of files is away it is not the request that is wrong: that is answered 503 (ui/files_away.py).
    """
    try:
        yield
    except kinds as refused:
        if isinstance(refused.__cause__, FilesUnreachable):
            raise refused.__cause__ from None
        raise ValidationError({"detail": str(refused)}) from None


@contextmanager
def conflicts(*kinds: type[Exception]) -> Iterator[None]:
    """What a service raises because things changed meanwhile is answered 409, with its reason under `detail`."""
    try:
        yield
    except kinds as changed:
        raise Conflict(str(changed)) from None


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """What the database refuses as being there already is a conflict (409); all else as the framework answers it.

    Another file for the same person is being made: 429, with the seconds to wait.
    """
    if isinstance(error, ExportRuns):
        throttled = Throttled(wait=ASK_AGAIN_SECONDS)
        throttled.detail = str(error)
        return exception_handler(throttled, context)
    reason = unique_violations.reason_of(error)
    return exception_handler(Conflict(reason) if reason else error, context)


class HoldsPermission(BasePermission):
    """`view.permission_required` to read, `view.write_permission_required` to change; the rows are the queryset's.

    What names no `write_permission_required` changes nothing: an empty one is for everybody's own business.
    Whoever may come in is told of parameters that nobody here reads: see `parameters_of`.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        # Who may read is told of a verb that there is none of: 405.
        is_known = request.method in _verbs(view)
        reads = request.method in SAFE_METHODS or not is_known
        # None, a view that names nothing to change by, lets nobody change; empty lets everybody who is signed in.
        name = view.permission_required if reads else getattr(view, "write_permission_required", None)
        if not (request.user and request.user.is_authenticated) or name is None:
            return False
        if name and not request.user.has_perm(name):
            return False
        if not is_known or request.method == "OPTIONS":
            # Nothing of the address is read.
            return True
        with refusals(BadFilter):
            takes_name = getattr(view, "takes_name", _takes_nothing)
            documented = _documented(view, request)
            check_names(request.query_params, parameters_of(view, documented), takes_name)
            many = many_of(view, documented)
            check_once(request.query_params.lists(), lambda name: name in many or takes_name(name))
        if wants_every_row(request):
            begin_export(request.user)
        return True


def _verbs(view: APIView) -> set[str]:
    """The verbs that a view answers; of a set of views, those of its address."""
    actions = getattr(view, "action_map", None)
    return {verb.upper() for verb in actions} if actions else set(view.allowed_methods)


def parameters_of(view: APIView, documented: Sequence[OpenApiParameter]) -> list[str]:
    """The names that an operation takes in its address: those of its description, of its filters and of its paging.

    `view.takes_name` accepts others, whose names nobody can list; `view.name_pattern` describes these.
    """
    names = ["format", *(one.name for one in documented)]
    if paginator := getattr(view, "paginator", None):
        names += [parameter["name"] for parameter in paginator.get_schema_operation_parameters(view)]
    filterset_class = getattr(view, "filterset_class", None)
    names += filter_names(filterset_class) if filterset_class else (getattr(view, "filterset_fields", ()) or ())
    return list(dict.fromkeys(names))


def many_of(view: APIView, documented: Sequence[OpenApiParameter]) -> set[str]:
    """Those of `parameters_of` that take several values; `view.joined` are read as one list, however often written."""
    filterset_class = getattr(view, "filterset_class", None)
    own = many_names(filterset_class) if filterset_class else ()
    return {*(one.name for one in documented if one.many), *own, *getattr(view, "joined", ())}


def _documented(view: APIView, request: Request) -> list[OpenApiParameter]:
    """The parameters of the address that the description of an operation names."""
    operation = getattr(view, getattr(view, "action", None) or request.method.lower(), None)
    schema_class = getattr(operation, "kwargs", {}).get("schema")
    if not schema_class:
        return []
    schema = schema_class()
    schema.view, schema.method = view, request.method
    documented = schema.get_override_parameters()
    return [one for one in documented if getattr(one, "location", "") == OpenApiParameter.QUERY]


def _takes_nothing(name: str) -> bool:
    return False


class VisibleRows:
    # No docstring: the description of the API would show it for every endpoint.
    # Somebody else's object is 404, because the rows are only those that the person may see.
    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()  # type: ignore[misc]
        # The description of the API is made without a person.
        return rows if getattr(self, "swagger_fake_view", False) else rows.visible_to(self.request.user)  # type: ignore[attr-defined]


def too_many_rows() -> ValidationError:
    return ValidationError({"detail": f"The list has more than {MOST_ROWS:,} rows: filter it, or ask page by page."})


def page_size_of(request: Request, usual: int, most: int) -> int:
    """How many rows of a list were asked for; raises ValidationError for what is no number of rows up to `most`."""
    text = request.query_params.get("page_size", "")
    if text and not (text.isascii() and text.isdecimal() and 1 <= int(text[:12]) <= most):
        raise ValidationError({"detail": f"page_size: {text[:80]!r} is no number of rows: use 1 to {most}."})
    return int(text) if text else usual


class Pages(PageNumberPagination):
    """Numbered pages; a CSV without a page in its address has every row, or is refused where they are too many."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_page_size(self, request: Request) -> int | None:
        return MOST_ROWS if wants_every_row(request) else page_size_of(request, self.page_size, self.max_page_size)

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: APIView | None = None) -> list[Any] | None:
        rows = super().paginate_queryset(queryset, request, view)
        if wants_every_row(request) and self.page.has_next():
            raise too_many_rows()
        return rows


class KeysetPages(BasePagination):
    """Pages of a long list by cursor, in the order of `view.keyset`: page 1000 costs what page 1 costs."""

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: APIView | None = None) -> list[Any]:
        self.request = request
        cursors = {name: request.query_params.get(name) for name in ("after", "before")}
        every = wants_every_row(request)
        size = MOST_ROWS if every else page_size_of(request, self.page_size, self.max_page_size)
        try:
            self.page = keyset_page(queryset, view.keyset, size=size, **cursors)  # type: ignore[union-attr]
        except BadCursor as error:
            raise ValidationError({"detail": f"{error}: follow the links `next` and `previous`"}) from None
        if every and self.page.has_next:
            raise too_many_rows()
        return self.page.rows

    def get_paginated_response(self, data: list[dict[str, Any]]) -> Response:
        links = {"next": self._link("after"), "previous": self._link("before")}
        return Response({**links, "results": data})

    def _link(self, name: str) -> str | None:
        cursor = getattr(self.page, name)
        if cursor is None:
            return None
        other = "before" if name == "after" else "after"
        return replace_query_param(remove_query_param(self.request.build_absolute_uri(), other), name, cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        cursors = {"after": "The cursor of `next`.", "before": "The cursor of `previous`."}
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return [
            {"name": "page_size", "in": "query", "required": False, "schema": size},
            *(
                {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
                for name, text in cursors.items()
            ),
        ]


class ExactDecimalField(serializers.DecimalField):
    """A decimal as text with all its digits, no exponent and no zeros at the end."""

    def to_representation(self, value: Decimal | str | int) -> str | None:
        return exact_text(value if isinstance(value, Decimal) else Decimal(value))


class FiniteFloatField(serializers.FloatField):
    """A number of a program; what is none (``NaN``) or has no end (``Infinity``) passes no bound, and is refused."""

    def to_internal_value(self, data: Any) -> float:
        value = float(super().to_internal_value(data))
        if not isfinite(value):
            self.fail("invalid")
        return value


class MonthTextField(serializers.CharField):
    """A month, from any of its days, as ``2025-11``."""

    def to_representation(self, value: date) -> str:
        return str(Month.of(value))


class ExactModelSerializer(serializers.ModelSerializer):
    """A model serializer that never loses a digit."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DecimalField: ExactDecimalField,
    }


class Problem(serializers.Serializer):
    detail = serializers.CharField(help_text="what went wrong, for a person")


class BadRequest(serializers.Serializer):
    """A `detail` about the whole request, or a list of complaints for each parameter or field that is wrong."""

    detail = serializers.CharField(required=False)
