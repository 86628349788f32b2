"""The API as tools for a person's assistant: what she may read, and what she may propose; nothing else.

The tools are made of the API's own description, and a tool is a request to the API with her token: it shows what she
sees and refuses what she may not do.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from finops_site.api.base import NAME_PATTERN, PROPOSES
from finops_site.models import ApiToken
from finops_site.people.tokens import token_of_key

MOST_CHARACTERS = 200_000
# A token is a person's own business, and a format is no question.
LEFT_OUT = ("/api/v1/me/token/", "/api/v1/me/tokens/", "/api/v1/me/tokens/{id}/")
NO_PARAMETERS = ("format",)
FILTER_VALUES = {
    "type": ["string", "array"],
    "items": {"type": "string"},
    "description": "a filter by a tag, like tag:Team, or with an operator, like service__not: any of the values",
}
INSTRUCTIONS = (
    "FinOps: what the company spends on cloud services. Amounts are exact decimal text beside their currency; those of "
    "different currencies are never added. `known` in an answer says which days no bill has brought yet: these are "
    "unknown, not zero, and belong into what you answer. Billed and effective cost are two views of the same charges. "
    "Sums are asked for by spend_retrieve, which groups and filters; page through lists only where rows are needed."
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API as a tool: `schema` describes its arguments, a body among them as `body`."""

    name: str
    method: str
    path: str
    description: str
    schema: Mapping[str, Any]

    @property
    def only_reads(self) -> bool:
        return self.method == "GET"

    def address(self, arguments: Mapping[str, Any]) -> str:
        """The path with its parameters and the query. Raises BadArguments for one that it does not have."""
        known = self.schema["properties"]
        patterns = self.schema.get("patternProperties", {})
        others = (name for name in set(arguments) - set(known) if not any(re.search(one, name) for one in patterns))
        if unknown := sorted(others):
            raise BadArguments(f"{', '.join(unknown)} is no argument: use {', '.join(known) or 'none'}.")
        if missing := [name for name in self.schema["required"] if arguments.get(name) in (None, "")]:
            raise BadArguments(f"{', '.join(missing)} is missing.")
        path = re.sub(r"{(\w+)}", lambda match: quote(str(arguments[match[1]]), safe=""), self.path)
        inside = re.findall(r"{(\w+)}", self.path)
        query = {
            name: [_text(part) for part in value] if isinstance(value, list) else _text(value)
            for name, value in arguments.items()
            if name not in (*inside, "body") and value is not None
        }
        return f"{path}?{urlencode(query, doseq=True)}" if query else path


class BadArguments(ValueError):
    """Arguments that a tool does not take; the message says which it does."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the API answered; an error is the assistant's to read too."""

    text: str
    is_error: bool


def valid_token(token: str) -> ApiToken | None:
    """The token as it is stored, with its owner; None for one that is not valid."""
    row = token_of_key(token)
    return None if row is None or row.has_ended(timezone.now()) else row


def tools_of(token: str) -> list[Operation]:
    """What the owner of the token may read and propose; nothing for one that is not valid."""
    row = valid_token(token)
    if row is None:
        return []
    request = Request(HttpRequest())
    request.user, request.auth = row.user, row
    operations = _operations(SchemaGenerator().get_schema(request=request, public=False))
    return [one for one in operations if one.only_reads or row.scope == ApiToken.Scope.WRITE]


def call_tool(token: str, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
    """Asks the API as the owner of the token."""
    operation = _every_operation().get(name)
    if operation is None:
        return ToolAnswer(f"There is no tool {name}.", is_error=True)
    try:
        address = operation.address(arguments)
    except BadArguments as error:
        return ToolAnswer(str(error), is_error=True)
    factory = RequestFactory(HTTP_HOST=urlsplit(settings.SITE_URL).netloc, HTTP_AUTHORIZATION=f"Token {token}")
    body = json.dumps(arguments.get("body") or {}) if operation.method == "POST" else ""
    request = factory.generic(
        operation.method, address, body, content_type="application/json", secure=settings.SECURE_SSL_REDIRECT
    )
    response = _handler().get_response(request)
    text = b"".join(response).decode()
    if len(text) > MOST_CHARACTERS:
        reason = f"The answer has {len(text):,} characters: filter it, group it, or ask for fewer rows by page_size."
        return ToolAnswer(reason, is_error=True)
    return ToolAnswer(text, is_error=response.status_code >= 400)


@cache
def _handler() -> BaseHandler:
    """All of the site's middleware, so that the audit log knows who."""
    handler = BaseHandler()
    handler.load_middleware()
    return handler


@cache
def _every_operation() -> dict[str, Operation]:
    described = SchemaGenerator().get_schema(request=None, public=True)
    return {operation.name: operation for operation in _operations(described)}


def _operations(described: Mapping[str, Any]) -> list[Operation]:
    components = described.get("components", {}).get("schemas", {})
    return [
        _operation(path, method, details, components)
        for path, verbs in described["paths"].items()
        for method, details in verbs.items()
        if path not in LEFT_OUT and (method == "get" or details.get(PROPOSES)) and _answers_json(details)
    ]


def _answers_json(details: Mapping[str, Any]) -> bool:
    good = [answer for code, answer in details["responses"].items() if code.startswith("2")]
    return any("application/json" in answer.get("content", {}) for answer in good)


def _operation(path: str, method: str, details: Mapping[str, Any], components: Mapping[str, Any]) -> Operation:
    properties: dict[str, Any] = {}
    required = []
    for parameter in details.get("parameters", ()):
        if parameter["name"] in NO_PARAMETERS or parameter["in"] not in ("path", "query"):
            continue
        about = {"description": parameter["description"]} if parameter.get("description") else {}
        properties[parameter["name"]] = {**_plain_schema(parameter["schema"], components), **about}
        if parameter.get("required"):
            required.append(parameter["name"])
    body = details.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        properties["body"] = _plain_schema(body["schema"], components)
        required.append("body")
    parts = [details.get("summary", ""), details.get("description", "")]
    if method != "get":
        parts.insert(0, "Proposes, and changes nothing until another person has decided.")
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if pattern := details.get(NAME_PATTERN):
        schema["patternProperties"] = {pattern: FILTER_VALUES}
    description = "\n".join(filter(None, parts))
    return Operation(details["operationId"], method.upper(), path, description, schema)


def _plain_schema(part: Any, components: Mapping[str, Any]) -> Any:
    """A schema of OpenAPI as one of JSON: what it refers to stands in it, and what may be null says so by its type."""
    if isinstance(part, list):
        return [_plain_schema(entry, components) for entry in part]
    if not isinstance(part, Mapping):
        return part
    if "$ref" in part:
        return _plain_schema(components[part["$ref"].rpartition("/")[2]], components)
    plain = {
        key: {name: _plain_schema(entry, components) for name, entry in value.items()}
        if key == "properties"
        else _plain_schema(value, components)
        for key, value in part.items()
        if key not in ("nullable", "readOnly", "writeOnly")
    }
    if part.get("nullable") and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    return plain


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
