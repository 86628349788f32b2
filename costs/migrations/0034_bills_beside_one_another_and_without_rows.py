"""Deliveries that stand beside each other, moments of charges beside their days, and bills without rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0033_clusters_of_bills"),
    ]

    operations = [
        migrations.AddField(
            model_name="deliveredaccount",
            name="first_moment",
            field=models.DateTimeField(help_text="when its first charge period starts; empty: not noted", null=True),
        ),
        migrations.AddField(
            model_name="deliveredaccount",
            name="last_moment",
            field=models.DateTimeField(help_text="when its last charge period starts; empty: not noted", null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="beside",
            field=models.ManyToManyField(
                blank=True,
                editable=False,
                help_text="deliveries that bill the same accounts and days with other rows, as a person decided",
                to="costs.delivery",
            ),
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
                    ("empty", "without rows"),
                ],
                default="received",
                max_length=10,
            ),
        ),
    ]
