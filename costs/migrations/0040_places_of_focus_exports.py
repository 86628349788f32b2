"""FOCUS 1.3 and 1.4 are written too, and places get the months that changed every night."""

import django.db.models.deletion
from django.db import migrations, models

VERSIONS = [("1.2", "FOCUS 1.2"), ("1.3", "FOCUS 1.3"), ("1.4", "FOCUS 1.4")]


class Migration(migrations.Migration):
    dependencies = [("costs", "0039_families_of_services")]

    operations = [
        migrations.AddField(
            "focusexport",
            "version",
            models.CharField(choices=VERSIONS, default="1.2", max_length=5, verbose_name="FOCUS version"),
        ),
        migrations.CreateModel(
            name="ExportPlace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("folder", "a folder of this machine"),
                            ("s3", "an S3 bucket"),
                            ("azure", "an Azure Blob container"),
                            ("gcs", "a Google Cloud Storage bucket"),
                        ],
                        default="s3",
                        max_length=10,
                    ),
                ),
                ("bucket", models.CharField(max_length=500, verbose_name="bucket, container or folder")),
                (
                    "prefix",
                    models.CharField(blank=True, help_text="Where in the bucket the files begin.", max_length=1000),
                ),
                (
                    "region",
                    models.CharField(
                        blank=True,
                        help_text="an AWS region, or the name of an Azure storage account",
                        max_length=100,
                        verbose_name="region or account",
                    ),
                ),
                (
                    "endpoint",
                    models.CharField(
                        blank=True,
                        help_text="Other addresses are allowed by the machine's administrator.",
                        max_length=300,
                    ),
                ),
                (
                    "version",
                    models.CharField(choices=VERSIONS, default="1.2", max_length=5, verbose_name="FOCUS version"),
                ),
                (
                    "file",
                    models.CharField(
                        choices=[("csv.gz", "CSV, gzipped"), ("parquet", "Parquet")], default="parquet", max_length=10
                    ),
                ),
                (
                    "months",
                    models.PositiveSmallIntegerField(
                        default=3,
                        help_text="How many billing months, the latest first: an older one that changes is not written "
                        "again.",
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="write every night")),
                (
                    "marks",
                    models.JSONField(
                        default=dict, editable=False, help_text="{month: the bills that its file was made of}"
                    ),
                ),
                (
                    "written_at",
                    models.DateTimeField(editable=False, help_text="when all was there last", null=True),
                ),
                (
                    "problem",
                    models.TextField(blank=True, editable=False, help_text="why the last try failed"),
                ),
                (
                    "credential",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="costs.credential",
                    ),
                ),
            ],
            options={
                "verbose_name": "place of FOCUS exports",
                "verbose_name_plural": "places of FOCUS exports",
                "ordering": ["name"],
            },
        ),
    ]
