"""The schedule names the tasks of emails as they are called now; what an administrator changed in an entry stays."""

from django.db import migrations

# The entry of the schedule: before and after, each with its task.
ENTRIES = [
    (
        ("send-letters-that-are-left-every-ten-minutes", "finops_site.tasks.send_letters"),
        ("send-emails-that-are-left-every-ten-minutes", "finops_site.tasks.send_outgoing_emails"),
    ),
    (
        ("forget-old-letters-every-night", "finops_site.tasks.forget_old_letters"),
        ("clear-old-emails-every-night", "finops_site.tasks.clear_old_emails"),
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
        ("finops_site", "0004_rename_letter_to_outgoing_email"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
