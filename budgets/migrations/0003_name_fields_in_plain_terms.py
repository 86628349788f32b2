"""Fields in plain terms, and the schedule names the tasks as they are called now; reversible."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# The entry of the schedule: before and after, each with its task.
ENTRIES = [
    (
        ("tell-alerts-every-ten-minutes", "budgets.tasks.tell_alerts"),
        ("send-alert-notifications-every-ten-minutes", "budgets.tasks.send_notifications"),
    ),
    (
        ("tell-of-ignored-alerts-every-week", "budgets.tasks.tell_of_ignored_alerts"),
        ("notify-of-ignored-thresholds-every-week", "budgets.tasks.notify_of_ignored_thresholds"),
    ),
]
# The evaluation is one of the site's nightly checks now.
FORMER_ENTRY = "evaluate-budgets-every-night"


def rename_entries(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (name, _), (new_name, new_task) in ENTRIES:
        rows.filter(name=name).update(name=new_name, task=new_task)
    rows.filter(name=FORMER_ENTRY).delete()


def restore_entries(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The entry of the evaluation comes back by itself when beat starts: it fills in what the schedule lacks."""
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (old_name, old_task), (name, _) in ENTRIES:
        rows.filter(name=name).update(name=old_name, task=old_task)


def amount(help_text: str) -> models.DecimalField:
    return models.DecimalField(max_digits=38, decimal_places=18, help_text=help_text)


class Migration(migrations.Migration):
    dependencies = [
        ("budgets", "0002_anomalies"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RemoveIndex("budget", "budget_to_judge"),
        migrations.RenameField("alert", "said", "figures"),
        migrations.RenameField("alert", "judged_as_of", "evaluated_as_of"),
        migrations.RenameField("budget", "judged_as_of", "evaluated_as_of"),
        migrations.RenameField("night", "noticed", "anomalies_checked"),
        migrations.AddIndex("budget", models.Index(fields=["state", "evaluated_as_of"], name="budget_to_evaluate")),
        migrations.AlterField(
            "alert", "evaluated_as_of", models.DateField(help_text="the last night that evaluated it")
        ),
        migrations.AlterField(
            "alert",
            "figures",
            models.JSONField(default=dict, help_text="the period at opening: exact amounts, forecast, known changes"),
        ),
        migrations.AlterField("alert", "limit", amount("the limit in money, at opening")),
        migrations.AlterField(
            "alert",
            "note",
            models.TextField(blank=True, help_text="what a reader must know: taken back by a newer bill"),
        ),
        migrations.AlterField("alert", "peak", amount("the highest value since")),
        migrations.AlterField(
            "alert",
            "resolved_as_of",
            models.DateField(blank=True, help_text="the night that resolved it", null=True),
        ),
        migrations.AlterField("alert", "value", amount("what reached the limit, at opening")),
        migrations.AlterField(
            "alertdelivery",
            "outcome",
            models.CharField(
                blank=True,
                choices=[
                    ("", "queued"),
                    ("sent", "sent"),
                    ("failed", "failed"),
                    ("unknown", "unknown"),
                    ("cancelled", "not needed any more"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            "alertdelivery",
            "problem",
            models.TextField(blank=True, help_text="the server's answer, or why it was not sent"),
        ),
        migrations.AlterField(
            "budget",
            "evaluated_as_of",
            models.DateField(blank=True, editable=False, help_text="the last night that evaluated it", null=True),
        ),
        migrations.AlterField("budgetperiod", "amount", amount("as planned, without what was carried over")),
        migrations.AlterField(
            "forecast",
            "complete_until",
            models.DateField(help_text="the last day whose cost is taken as complete", null=True),
        ),
        migrations.AlterField(
            "forecast",
            "method",
            models.CharField(
                choices=[
                    ("model", "weekday profile and smoothed level"),
                    ("run rate", "run rate: too little history for more"),
                    ("done", "the period is over"),
                    ("none", "no cost to forecast from"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            "night",
            "anomalies_checked",
            models.JSONField(default=dict, help_text="{account: the last day checked for anomalies}"),
        ),
        migrations.AlterField(
            "recipient",
            "url",
            models.URLField(blank=True, help_text="Where a channel receives messages.", max_length=1000),
        ),
        migrations.RunPython(rename_entries, restore_entries),
    ]
