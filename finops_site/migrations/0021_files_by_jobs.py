"""Files of pages that a job makes."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

STATES = [
    ("waiting", "in line"),
    ("writing", "being written"),
    ("ready", "ready"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0020_second_steps_encrypted"),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.TextField(help_text="the page with its filters, as it was asked for")),
                ("address_hash", models.CharField(editable=False, max_length=64)),
                ("title", models.CharField(blank=True, max_length=300)),
                ("state", models.CharField(choices=STATES, default="waiting", max_length=10)),
                ("rows", models.PositiveBigIntegerField(default=0, help_text="written so far")),
                ("rows_expected", models.PositiveBigIntegerField(blank=True, help_text="empty: not known", null=True)),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("file_name", models.CharField(blank=True, max_length=300)),
                ("content_type", models.CharField(blank=True, max_length=200)),
                ("problem", models.TextField(blank=True, help_text="why there is no file")),
                (
                    "sight",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="of what she might see when it was made",
                        max_length=64,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "heard_at",
                    models.DateTimeField(blank=True, help_text="the last sign of life of its worker", null=True),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-asked_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["waiting", "writing"])),
                        fields=("person", "address_hash"),
                        name="one_open_export_of_a_file",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "writing")),
                        fields=("person",),
                        name="one_export_of_a_person_at_a_time",
                    ),
                ],
            },
        ),
    ]
