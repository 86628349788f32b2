"""What all API endpoints share: permissions, paging and exact amounts."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from finops_site.lib.money import exact_text
from finops_site.lib.periods import Month
from finops_site.ui.keyset import BadCursor, keyset_page


class HoldsPermission(BasePermission):
    """`view.permission_required` to read, `view.write_permission_required` to change; the rows are the queryset's."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        reads = request.method in SAFE_METHODS
        name = view.permission_required if reads else getattr(view, "write_permission_required", None)
        return bool(request.user and request.user.is_authenticated and (not name or request.user.has_perm(name)))


class VisibleRows:
    # No docstring: the description of the API would show it for every endpoint.
    # Somebody else's object is 404, because the rows are only those that the person may see.
    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()  # type: ignore[misc]
        # The description of the API is made without a person.
        return rows if getattr(self, "swagger_fake_view", False) else rows.visible_to(self.request.user)  # type: ignore[attr-defined]


class Pages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000


class KeysetPages(BasePagination):
    """Pages of a long list by cursor, in the order of `view.keyset`: page 1000 costs what page 1 costs."""

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: APIView | None = None) -> list[Any]:
        self.request = request
        cursors = {name: request.query_params.get(name) for name in ("after", "before")}
        wanted = request.query_params.get("page_size", "")
        size = min(int(wanted), self.max_page_size) if wanted.isdecimal() and int(wanted) else self.page_size
        try:
            self.page = keyset_page(queryset, view.keyset, size=size, **cursors)  # type: ignore[union-attr]
        except BadCursor as error:
            raise ValidationError({"detail": f"{error}: follow the links `next` and `previous`"}) from None
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
