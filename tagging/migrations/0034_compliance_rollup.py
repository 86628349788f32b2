"""The resources of a month that are alike in all that figures of compliance count them by, summed."""

import django.db.models.deletion
from django.db import migrations, models

# The months that are computed already; the sums of the next ones are written with their resources.
FILL = """
    INSERT INTO tagging_compliancerollup (charge_month, last_day_of_month, provider, sub_account, service, owner_id,
        pool_id, currency, why_not, verdict_id, excepted_until, resources, cost, lines)
    SELECT charge_month, last_day_of_month, provider, sub_account, service, owner_id, pool_id, currency, why_not,
        verdict_id, excepted_until, count(*), sum(cost), sum(lines)
    FROM tagging_taggedresource GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0035_withdrawn_bills_that_wait"),
        ("finops_site", "0005_schedule_of_emails"),
        ("tagging", "0033_schedule_of_tags"),
    ]

    operations = [
        migrations.CreateModel(
            name="ComplianceRollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("charge_month", models.DateField()),
                ("last_day_of_month", models.DateField()),
                ("provider", models.CharField(blank=True, max_length=200)),
                ("sub_account", models.CharField(blank=True, max_length=200, verbose_name="account")),
                ("service", models.CharField(blank=True, max_length=300)),
                ("currency", models.CharField(max_length=10)),
                (
                    "why_not",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("tax", "tax"),
                            ("credit", "credit or refund"),
                            ("adjustment", "adjustment"),
                            ("commitment", "purchase or unused part of a commitment"),
                            ("support", "support"),
                            ("transfer", "data transfer without a resource"),
                            ("no_resource", "no resource named"),
                        ],
                        max_length=20,
                        verbose_name="cannot carry tags",
                    ),
                ),
                ("excepted_until", models.DateField(null=True)),
                ("resources", models.PositiveIntegerField()),
                (
                    "cost",
                    models.DecimalField(
                        decimal_places=18, help_text="effective, or billed where the bill has no other", max_digits=38
                    ),
                ),
                ("lines", models.BigIntegerField()),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
                        related_name="+",
                        to="costs.pool",
                    ),
                ),
                (
                    "verdict",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tagging.tagverdict",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["charge_month", "owner"], name="compliance_rollup_owner")],
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
