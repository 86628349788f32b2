"""The company and what its site shows costs in, the demo company and what it made, and who hides the checklist."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0006_emails_that_are_taken_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="Company",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(blank=True, help_text="At the head of reports and statements.", max_length=100),
                ),
                (
                    "currency",
                    models.CharField(
                        blank=True,
                        help_text="Home and teams show costs in it, and the explorer offers it first: a code like EUR.",
                        max_length=3,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "company",
                "permissions": [("follow_setup", "May follow the checklist of the first day")],
            },
        ),
        migrations.CreateModel(
            name="DemoCompany",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("rows", models.JSONField(default=dict)),
                ("removal_asked_at", models.DateTimeField(blank=True, null=True)),
                ("removal_asked_by", models.CharField(blank=True, max_length=254)),
                ("removal_step", models.CharField(blank=True, help_text="what is being removed", max_length=200)),
                ("removal_percent", models.PositiveSmallIntegerField(default=0)),
                ("problem", models.TextField(blank=True, help_text="why its removal stopped")),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="user",
            name="hides_setup",
            field=models.BooleanField(default=False, editable=False, help_text="Home does not show her the checklist."),
        ),
    ]
