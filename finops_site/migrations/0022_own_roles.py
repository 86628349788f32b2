"""Roles that administrators make, and room for their names where groups of a sign-in give them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("finops_site", "0021_files_by_jobs"),
    ]

    operations = [
        migrations.AlterField(
            model_name="groupgrant",
            name="role",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AlterField(
            model_name="groupmapping",
            name="role",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.CreateModel(
            name="OwnRole",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("base", models.CharField(max_length=20)),
                ("description", models.CharField(blank=True, max_length=300)),
                ("cost_scope", models.JSONField(blank=True, default=dict)),
                (
                    "group",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="own_role", to="auth.group"
                    ),
                ),
            ],
            options={
                "ordering": ["group__name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("base__in", ["administrator", "finance", "engineering", "executive"])),
                        name="own_role_has_a_base",
                    )
                ],
            },
        ),
    ]
