"""The fingerprint of a period and the time of a statement's emails have plain names."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tagging", "0031_current_and_provider_values")]

    operations = [
        migrations.RenameField("chargebackperiod", "books", "fingerprint"),
        migrations.RenameField("statement", "told_at", "notified_at"),
        migrations.AlterField(
            "chargebackperiod",
            "fingerprint",
            models.CharField(
                blank=True,
                editable=False,
                help_text="hash of the bills, splits and metrics that it was computed from",
                max_length=64,
            ),
        ),
        migrations.AlterField(
            "statement",
            "notified_at",
            models.DateTimeField(blank=True, help_text="when the emails to its leads were written", null=True),
        ),
        migrations.AlterField(
            "ownershiprule",
            "order",
            models.PositiveIntegerField(default=100, help_text="Lower numbers are tried first."),
        ),
    ]
