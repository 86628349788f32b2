from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("programme", "0005_recorded_decisions_are_frozen")]
    operations = [
        migrations.AddField(
            model_name="reportrecipient",
            name="left_at",
            field=models.DateTimeField(blank=True, help_text="when she took herself off", null=True),
        ),
    ]
