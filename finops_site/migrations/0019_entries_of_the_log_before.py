"""The entries that django-auditlog kept move into the audit log; their table stays for copies that still run.

Nothing reads it any more, so that its references to people and kinds of rows must not stand in the way of deleting
them: they are dropped. A later release drops the table.
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
SELECT conname FROM pg_constraint WHERE conrelid = 'auditlog_logentry'::regclass AND contype = 'f'
"""
REFER_AGAIN = """
UPDATE auditlog_logentry SET actor_id = NULL WHERE actor_id NOT IN (SELECT id FROM finops_site_user);
DELETE FROM auditlog_logentry WHERE content_type_id NOT IN (SELECT id FROM django_content_type);
ALTER TABLE auditlog_logentry
    ADD CONSTRAINT auditlog_logentry_actor_id_959271d2_fk_finops_site_user_id FOREIGN KEY (actor_id)
        REFERENCES finops_site_user (id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT auditlog_logentry_content_type_id_75830218_fk_django_co FOREIGN KEY (content_type_id)
        REFERENCES django_content_type (id) DEFERRABLE INITIALLY DEFERRED
"""


def is_there(cursor):
    cursor.execute("SELECT to_regclass(%s)", [TABLE])
    return cursor.fetchone()[0] is not None


def forget_references(cursor):
    cursor.execute(REFERENCES)
    for (name,) in cursor.fetchall():
        cursor.execute(f'ALTER TABLE {TABLE} DROP CONSTRAINT "{name}"')


def copy_entries(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        if is_there(cursor):
            cursor.execute(COPY)
            forget_references(cursor)


def forget_entries(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET LOCAL finops.audit_upkeep = 'clear'")
        cursor.execute("DELETE FROM finops_site_auditentry WHERE through = 'django-auditlog'")
        if is_there(cursor):
            cursor.execute(REFER_AGAIN)


class Migration(migrations.Migration):
    dependencies = [("contenttypes", "0002_remove_content_type_name"), ("finops_site", "0018_audit_log")]

    operations = [migrations.RunPython(copy_entries, forget_entries)]
