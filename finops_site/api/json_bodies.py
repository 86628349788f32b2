"""Bodies of JSON: what nobody can read or store is refused (400) before a serializer sees it."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

# Nothing here nests more than a few levels.
DEEPEST = 40


class JsonBodies(JSONParser):
    # No docstring: the description of the API would show it.
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise _too_deep() from None
        _check(data)
        return data


def _check(data: Any) -> None:
    """Raises ParseError for what is nested too deeply, and for texts that no database stores."""
    level = [data]
    for _depth in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value, *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                _check_text(value)
        if not below:
            return
        level = below
    raise _too_deep()


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParseError("A text has a character in it that is none of a text (NUL).")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ParseError("A text has half a character in it (a lone surrogate).")


def _too_deep() -> ParseError:
    return ParseError(f"The body is nested too deeply: {DEEPEST} levels at most.")
