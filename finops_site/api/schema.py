"""How the API describes itself."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from finops_site.api.base import BadRequest, Problem

DESCRIPTIONS = {
    "400": "A parameter or field is wrong: `detail`, or a list of complaints under its name.",
    "401": "Nobody is signed in and there is no valid token.",
    "403": "Your role may not do this.",
    "404": "There is no such thing, or it is not yours to see.",
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

    def error_codes(self) -> list[str]:
        parameters = {parameter["name"]: parameter["in"] for parameter in self._get_parameters()}
        takes_body = self.method in ("POST", "PUT", "PATCH") and bool(self._get_request_body())
        bad_request = ["400"] if takes_body or "query" in parameters.values() else []
        missing = ["404"] if "{" in self.path or "page" in parameters else []
        return [*bad_request, "401", "403", *missing, *(["415"] if takes_body else [])]
