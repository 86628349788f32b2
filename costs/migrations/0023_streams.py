"""What brings bills, what each version of a month covers, and which of two versions counts.

Every month that is here belongs to the stream of loose files of its source: what is fetched next from a layout covers
the same accounts and days, and so replaces it.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

STREAMS = """
    INSERT INTO costs_stream (source_id, export, view, partition, created_at)
    SELECT d.source_id, '', m.view, '', min(d.received_at)
    FROM costs_deliverymonth m JOIN costs_delivery d ON d.id = m.delivery_id GROUP BY 1, 3;

    UPDATE costs_deliverymonth m SET stream_id = s.id
    FROM costs_delivery d, costs_stream s
    WHERE d.id = m.delivery_id AND s.source_id = d.source_id AND s.view = m.view;

    -- In a source that adds, every delivery was a part of its own.
    UPDATE costs_delivery d SET part = 'delivery ' || d.id
    FROM costs_source s WHERE s.id = d.source_id AND s.delivery_mode = 'append';

    UPDATE costs_delivery SET order_at = received_at;
"""

ACCOUNTS = """
    INSERT INTO costs_deliveredaccount
        (delivery_month_id, billing_account, sub_account, first_day, last_day, charges)
    SELECT delivery_month_id, billing_account, sub_account, min(charge_date), max(charge_date), sum(r.charges)
    FROM costs_dayrollup r JOIN costs_deliverymonth m ON m.id = r.delivery_month_id
    GROUP BY 1, 2, 3
"""


class Migration(migrations.Migration):
    dependencies = [("costs", "0022_permissions_of_fetched_bills")]

    operations = [
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "export",
                    models.CharField(
                        blank=True, help_text="where in the source it lies; empty: loose files", max_length=500
                    ),
                ),
                (
                    "view",
                    models.CharField(
                        blank=True,
                        help_text="actual or amortized, where a provider exports both; empty: both in one",
                        max_length=10,
                    ),
                ),
                (
                    "partition",
                    models.CharField(blank=True, help_text="the part of the company that it bills", max_length=200),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="streams", to="costs.source"
                    ),
                ),
            ],
            options={"ordering": ["source", "export", "view", "partition"]},
        ),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.UniqueConstraint(fields=("source", "export", "view", "partition"), name="stream_once"),
        ),
        migrations.CreateModel(
            name="DeliveredAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("billing_account", models.CharField(blank=True, max_length=200)),
                ("sub_account", models.CharField(blank=True, max_length=200)),
                ("first_day", models.DateField(help_text="the first charge day, UTC")),
                ("last_day", models.DateField(help_text="the last charge day, UTC")),
                ("charges", models.BigIntegerField(help_text="rows of the bill")),
                (
                    "delivery_month",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="accounts", to="costs.deliverymonth"
                    ),
                ),
            ],
            options={"ordering": ["delivery_month", "billing_account", "sub_account"]},
        ),
        migrations.AddConstraint(
            model_name="deliveredaccount",
            constraint=models.UniqueConstraint(
                fields=("delivery_month", "billing_account", "sub_account"), name="delivered_account_once"
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="order_at",
            field=models.DateTimeField(
                default=django.utils.timezone.now,
                editable=False,
                help_text="of two versions the later counts: when it was received, or chosen to count again",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="export",
            field=models.CharField(blank=True, help_text="its stream's place in the source", max_length=500),
        ),
        migrations.AddField(
            model_name="delivery",
            name="partition",
            field=models.CharField(blank=True, help_text="the part of the company that it bills", max_length=200),
        ),
        migrations.AddField(
            model_name="delivery",
            name="part",
            field=models.CharField(
                blank=True,
                help_text="which part of its stream it is: a period, or an object that adds",
                max_length=1000,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="expected_rows",
            field=models.BigIntegerField(blank=True, help_text="as its manifest states", null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="status",
            field=models.CharField(
                choices=[
                    ("received", "waiting"),
                    ("loading", "loading"),
                    ("current", "current"),
                    ("superseded", "superseded"),
                    ("withdrawn", "withdrawn"),
                    ("failed", "failed"),
                    ("held", "held"),
                    ("rejected", "rejected"),
                ],
                default="received",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="deliverymonth",
            name="stream",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="months",
                to="costs.stream",
            ),
        ),
        migrations.RunSQL(STREAMS, migrations.RunSQL.noop),
        migrations.RunSQL(ACCOUNTS, migrations.RunSQL.noop),
        # Foreign keys are checked at the end of a transaction, and a table with checks to come cannot be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL IMMEDIATE"),
        migrations.AlterField(
            model_name="deliverymonth",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="months", to="costs.stream"
            ),
        ),
        migrations.RemoveConstraint(model_name="deliverymonth", name="one_current_publication"),
        migrations.AddConstraint(
            model_name="deliverymonth",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_current", True)),
                fields=("delivery", "billing_month", "stream"),
                name="one_current_publication",
            ),
        ),
    ]
