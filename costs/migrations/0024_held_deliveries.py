"""Bills that are not whole wait for finance, by limits of their stream."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0023_streams"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="delivery",
            options={
                "ordering": ["-received_at", "-id"],
                "permissions": [("accept_delivery", "May decide whether a bill counts that is not whole")],
                "verbose_name_plural": "deliveries",
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="decided_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="held_because",
            field=models.JSONField(blank=True, default=list, help_text="sentences: why it is not whole"),
        ),
        migrations.AddField(
            model_name="delivery",
            name="is_accepted",
            field=models.BooleanField(
                default=False, editable=False, help_text="a person decided that it counts: it is not compared again"
            ),
        ),
        migrations.AddField(
            model_name="deliverymonth",
            name="change",
            field=models.DecimalField(
                decimal_places=6,
                editable=False,
                help_text="against the version before, on the days it covered: 0.1 is ten per cent more",
                max_digits=12,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="hold_down",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Per cent of the month's cost on the same days; empty: as its history shows.",
                max_digits=5,
                null=True,
                verbose_name="hold when it falls by more than",
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="hold_up",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Per cent of the month's cost on the same days; empty: as its history shows.",
                max_digits=7,
                null=True,
                verbose_name="hold when it rises by more than",
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="is_judged",
            field=models.BooleanField(
                default=True,
                help_text="Compare each version with the one it replaces.",
                verbose_name="hold bills that are not whole",
            ),
        ),
    ]
