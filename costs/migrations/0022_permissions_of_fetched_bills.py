"""The permissions of fetched bills are renamed with their model, so that no group keeps a dead one."""

from django.db import migrations


def rename(apps, old, new):
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="costs")
    for verb in ("add", "change", "delete", "view"):
        if permissions.filter(codename=f"{verb}_{new}").exists():
            permissions.filter(codename=f"{verb}_{old}").delete()
        permissions.filter(codename=f"{verb}_{old}").update(codename=f"{verb}_{new}")


def forwards(apps, schema_editor):
    rename(apps, "fetched", "fetchedbill")


def backwards(apps, schema_editor):
    rename(apps, "fetchedbill", "fetched")


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0021_covered_until_and_fetched_bills"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
