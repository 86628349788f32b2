"""What a link in a mail holds: a few parts, signed by this site, for whoever the mail was written to."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core import signing

# No row has a greater number.
LAST_ID = 2**63 - 1


def signed_parts(token: str, salt: str, good_for: timedelta, kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """The parts of a token, and None for who reads it where it says nothing of her; each part is of its kind.

    None for a token that is forged, damaged, too old, signed for something else, or of another shape: a version of
    before, or one to come, may have signed others.
    """
    try:
        parts = signing.loads(token, salt=salt, max_age=good_for)
    except (signing.BadSignature, ValueError, TypeError, RecursionError):
        return None
    if not isinstance(parts, list) or len(parts) not in (len(kinds), len(kinds) + 1):
        return None
    *known, reader = [*parts, None] if len(parts) == len(kinds) else parts
    is_right = all(_is_of(part, kind) for part, kind in zip(known, kinds, strict=True))
    return (*known, reader) if is_right and (reader is None or _is_of(reader, int)) else None


def _is_of(part: Any, kind: type) -> bool:
    if kind is int:
        return type(part) is int and 0 <= part <= LAST_ID
    return kind is str and isinstance(part, str) and "\0" not in part
