"""Invoices, and what the charges of loaded months sum to by billing account.

Which invoice charges name stands in the charges only: `rebuild_rollups` reads it for months that were loaded before.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# What the charges of months that are loaded already sum to, without the invoice they name.
FROM_ROLLUPS = """
    INSERT INTO costs_invoicecost (delivery_month_id, billing_month, billing_account, currency, invoice_id, issuer,
        billed_cost, tax, charges, last_day)
    SELECT m.delivery_month_id, m.billing_month, m.billing_account, m.currency, '', '', m.billed_cost, m.tax, m.charges,
        d.last_day
    FROM (
        SELECT delivery_month_id, billing_month, billing_account, currency, sum(billed_cost) AS billed_cost,
            sum(billed_cost) FILTER (WHERE charge_category = 'Tax') AS tax, sum(charges) AS charges
        FROM costs_monthrollup GROUP BY 1, 2, 3, 4
    ) m LEFT JOIN (
        SELECT delivery_month_id, billing_account, currency, max(charge_date) AS last_day
        FROM costs_dayrollup GROUP BY 1, 2, 3
    ) d USING (delivery_month_id, billing_account, currency)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0025_index_of_purchases"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "issuer",
                    models.CharField(
                        blank=True, help_text="Who sends the invoice, as it is written there.", max_length=200
                    ),
                ),
                (
                    "billing_account",
                    models.CharField(
                        blank=True, help_text="As the bill has it; empty where bills name none.", max_length=200
                    ),
                ),
                ("billing_month", models.DateField(verbose_name="billing month")),
                ("currency", models.CharField(max_length=10)),
                (
                    "invoice_id",
                    models.CharField(
                        blank=True,
                        help_text="Needed where an account gets several invoices a month.",
                        max_length=200,
                        verbose_name="invoice id",
                    ),
                ),
                (
                    "total",
                    models.DecimalField(
                        decimal_places=18, help_text="What is to be paid, tax included.", max_digits=38
                    ),
                ),
                (
                    "tax",
                    models.DecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="The part of it that is tax, for bills that leave tax out.",
                        max_digits=38,
                        null=True,
                    ),
                ),
                ("issued_on", models.DateField(blank=True, null=True)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "tolerance_amount",
                    models.DecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="How far it may be from the books; empty: as the site is set.",
                        max_digits=38,
                        null=True,
                    ),
                ),
                (
                    "tolerance_percent",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="The same in per cent of the invoice; the larger of the two counts.",
                        max_digits=9,
                        null=True,
                    ),
                ),
                (
                    "explanation",
                    models.TextField(blank=True, help_text="Why it differs from the books.", max_length=2000),
                ),
                ("signed_at", models.DateTimeField(editable=False, null=True)),
                (
                    "signed_invoiced",
                    models.DecimalField(
                        decimal_places=18,
                        editable=False,
                        help_text="what was compared when it was signed off",
                        max_digits=38,
                        null=True,
                    ),
                ),
                (
                    "signed_books",
                    models.DecimalField(
                        decimal_places=18,
                        editable=False,
                        help_text="what the books had then; null: nothing",
                        max_digits=38,
                        null=True,
                    ),
                ),
                ("reopened_at", models.DateTimeField(editable=False, null=True)),
                (
                    "received_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reopened_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "signed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        help_text="Which source brings this account's bills.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="costs.source",
                    ),
                ),
            ],
            options={
                "ordering": ["-billing_month", "billing_account", "currency", "invoice_id"],
                "permissions": [("sign_off_invoice", "Can sign off invoices, and open them again")],
            },
        ),
        migrations.CreateModel(
            name="InvoiceCost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("billing_month", models.DateField()),
                ("billing_account", models.CharField(blank=True, max_length=200)),
                ("currency", models.CharField(max_length=10)),
                ("invoice_id", models.CharField(blank=True, max_length=200)),
                ("issuer", models.CharField(blank=True, max_length=200)),
                (
                    "billed_cost",
                    models.DecimalField(
                        decimal_places=18, help_text="null where the bill has no billed cost", max_digits=38, null=True
                    ),
                ),
                (
                    "tax",
                    models.DecimalField(
                        decimal_places=18,
                        help_text="the part of it whose category is tax; null where no charge is",
                        max_digits=38,
                        null=True,
                    ),
                ),
                ("charges", models.BigIntegerField()),
                ("last_day", models.DateField(help_text="the last charge day", null=True)),
                (
                    "delivery_month",
                    models.ForeignKey(
                        db_constraint=False, on_delete=django.db.models.deletion.CASCADE, to="costs.deliverymonth"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InvoiceFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("content", models.BinaryField()),
                (
                    "invoice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="file", to="costs.invoice"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["billing_month"], name="invoice_month"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                fields=("billing_account", "billing_month", "currency", "invoice_id"),
                name="invoice_once",
                violation_error_message="This account has an invoice of this month, currency and id already.",
            ),
        ),
        migrations.AddIndex(
            model_name="invoicecost",
            index=models.Index(fields=["billing_month"], name="invoice_cost_month"),
        ),
        migrations.RunSQL(FROM_ROLLUPS, migrations.RunSQL.noop),
    ]
