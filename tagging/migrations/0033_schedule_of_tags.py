"""The schedule names the tasks of tags as they are called now; what an administrator changed in an entry stays."""

from django.db import migrations

# The entry of the schedule: before and after, each with its task.
ENTRIES = [
    (
        ("resume-fixing-every-minute", "tagging.tasks.resume_fixing"),
        ("resume-remediation-every-minute", "tagging.tasks.resume_remediation"),
    ),
    (
        ("remind-of-tags-every-monday", "tagging.tasks.remind_of_tags"),
        ("tag-digests-every-monday", "tagging.tasks.post_tag_digests"),
    ),
    (
        ("work-out-tag-compliance-every-five-minutes", "tagging.tasks.refresh_compliance"),
        ("refresh-tag-compliance-every-five-minutes", "tagging.tasks.refresh_compliance"),
    ),
]
# The work of a night is one of the site's nightly checks now; going back, beat fills in what the schedule lacks.
FORMER_ENTRY = "watch-tags-every-night"


def forwards(apps, schema_editor):
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (name, _), (new_name, new_task) in ENTRIES:
        rows.filter(name=name).update(name=new_name, task=new_task)
    rows.filter(name=FORMER_ENTRY).delete()


def backwards(apps, schema_editor):
    rows = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for (old_name, old_task), (name, _) in ENTRIES:
        rows.filter(name=name).update(name=old_name, task=old_task)


class Migration(migrations.Migration):
    dependencies = [
        ("tagging", "0032_plain_names_of_chargeback"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
