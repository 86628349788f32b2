"""Columns and labels of purchases get names that say what they hold; data stay as they are."""

from django.db import migrations, models

STATES = [
    ("waiting", "waiting for approval"),
    ("approved", "approved"),
    ("rejected", "rejected"),
    ("withdrawn", "withdrawn"),
    ("expired", "expired"),
    ("exported", "exported to buy by hand"),
    ("buying", "being bought"),
    ("doubtful", "outcome unknown"),
    ("bought", "bought"),
    ("seen", "seen in a bill"),
]


class Migration(migrations.Migration):
    dependencies = [("reservations", "0002_purchases_and_ledger")]

    operations = [
        migrations.RenameField("standingorder", "said", "last_result"),
        migrations.RenameField("standingorder", "asked_month", "last_request_month"),
        migrations.RenameField("purchaserequest", "asked_on", "request_snapshot"),
        migrations.AlterField(
            "standingorder",
            "last_request_month",
            models.DateField(blank=True, editable=False, help_text="of its last request", null=True),
        ),
        migrations.AlterField(
            "purchaserequest",
            "request_snapshot",
            models.JSONField(default=dict, help_text="prices and demand when it was requested, exact text"),
        ),
        migrations.AlterField(
            "purchaserequest",
            "batch",
            models.PositiveIntegerField(help_text="which monthly batch, 1 is the first; 0 is all of it"),
        ),
        migrations.AlterField(
            "purchaserequest",
            "state",
            models.CharField(choices=STATES, default="waiting", max_length=10),
        ),
    ]
