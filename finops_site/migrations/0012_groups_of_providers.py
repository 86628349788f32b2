"""Roles and places in teams that come from the groups of an identity provider."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0011_language_and_time_zone"),
    ]

    operations = [
        migrations.CreateModel(
            name="GroupGrant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=50)),
                ("role", models.CharField(blank=True, max_length=20)),
                (
                    "team",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="finops_site.team"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="group_grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "provider", "role", "team"), name="one_grant_of_each", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("role", ""), ("team__isnull", False)),
                            models.Q(models.Q(("role", ""), _negated=True), ("team", None)),
                            _connector="OR",
                        ),
                        name="group_grant_is_one_thing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GroupMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(blank=True, help_text="Empty: every provider.", max_length=50)),
                ("group", models.CharField(help_text="As the provider writes it, capitals too.", max_length=200)),
                ("role", models.CharField(blank=True, max_length=20)),
                (
                    "team_role",
                    models.CharField(
                        choices=[("lead", "lead"), ("member", "member")],
                        default="member",
                        max_length=10,
                        verbose_name="Lead or member",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="finops_site.team",
                    ),
                ),
            ],
            options={
                "ordering": ["group", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "group", "role", "team"),
                        name="one_mapping_of_a_group",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("role", ""), _negated=True), ("team__isnull", False), _connector="OR"
                        ),
                        name="group_mapping_gives_something",
                    ),
                ],
            },
        ),
    ]
