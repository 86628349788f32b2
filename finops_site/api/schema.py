"""How the API describes itself."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from finops_site.api.base import NAME_PATTERN, BadRequest, Problem

DESCRIPTIONS = {
    "400": "A parameter or field is wrong: `detail`, or a list of complaints under its name.",
    "401": "Nobody is signed in and there is no valid token.",
    "403": "Your role may not do this.",
    "404": "There is no such thing, or it is not yours to see, or not in that format.",
    "415": "The body is of a kind that is not read here.",
}


class Schema(AutoSchema):
    """The description of an operation, with the errors that it can answer."""

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)  # type: ignore[arg-type]
        for code in self.error_codes():
            body = self._get_response_for_code(BadRequest if code == "400" else Problem, code, direction=direction)
            bodies.setdefault(code, body | {"description": DESCRIPTIONS[code]})
        return dict(sorted(bodies.items()))

    def _get_response_for_code(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        body = super()._get_response_for_code(*args, **kwargs)
        if "text/csv" in body.get("content", {}):
            body["content"]["text/csv"] = {"schema": {"type": "string", "description": "the same rows, a line each"}}
        return body

    def get_extensions(self) -> dict[str, Any]:
        pattern = getattr(self.view, "name_pattern", "")
        # One row is no question.
        asks = pattern and self.method == "GET" and not getattr(self.view, "detail", False)
        return {**super().get_extensions(), **({NAME_PATTERN: pattern} if asks else {})}

    def error_codes(self) -> list[str]:
        parameters = {parameter["name"] for parameter in self._get_parameters()}
        takes_body = self.method in ("POST", "PUT", "PATCH") and bool(self._get_request_body())
        missing = ["404"] if "{" in self.path or {"page", "format"} & parameters else []
        # Any of them refuses a parameter that it does not know.
        return ["400", "401", "403", *missing, *(["415"] if takes_body else [])]
