"""Until the demo company is whole, it says how far it is and what was there before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0008_notifications"),
    ]

    operations = [
        migrations.AddField("democompany", "ids_before", models.JSONField(default=dict)),
        migrations.AddField(
            "democompany",
            "making_step",
            models.CharField(
                blank=True, help_text="what was made last, while it is being made", max_length=200, default=""
            ),
            preserve_default=False,
        ),
    ]
