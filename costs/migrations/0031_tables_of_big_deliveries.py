"""Each month's partition of the cost lines becomes a list of tables: one that is shared, one for each big delivery.

Resources get sums of their own, and days know their region.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLE = "costs_costline"
MONTHS = f"""
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = '{TABLE}'::regclass ORDER BY 1
"""
LIKE = f"(LIKE {TABLE} INCLUDING DEFAULTS INCLUDING STORAGE)"

SUMMED = "billed_cost, effective_cost, list_cost, contracted_cost, charges"
SUMS = "sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost), sum(charges)"
BY_DAY = "billing_month, provider, billing_account, sub_account, service, charge_category, currency, owner_id, pool_id, region"
ROLLUPS = (
    ("costs_dayrollup", ("charge_date", "charge_date"), BY_DAY),
    (
        "costs_resourcerollup",
        ("charge_month", "date_trunc('month', charge_date)::date"),
        f"{BY_DAY}, service_category, resource, resource_name, tag_set_id, owner_rule",
    ),
)


def partition_by_table(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        # A key of the partitions would have to name the table too; nothing refers to it, and a search needs the id alone.
        cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {TABLE}_pkey")
        cursor.execute(f"CREATE INDEX costline_by_id ON {TABLE} (id)")
        for name, bounds in _months(cursor):
            cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_shared")
            cursor.execute(f"CREATE TABLE {name} {LIKE} PARTITION BY LIST (own_table)")
            cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} {bounds}")
            cursor.execute(f"ALTER TABLE {name} ATTACH PARTITION {name}_shared FOR VALUES IN (0)")


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


def sum_up(apps, schema_editor):
    """Sums by resource, and by day with the region, of every month that counts."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        for table, time, columns in ROLLUPS:
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(
                f"INSERT INTO {table} (delivery_month_id, {columns}, {time[0]}, {SUMMED}) "
                f"SELECT delivery_month_id, {columns}, {time[1]}, {SUMS} FROM {TABLE} "
                "WHERE delivery_month_id IN (SELECT id FROM costs_deliverymonth WHERE is_current) "
                f"GROUP BY delivery_month_id, {columns}, {time[1]}"
            )


class Migration(migrations.Migration):
    dependencies = [("costs", "0030_known_until")]

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
        # An index of the ids of resources would refuse a long one.
        migrations.RunSQL(
            f"CREATE INDEX costline_by_resource ON {TABLE} (md5(resource))", "DROP INDEX costline_by_resource"
        ),
        migrations.AddField("dayrollup", "region", models.CharField(blank=True, default="", max_length=200), False),
        migrations.CreateModel(
            name="ResourceRollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("billing_month", models.DateField(help_text="when it is invoiced", verbose_name="billing month")),
                ("provider", models.CharField(blank=True, max_length=200)),
                ("billing_account", models.CharField(blank=True, max_length=200)),
                ("sub_account", models.CharField(blank=True, max_length=200, verbose_name="account")),
                ("service", models.CharField(blank=True, max_length=300)),
                ("charge_category", models.CharField(blank=True, max_length=40, verbose_name="category")),
                ("currency", models.CharField(max_length=10)),
                (
                    "billed_cost",
                    models.DecimalField(
                        decimal_places=18,
                        help_text="on the invoice; null where a bill carries the amortised view alone",
                        max_digits=38,
                        null=True,
                    ),
                ),
                (
                    "effective_cost",
                    models.DecimalField(
                        decimal_places=18,
                        help_text="amortised over the term of what was bought",
                        max_digits=38,
                        null=True,
                    ),
                ),
                (
                    "list_cost",
                    models.DecimalField(
                        decimal_places=18, help_text="at public on-demand prices", max_digits=38, null=True
                    ),
                ),
                (
                    "contracted_cost",
                    models.DecimalField(
                        decimal_places=18,
                        help_text="at negotiated prices, before commitments",
                        max_digits=38,
                        null=True,
                    ),
                ),
                ("charges", models.BigIntegerField(help_text="how many rows of the bill it sums")),
                ("charge_month", models.DateField(help_text="first day of the month of use")),
                ("service_category", models.CharField(blank=True, max_length=200)),
                ("region", models.CharField(blank=True, max_length=200)),
                ("resource", models.CharField(blank=True, max_length=2000)),
                ("resource_name", models.CharField(blank=True, max_length=1000)),
                (
                    "owner_rule",
                    models.CharField(blank=True, help_text="which rule named the owner or the pool", max_length=200),
                ),
                (
                    "delivery_month",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="costs.deliverymonth",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="finops_site.team",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="costs.pool",
                    ),
                ),
                (
                    "tag_set",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="costs.tagset",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["charge_month", "owner"], name="resource_rollup_owner"),
                    models.Index(fields=["delivery_month"], name="resource_rollup_delivery"),
                ],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop),
    ]
