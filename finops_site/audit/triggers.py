"""The triggers of the audited tables: set after every migrate, as the apps declare them, and no others.

They are compared with what the database has, so that a migrate which changes nothing takes no lock.
"""

from collections.abc import Iterable
from typing import Any

from django.db import connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from finops_site.audit.declared import audited_models
from finops_site.pillars import AuditRule

PREFIX = "finops_audit_"
TABLES = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
    "truncate": "",
}
# In the comment of a trigger: what it was made of.
EXISTING = """
SELECT c.relname, t.tgname, obj_description(t.oid, 'pg_trigger')
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.proname = 'finops_audit_rows' AND c.relnamespace = current_schema()::regnamespace
"""


def sync_triggers(using: str = "default", **_: Any) -> None:
    """Makes the database have the triggers that are declared; nothing where the audit log is not migrated yet."""
    database = connections[using]
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regproc('finops_audit_rows'), to_regclass('finops_site_auditentry')")
        if None in cursor.fetchone():
            return
        cursor.execute(EXISTING)
        existing = {(table, name): comment for table, name, comment in cursor.fetchall()}
        wanted = _wanted(set(database.introspection.table_names(cursor)))
        _drop(cursor, existing.keys() - wanted.keys())
        for (table, name), definition in wanted.items():
            if existing.get((table, name)) != definition:
                _create(cursor, table, name, definition)


def _wanted(tables: set[str]) -> dict[tuple[str, str], str]:
    """{(table, name of a trigger): how it is made}, of the tables that are there."""
    return {
        (model._meta.db_table, f"{PREFIX}{verb}"): _definition(verb, model, audited)
        for model, audited in audited_models().items()
        if model._meta.db_table in tables
        for verb in _verbs(audited)
    }


def _verbs(audited: AuditRule) -> list[str]:
    return [verb for verb in TABLES if verb != "insert" or not audited.made_by_machines]


def _definition(verb: str, model: type[Model], audited: AuditRule) -> str:
    texts: tuple[str, ...] = (
        model._meta.label_lower,
        audited.identity,
        audited.name,
        _array(audited.left_out),
        _array(audited.secret),
    )
    texts += ("summed up",) if audited.summed_up else ("",)
    arguments = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    after = f'AFTER {verb.upper()} ON "{model._meta.db_table}" {TABLES[verb]}'.strip()
    return f"{after} FOR EACH STATEMENT EXECUTE FUNCTION finops_audit_rows({arguments})"


def _array(columns: Iterable[str]) -> str:
    return "{" + ",".join(columns) + "}"


def _create(cursor: CursorWrapper, table: str, name: str, definition: str) -> None:
    comment = definition.replace("'", "''")
    cursor.execute(
        f"CREATE OR REPLACE TRIGGER {name} {definition}; COMMENT ON TRIGGER {name} ON \"{table}\" IS '{comment}'"
    )


def _drop(cursor: CursorWrapper, triggers: Iterable[tuple[str, str]]) -> None:
    for table, name in triggers:
        cursor.execute(f'DROP TRIGGER {name} ON "{table}"')


def tables_without_trigger() -> list[str]:
    """AuditRule tables that lack a trigger, or whose trigger somebody has disabled: the nightly check asks."""
    with connection.cursor() as cursor:
        cursor.execute(f"{EXISTING} AND t.tgenabled = 'O'")
        existing = {(table, name): comment for table, name, comment in cursor.fetchall()}
        wanted = _wanted(set(connection.introspection.table_names(cursor)))
    return sorted({table for (table, name), how in wanted.items() if existing.get((table, name)) != how})
