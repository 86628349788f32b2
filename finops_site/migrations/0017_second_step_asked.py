"""The day that somebody was first asked for a second step at sign-in."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0016_people_by_scim"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="second_step_asked_on",
            field=models.DateField(
                blank=True,
                editable=False,
                help_text="when her role first asked for a second step at sign-in",
                null=True,
            ),
        ),
    ]
