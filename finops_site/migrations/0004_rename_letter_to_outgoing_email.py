"""A letter is called an outgoing email; its permissions are renamed with it, so that no group keeps a dead one."""

from django.db import migrations


def rename_permissions(apps, old, new):
    permission = apps.get_model("auth", "Permission")
    for verb in ("add", "change", "delete", "view"):
        permission.objects.filter(content_type__app_label="finops_site", codename=f"{verb}_{old}").update(
            codename=f"{verb}_{new}", name=f"Can {verb} {'outgoing email' if new == 'outgoingemail' else 'letter'}"
        )


def forwards(apps, schema_editor):
    rename_permissions(apps, "letter", "outgoingemail")


def backwards(apps, schema_editor):
    rename_permissions(apps, "outgoingemail", "letter")


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0003_nights_and_backups"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RenameModel("Letter", "OutgoingEmail"),
        migrations.RenameField("OutgoingEmail", "said", "server_reply"),
        migrations.RenameField("OutgoingEmail", "was_doubtful", "may_be_duplicate"),
        migrations.RenameField("NightlyRun", "said", "summary"),
        migrations.RenameIndex("OutgoingEmail", new_name="outgoing_email_waiting", old_name="letter_waiting"),
        migrations.RunPython(forwards, backwards),
    ]
