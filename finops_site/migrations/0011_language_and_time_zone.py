"""The language of a person and of the company, and a time zone that is the company's until somebody chooses one."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]


def forget_utc(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """UTC was what everybody had; whoever wants it while the company has another zone chooses it."""
    apps.get_model("finops_site", "User").objects.filter(time_zone="UTC").update(time_zone="")


def write_utc(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("finops_site", "User").objects.filter(time_zone="").update(time_zone="UTC")


class Migration(migrations.Migration):
    dependencies = [("finops_site", "0010_saved_views")]

    operations = [
        migrations.AddField(
            model_name="company",
            name="language",
            field=models.CharField(
                blank=True,
                choices=LANGUAGES,
                help_text="Of statements, of the work of the night, and of mail to somebody who chose none. "
                "Empty: English.",
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="company",
            name="time_zone",
            field=models.CharField(
                blank=True, help_text="Of people who chose none, for times of day. Empty: UTC.", max_length=64
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True, choices=LANGUAGES, help_text="Empty: as the browser says.", max_length=10
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="user",
            name="time_zone",
            field=models.CharField(
                blank=True,
                help_text="Like Europe/Berlin, for times of day. Empty: the company's.",
                max_length=64,
            ),
        ),
        migrations.RunPython(forget_utc, write_utc),
    ]
