"""How well each delivery keeps the rules of FOCUS, and when its files were given up."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0026_invoices"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="conformance",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="rows that keep the rules of FOCUS: rows, conforming, families; cost, conforming_cost by currency",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="files_moved_to",
            field=models.CharField(blank=True, help_text="the folder of the archive, if any", max_length=1000),
        ),
        migrations.AddField(
            model_name="delivery",
            name="files_removed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="when its files and charges were given up, because it had not counted for long",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="ConformanceResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=80)),
                ("family", models.CharField(max_length=20)),
                ("sentence", models.CharField(max_length=300)),
                ("severity", models.CharField(choices=[("must", "Counts"), ("should", "Worth a look")], max_length=10)),
                (
                    "verdict",
                    models.CharField(
                        choices=[("kept", "Kept"), ("broken", "Broken"), ("not stated", "Not stated")], max_length=10
                    ),
                ),
                ("judged", models.BigIntegerField(default=0, help_text="rows that were looked at")),
                ("rows", models.BigIntegerField(default=0, help_text="rows that break the rule")),
                (
                    "cost",
                    models.JSONField(
                        default=dict, help_text="{currency: their cost regardless of sign, as exact text}"
                    ),
                ),
                (
                    "examples",
                    models.JSONField(default=dict, help_text="the largest of them: {columns: [name], rows: [[text]]}"),
                ),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="conformance_results",
                        to="costs.delivery",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [models.UniqueConstraint(fields=("delivery", "rule"), name="one_result_per_rule")],
            },
        ),
    ]
