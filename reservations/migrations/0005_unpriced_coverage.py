"""Covered usage without an on-demand price in its bill is counted, so that no ratio is made up from it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reservations", "0004_schedule_of_purchases")]

    operations = [
        migrations.AddField(
            model_name="coverage",
            name="unpriced",
            field=models.PositiveIntegerField(
                default=0,
                help_text="covered cost lines whose bill states no on-demand price: costs at such prices lack them",
            ),
        )
    ]
