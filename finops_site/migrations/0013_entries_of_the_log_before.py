"""The entries that django-auditlog kept move into the audit log; their table stays for copies that still run.

Nothing reads it any more, so that its references to people and kinds of rows may not stand in the way of deleting them.
A later release drops it.
"""

from django.db import migrations

TABLE = "auditlog_logentry"
COPY = """
INSERT INTO finops_site_auditentry
    (at, action, model, object_pk, name, changes, actor_id, who, door, through, address, request)
SELECT l."timestamp", CASE l.action WHEN 0 THEN 'insert' WHEN 2 THEN 'delete' ELSE 'update' END,
    t.app_label || '.' || t.model, left(l.object_pk, 64), left(l.object_repr, 300), coalesce(l.changes, '{}'),
    l.actor_id, coalesce(l.actor_email, u.email, ''), CASE WHEN l.actor_id IS NULL THEN 'command' ELSE 'page' END,
    'django-auditlog', l.remote_addr, left(coalesce(l.cid, ''), 64)
FROM auditlog_logentry l JOIN django_content_type t ON t.id = l.content_type_id
LEFT JOIN finops_site_user u ON u.id = l.actor_id
WHERE l.action < 3 ORDER BY l.id
"""
REFERENCES = """
SELECT c.conname, a.attname, c.confrelid::regclass::text FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.conrelid = 'auditlog_logentry'::regclass AND c.contype = 'f'
"""
ON_DELETE = {"actor_id": "SET NULL", "content_type_id": "CASCADE"}


def is_there(cursor):
    cursor.execute("SELECT to_regclass(%s)", [TABLE])
    return cursor.fetchone()[0] is not None


def refer(cursor, on_delete):
    cursor.execute(REFERENCES)
    for name, column, table in cursor.fetchall():
        then = f"ON DELETE {on_delete[column]}" if column in on_delete else ""
        cursor.execute(
            f'ALTER TABLE {TABLE} DROP CONSTRAINT "{name}", ADD CONSTRAINT "{name}" FOREIGN KEY ({column}) '
            f"REFERENCES {table} (id) {then} DEFERRABLE INITIALLY DEFERRED"
        )


def copy_entries(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if is_there(cursor):
            cursor.execute(COPY)
            refer(cursor, ON_DELETE)


def forget_entries(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET LOCAL finops.audit_upkeep = 'clear'")
        cursor.execute("DELETE FROM finops_site_auditentry WHERE through = 'django-auditlog'")
        if is_there(cursor):
            refer(cursor, {})


class Migration(migrations.Migration):
    dependencies = [("contenttypes", "0002_remove_content_type_name"), ("finops_site", "0012_audit_log")]

    operations = [migrations.RunPython(copy_entries, forget_entries)]
