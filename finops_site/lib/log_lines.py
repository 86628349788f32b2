"""Log lines for programs: one JSON object each, with the request and the task they belong to, and nobody's secrets.

What a person typed, who she is and what opens a door never stand in a line: addresses of e-mail, tokens, passwords in
addresses, signed links are crossed out, in messages and in tracebacks alike. People are named by their number. Pure.
"""

import json
import logging
import re
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")
task_name: ContextVar[str] = ContextVar("task_name", default="")

# An id that somebody else made is taken over only in this shape: it goes into lines and headers.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
LONGEST_TEXT = 8_000
CROSSED_OUT = "[…]"
NAMES = (
    r"password|passwd|secret|token|api_?key|private_?key|credential|session_?id|csrf\w*|signature|authorization|cookie"
)
SECRET_NAME = re.compile(NAMES, re.I)
SECRETS = [
    # scheme://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s:@]*:[^/\s@]*@", re.I), rf"\1{CROSSED_OUT}@"),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), CROSSED_OUT),
    (re.compile(r"\b(Bearer|Token|Basic)\s+[\w.~+/=-]{8,}", re.I), rf"\1 {CROSSED_OUT}"),
    # name=value, "name": "value" of what is secret by its name
    (
        re.compile(
            rf"(\b\w*(?:{NAMES})\w*"
            r"[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}\]]+)",
            re.I,
        ),
        rf"\1{CROSSED_OUT}",
    ),
    # Django's signed values, and what a token of ours looks like
    (re.compile(r"[\w-]{6,}:[\w-]{4,}:[\w-]{20,}"), CROSSED_OUT),
    (re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-zA-Z])"), CROSSED_OUT),
    (re.compile(r"\bAKIA[0-9A-Z]{16}\b"), CROSSED_OUT),
]
# What a logger may add to a line by `extra`, beside the message.
FIELDS = ("method", "view", "status", "milliseconds", "person", "bytes", "outcome", "queue")


def new_request_id(given: str = "") -> str:
    """The id that came with a request, where it is one; else a new one."""
    return given if REQUEST_ID.match(given) else uuid.uuid4().hex


def scrub(text: str) -> str:
    """The text without what must not be in a log."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """Writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage())[:LONGEST_TEXT],
            "request_id": request_id.get(),
            "task_id": task_id.get(),
            "task": task_name.get(),
            "process": record.process,
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = scrub(self.formatException(record.exc_info))[-LONGEST_TEXT:]
        return json.dumps(
            {name: value for name, value in line.items() if value not in ("", None)}, ensure_ascii=False, default=str
        )
