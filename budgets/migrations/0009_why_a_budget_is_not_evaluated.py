"""A budget that a night could not evaluate keeps the reason, and Health names it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0008_scopes_that_fall_silent")]

    operations = [
        migrations.AddField(
            model_name="budget",
            name="not_evaluated",
            field=models.CharField(
                blank=True, editable=False, help_text="why the last night could not evaluate it", max_length=500
            ),
        ),
    ]
