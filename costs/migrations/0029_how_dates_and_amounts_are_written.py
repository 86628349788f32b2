"""A source may state the order of its dates and its decimal mark, where its bills do not show them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0028_clusters")]

    operations = [
        migrations.AddField(
            "source",
            "date_order",
            models.CharField(
                blank=True,
                choices=[("day-first", "day first (31/03/2026)"), ("month-first", "month first (03/31/2026)")],
                help_text="Only where its dates do not show it.",
                max_length=12,
                verbose_name="order of dates",
            ),
        ),
        migrations.AddField(
            "source",
            "decimal_mark",
            models.CharField(
                blank=True,
                choices=[("point", "a point (1,234.50)"), ("comma", "a comma (1.234,50)")],
                help_text="Only where its amounts do not show it.",
                max_length=8,
            ),
        ),
    ]
