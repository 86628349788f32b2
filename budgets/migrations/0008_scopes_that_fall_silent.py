"""A forecast says since when its scope has no cost; budgets can leave out support and the Marketplace."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0007_periods_never_overlap")]

    operations = [
        migrations.AddField(
            model_name="forecast",
            name="quiet_since",
            field=models.DateField(
                blank=True,
                help_text="the last day with cost of a scope that has none any more, though bills came",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="with_support",
            field=models.BooleanField(
                default=True, help_text="what the bill's service names as support", verbose_name="support"
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="with_marketplace",
            field=models.BooleanField(
                default=True,
                help_text="what the bill's service, or service category, names as the Marketplace",
                verbose_name="Marketplace",
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="with_refunds",
            field=models.BooleanField(
                default=True,
                help_text="charge category Adjustment, discounts of a contract and corrections of earlier invoices too",
                verbose_name="refunds and adjustments",
            ),
        ),
    ]
