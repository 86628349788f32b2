"""Each month's partition of the cost lines becomes a list of tables: one that is shared, one for each big delivery."""

from django.db import migrations, models

TABLE = "costs_costline"
MONTHS = f"""
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = '{TABLE}'::regclass ORDER BY 1
"""
LIKE = f"(LIKE {TABLE} INCLUDING DEFAULTS INCLUDING STORAGE)"


def partition_by_table(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        # A key of the partitions would have to name the table too; nothing refers to it, and a search needs the id alone.
        cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_pkey")
        cursor.execute(f"CREATE INDEX costline_by_id ON {TABLE} (id)")
        for name, bounds in _months(cursor):
            cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_shared")
            cursor.execute(f"CREATE TABLE {name} {LIKE} PARTITION BY LIST (own_table)")
            cursor.execute(f"ALTER TABLE {name} ATTACH PARTITION {name}_shared FOR VALUES IN (0)")
            cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} {bounds}")


def partition_by_month_alone(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for name, bounds in _months(cursor):
            cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_before")
            cursor.execute(f"CREATE TABLE {name} {LIKE}")
            cursor.execute(f"INSERT INTO {name} SELECT * FROM {name}_before")
            cursor.execute(f"DROP TABLE {name}_before")
            cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} {bounds}")
        cursor.execute("DROP INDEX costline_by_id")
        cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id, charge_date)")


def _months(cursor):
    cursor.execute(MONTHS)
    return cursor.fetchall()


class Migration(migrations.Migration):
    dependencies = [("costs", "0023_streams")]

    operations = [
        migrations.AddField(
            model_name="costline",
            name="own_table",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="the delivery month whose own table holds the line; 0: the shared table",
            ),
        ),
        migrations.RunPython(partition_by_table, partition_by_month_alone),
    ]
