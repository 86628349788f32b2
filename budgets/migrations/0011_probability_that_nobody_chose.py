"""A probability that nobody chose is empty and not 0.5."""

from decimal import Decimal

from django.db import migrations, models

HALF = Decimal("0.5")


def empty_what_nobody_chose(apps, schema_editor):
    """0.5 was the default, and only a forecast has a probability."""
    apps.get_model("budgets", "Threshold").objects.filter(probability=HALF).update(probability=None)


def fill_with_the_default(apps, schema_editor):
    apps.get_model("budgets", "Threshold").objects.filter(probability=None).update(probability=HALF)


class Migration(migrations.Migration):
    dependencies = [("budgets", "0010_anomaly_patterns_and_sensitivity")]

    operations = [
        migrations.AlterField(
            model_name="threshold",
            name="probability",
            field=models.DecimalField(
                blank=True,
                decimal_places=3,
                help_text="For a forecast: how likely it must be. Empty: more likely than not, on two nights in a row.",
                max_digits=4,
                null=True,
            ),
        ),
        migrations.RunPython(empty_what_nobody_chose, fill_with_the_default),
    ]
