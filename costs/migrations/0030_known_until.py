"""Exports keep what their month lacked when they were written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0029_how_dates_and_amounts_are_written")]

    operations = [
        migrations.AddField(
            model_name="focusexport",
            name="notes",
            field=models.JSONField(blank=True, default=list, help_text="what the month lacks, in sentences"),
        ),
    ]
