"""Lists of the API whose answer says what the bills know of the days that its rows are about."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from costs.query.known_until import KnownDays
from finops_site.api.base import KeysetPages, Pages


class _SaysKnown:
    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        answer = super().get_paginated_response_schema(schema)  # type: ignore[misc]
        known = {"type": "object", "additionalProperties": {}, "description": "what the rows lack, as in `spend/`"}
        return {**answer, "properties": {**answer["properties"], "known": known}}


class KnownPages(_SaysKnown, Pages):
    """Numbered pages with `known`."""


class KnownKeysetPages(_SaysKnown, KeysetPages):
    """Pages by cursor with `known`."""


class MatchedKeysetPages(KnownKeysetPages):
    """Pages by cursor with `known` and `unmatched`."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        answer = super().get_paginated_response_schema(schema)
        about = "values of the filters that nothing here has, in sentences"
        sentences = {"type": "array", "items": {"type": "string"}, "description": about}
        return {**answer, "properties": {**answer["properties"], "unmatched": sentences}}


class KnownList:
    # No docstring: the description of the API would show it for every endpoint.
    # Together with one of the paginations above.
    request: Request

    def known(self) -> KnownDays:
        raise NotImplementedError

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().list(request, *args, **kwargs)  # type: ignore[misc]
        response.data["known"] = self.known().as_json()
        return response
