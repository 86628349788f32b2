"""Nights keep their words in each language, and targets of KPIs the moment from which they hold."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def keep_targets_of_today(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """What is aimed at today has been since it was changed last: of before nobody kept it."""
    changes = apps.get_model("programme", "KpiTargetChange")
    rows = apps.get_model("programme", "Kpi").objects.all()
    changes.objects.bulk_create(
        [changes(name=row.name, at=row.changed_at, target=row.target, currency=row.currency) for row in rows]
    )


class Migration(migrations.Migration):
    dependencies = [("programme", "0006_recipients_leave_reports")]
    operations = [
        migrations.AddField(
            model_name="kpiday",
            name="descriptions",
            field=models.JSONField(default=dict, help_text="{language: description}; empty of older nights"),
        ),
        migrations.CreateModel(
            name="KpiTargetChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
                ("target", models.DecimalField(blank=True, decimal_places=18, max_digits=38, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
            ],
            options={"verbose_name": "change of a target", "ordering": ["name", "at", "pk"]},
        ),
        migrations.RunPython(keep_targets_of_today, migrations.RunPython.noop),
    ]
