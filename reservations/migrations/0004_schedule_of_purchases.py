"""The schedule names the tasks of purchases as they are called now; what an administrator changed in an entry stays."""

from django.db import migrations

# The entry of the schedule: before and after, each with its task.
ENTRIES = [
    (
        ("sweep-purchases-every-minute", "reservations.tasks.sweep_purchases"),
        ("queue-lost-purchases-every-minute", "reservations.tasks.queue_lost_purchases"),
    ),
    (
        ("run-standing-orders-every-morning", "reservations.tasks.run_standing_orders"),
        ("request-for-standing-orders-every-morning", "reservations.tasks.request_for_standing_orders"),
    ),
]


def forwards(apps, schema_editor):
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (name, _), (new_name, new_task) in ENTRIES:
        rows.filter(name=name).update(name=new_name, task=new_task)


def backwards(apps, schema_editor):
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (old_name, old_task), (name, _) in ENTRIES:
        rows.filter(name=name).update(name=old_name, task=old_task)


class Migration(migrations.Migration):
    dependencies = [
        ("reservations", "0003_plain_names_of_purchases"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
