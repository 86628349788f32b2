"""Who acts, through which door and from where: told to the database with every statement that writes.

The triggers read it from the setting `finops.audit` of their transaction. It goes in front of the statement itself, in
the same round trip: so it holds without a transaction of ours, after the rollback of a savepoint, and behind a pool
that hands a connection to somebody else between two transactions. What writes without it (psql, COPY) is there under
the name of the database's user.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest

SETTING = "finops.audit"
# As long as the columns of the log.
LONGEST_NAME, LONGEST_THROUGH, LONGEST_REQUEST = 254, 300, 64
WRITES = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(INSERT|UPDATE|DELETE|MERGE|WITH|TRUNCATE|CALL|DO)\b", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `person` (a user; None for the system), by a door such as "page" or "task", `through` its own name.

    Of a request the person is asked for when something is written: she may sign in, or show a token, meanwhile.
    """

    door: str
    through: str = ""
    person: Any = None
    address: str | None = None
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    request: HttpRequest | None = None

    def facts(self) -> dict[str, Any]:
        """The same as the log's columns, without what is empty."""
        door, through, person = self.door, self.through, self.person
        if self.request is not None:
            person = _person_of(self)
            through = through or self.request.path
            if token := token_name(getattr(self.request, "auth", None)):
                through = f"{through} ({token})"
        known = person if getattr(person, "pk", None) else None
        facts = {
            "door": door,
            "through": through[:LONGEST_THROUGH],
            "actor": known.pk if known else None,
            "who": (known.email if known else "")[:LONGEST_NAME],
            "address": self.address,
            "request": self.request_id[:LONGEST_REQUEST],
        }
        return {name: value for name, value in facts.items() if value not in (None, "")}


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def as_acting(door: str, through: str = "", **facts: Any) -> Iterator[Actor]:
    """What is written meanwhile is written by this one; who, whence and of which request is as before, unless named."""
    before = _acting.get()
    if before is None:
        now = Actor(door, through, **facts)
    else:
        inherited = {"door": door, "through": through, "person": _person_of(before), "request": None}
        now = replace(before, **{**inherited, **facts})
    mark = _acting.set(now)
    try:
        yield now
    finally:
        _acting.reset(mark)


@contextmanager
def as_person(person: Any) -> Iterator[Actor]:
    """What is written meanwhile is hers: for doors that are no request, as the tools of an assistant."""
    before = _acting.get()
    with as_acting(before.door if before else "command", before.through if before else "", person=person) as now:
        yield now


def _person_of(acting: Actor) -> Any:
    user = getattr(acting.request, "user", None) if acting.request is not None else None
    return user if getattr(user, "pk", None) else acting.person


def token_name(token: Any) -> str:
    """A token by its name, or by its first letters: never whole."""
    if token is None or not getattr(token, "pk", None):
        return ""
    return f"token {getattr(token, 'name', '') or str(token.pk)[:6] + '…'}"


def address_of(request: HttpRequest) -> str | None:
    """The address a request came from, for the log, for limits and for what is locked out; None for what is none.

    Of `X-Forwarded-For` only what our own proxies wrote counts (FINOPS_TRUSTED_PROXIES, from the right): what stands
    before it anybody can send, to be somebody else in the log or to be counted anew by every limit.
    """
    proxies, named = settings.FINOPS_TRUSTED_PROXIES, request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    by_proxy = named[-proxies] if 0 < proxies <= len(named) else ""
    return _as_address(by_proxy) or _as_address(str(request.META.get("REMOTE_ADDR", "")))


def _as_address(text: str) -> str | None:
    """The address that a proxy or a server names, without its port; None where it is none."""
    given = text.strip()
    if "." in given and given.count(":") == 1:
        given = given.partition(":")[0]
    elif given.startswith("["):
        given = given[1:].partition("]")[0]
    try:
        address = ip_address(given)
    except ValueError:
        return None
    # A zone belongs to a machine, and no column of addresses takes it.
    return None if "%" in given else str(address)


def current_facts() -> dict[str, Any]:
    """Who acts, as columns of the log."""
    now = _acting.get()
    return now.facts() if now else {}


def tell_database(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
    """Puts who acts in front of a statement that writes; a wrapper of Django's `execute`."""
    now = _acting.get()
    # Inside of a transaction somebody else may have acted before: nobody is told as well.
    is_told = now is not None or context["connection"].in_atomic_block
    if not is_told or not isinstance(sql, str) or not WRITES.match(sql):
        return execute(sql, params, many, context)
    facts = json.dumps(now.facts()) if now else ""
    if many:
        # Several statements in one are none to be repeated: they share a transaction, and it is told once.
        with transaction.atomic(using=context["connection"].alias):
            execute(f"SELECT set_config('{SETTING}', %s, true)", [facts], False, context)
            return execute(sql, params, many, context)
    quoted = facts.replace("'", "''")
    if params is not None:
        quoted = quoted.replace("%", "%%")
    answer = execute(f"SELECT set_config('{SETTING}', '{quoted}', true); {sql}", params, many, context)
    # The answer of the first statement lies in front of that of the one that was asked.
    while context["cursor"].nextset():
        pass
    return answer


def tell_every_statement(connection: BaseDatabaseWrapper, **_: object) -> None:
    """For each new connection, of whichever thread."""
    if tell_database not in connection.execute_wrappers:
        connection.execute_wrappers.append(tell_database)
