"""An entry as a line of JSON, for the command, the stream and whoever reads them: the same fields everywhere."""

import json
from typing import Any

from finops_site.models import AuditEntry


def as_dict(entry: AuditEntry) -> dict[str, Any]:
    """An entry as plain values; `number` and `hash` are null until it is sealed."""
    return {
        "id": entry.pk,
        "number": entry.number,
        "at": entry.at.isoformat(),
        "action": entry.action,
        "model": entry.model,
        "object_pk": entry.object_pk,
        "name": entry.name,
        "changes": entry.changes,
        "actor": entry.actor_id,
        "who": entry.who,
        "door": entry.door,
        "through": entry.through,
        "address": entry.address,
        "request": entry.request,
        "digest": _hex(entry.digest),
        "hash": _hex(entry.hash),
    }


def as_line(entry: AuditEntry) -> str:
    return json.dumps(as_dict(entry), ensure_ascii=False, separators=(",", ":"))


def _hex(value: bytes | memoryview | None) -> str | None:
    return None if value is None else bytes(value).hex()
