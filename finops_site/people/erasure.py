"""Erasure of a person: a pseudonym that stays the same takes the place of her name and her address in every table.

Rows keep pointing at her account, which nobody can sign in with any more: who decided what stays one person, and is
nobody known. Every column of text of every table is looked at, those of packages too. What may not be rewritten is
counted and named: bills as delivered and what is computed from them (`as_delivered` of a pillar), rows that the
database keeps from being changed, documents that were made.
"""

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from finops_site.audit import upkeep
from finops_site.models import AuditEntry, OutgoingEmail, User
from finops_site.people.leaving import leave
from finops_site.people.roles import ADMINISTRATOR
from finops_site.pillars import as_delivered

TEXT = ("text", "character varying", "json", "jsonb", "bytea", "ARRAY")
# Of packages: what somebody signs in by goes with the account.
OF_THE_ACCOUNT = ("mfa.Authenticator", "account.EmailAddress", "socialaccount.SocialAccount")
# One letter, or one of a word: the end of an address or of a name is not the middle of another.
BEFORE_ADDRESS, AFTER_ADDRESS = r"(?<![\w.+-])", r"(?![\w-]|\.\w)"


class Outcome(StrEnum):
    REPLACED = "replaced"
    AS_DELIVERED = "as delivered"
    FROZEN = "frozen by the database"
    DOCUMENT = "documents"


class ErasureProblem(Exception):
    """Why nobody was erased, in one line."""


@dataclass(frozen=True, slots=True)
class Trace:
    """So many rows of a column name the person, and what becomes of them."""

    table: str
    column: str
    rows: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Column:
    table: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What is looked for, as regular expressions of PostgreSQL, and what is written instead."""

    address: str
    new_address: str
    name: str
    new_name: str
    is_one_word: bool


def pseudonym_of(user: User) -> str:
    """The same for one person whenever it is asked, and of no use for finding her without the site's secret."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"erased person {user.pk}".encode(), hashlib.sha256).hexdigest()
    return f"person-{digest[:10]}"


def find_traces(user: User) -> list[Trace]:
    """Where her address or her name is stored, and what `erase` would do with it; nothing is changed."""
    with transaction.atomic():
        traces = _go_through(user)
        transaction.set_rollback(True)
    return traces


def erase(user: User) -> list[Trace]:
    """Replaces her name and address, ends her account, and returns what was done. Raises ErasureProblem."""
    administrators = User.objects.in_role(ADMINISTRATOR)
    if list(administrators) == [user]:
        raise ErasureProblem(f"{user.email} is the only administrator: give somebody else that role first.")
    with transaction.atomic():
        return _go_through(user)


def _go_through(user: User) -> list[Trace]:
    patterns = _patterns_of(user)
    _end_account(user)
    columns = defaultdict(list)
    for column in _columns():
        columns[column.table].append(column)
    delivered = {apps.get_model(name)._meta.db_table for name in as_delivered()}
    # Last: that a name was replaced elsewhere is an entry with the name in it.
    of_the_log = columns.pop(AuditEntry._meta.db_table)
    traces = []
    for table, its_columns in sorted(columns.items()):
        for column, rows in _rows_with(its_columns, patterns):
            traces.append(Trace(table, column.name, rows, _treat(column, patterns, table in delivered)))
    with upkeep.rewriting(pseudonym_of(user)):
        upkeep.forget_addresses(user)
        for column, rows in _rows_with(of_the_log, patterns):
            traces.append(Trace(AuditEntry._meta.db_table, column.name, rows, _treat(column, patterns, False)))
    return traces


def _patterns_of(user: User) -> _Patterns:
    pseudonym = pseudonym_of(user)
    name = user.name.strip()
    return _Patterns(
        address=BEFORE_ADDRESS + re.escape(user.email) + AFTER_ADDRESS,
        new_address=f"{pseudonym}@erased.invalid",
        name=re.escape(name),
        new_name=pseudonym,
        is_one_word=" " not in name,
    )


def _end_account(user: User) -> None:
    leave(user)
    for label in OF_THE_ACCOUNT:
        apps.get_model(label)._default_manager.filter(user=user).delete()
    to_her = OutgoingEmail.objects.filter(to__iexact=user.email)
    to_her.filter(outcome=OutgoingEmail.Outcome.WAITING).update(
        outcome=OutgoingEmail.Outcome.CANCELLED, server_reply="The person was erased."
    )
    # The text of a mail to her is hers.
    to_her.update(content=b"", subject="")


def _columns() -> Iterator[_Column]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c "
            "JOIN pg_class t ON t.oid = to_regclass(quote_ident(c.table_name)) "
            "WHERE c.table_schema = current_schema() AND t.relkind IN ('r', 'p') AND NOT t.relispartition "
            "AND c.is_generated = 'NEVER' AND c.data_type = ANY(%s) AND (c.data_type <> 'ARRAY' OR c.udt_name IN "
            "('_text', '_varchar')) ORDER BY 1, 2",
            [list(TEXT)],
        )
        yield from (_Column(*row) for row in cursor.fetchall())


def _rows_with(columns: list[_Column], patterns: _Patterns) -> list[tuple[_Column, int]]:
    """The columns of one table that name her, each with its rows; one scan of the table."""
    tests = [_test(column, patterns) for column in columns]
    sums = ", ".join(f"count(*) FILTER (WHERE {text})" for text, _ in tests)
    with connection.cursor() as cursor:
        values = [value for _, values in tests for value in values]
        cursor.execute(f"SELECT {sums} FROM {_quoted(columns[0].table)}", values)
        counts = cursor.fetchone()
    return [(column, count) for column, count in zip(columns, counts, strict=True) if count]


def _test(column: _Column, patterns: _Patterns) -> tuple[str, list[str]]:
    name = _quoted(column.name)
    if column.kind == "bytea":
        text = f"encode({name}, 'escape')"
        return f"{text} ILIKE %s", [f"%{_address(patterns)}%"]
    text = f"{name}::text"
    if not patterns.name:
        return f"{text} ~* %s", [patterns.address]
    return f"({text} ~* %s OR {text} ~ %s)", [patterns.address, _name_pattern(column, patterns)]


def _address(patterns: _Patterns) -> str:
    plain = patterns.address.removeprefix(BEFORE_ADDRESS).removesuffix(AFTER_ADDRESS)
    return re.sub(r"\\(.)", r"\1", plain).replace("%", r"\%").replace("_", r"\_")


def _name_pattern(column: _Column, patterns: _Patterns) -> str:
    """A whole name anywhere; a name of one word, which may be any word, only where it is the whole value."""
    name = patterns.name
    if column.kind in ("json", "jsonb"):
        name = re.escape(json.dumps(re.sub(r"\\(.)", r"\1", name), ensure_ascii=False)[1:-1])
        return f'"{name}"' if patterns.is_one_word else rf"(?<!\w){name}(?!\w)"
    return f"^{name}$" if patterns.is_one_word else rf"(?<!\w){name}(?!\w)"


def _treat(column: _Column, patterns: _Patterns, is_delivered: bool) -> Outcome:
    if is_delivered:
        return Outcome.AS_DELIVERED
    if column.kind == "bytea":
        return Outcome.DOCUMENT
    name, in_json = _quoted(column.name), column.kind in ("json", "jsonb")
    new_name = f'"{patterns.new_name}"' if in_json and patterns.is_one_word else patterns.new_name
    text = f"regexp_replace({name}::text, %s, %s, 'gi')"
    values = [patterns.address, patterns.new_address]
    if patterns.name:
        text = f"regexp_replace({text}, %s, %s, 'g')"
        values += [_name_pattern(column, patterns), new_name]
    cast = {"json": "::json", "jsonb": "::jsonb", "ARRAY": "::text[]"}.get(column.kind, "")
    where, tested = _test(column, patterns)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            sql = f"UPDATE {_quoted(column.table)} SET {name} = ({text}){cast} WHERE {where}"
            cursor.execute(sql, [*values, *tested])
    except DatabaseError:
        # A trigger keeps it: a decision that was recorded, an entry of the log.
        return Outcome.FROZEN
    return Outcome.REPLACED


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
