import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0020_pools_and_virtual_tags"),
        ("finops_site", "0001_people"),
        ("tagging", "0001_ownership_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChargebackPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("billing_month", models.DateField(help_text="first day of the month it is invoiced in", unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "Draft"), ("closed", "Closed")], default="draft", max_length=10
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[("billed_cost", "Billed cost"), ("effective_cost", "Effective cost")],
                        default="billed_cost",
                        max_length=20,
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-billing_month"],
            },
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="charge_category",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="commitment_status",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="end",
            field=models.DateField(
                blank=True, help_text="First charge day it no longer holds.", null=True, verbose_name="until"
            ),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="pool",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="ownership_rules",
                to="costs.pool",
            ),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="start",
            field=models.DateField(
                blank=True, help_text="First charge day; empty: always.", null=True, verbose_name="from"
            ),
        ),
        migrations.AddField(
            model_name="ownershiprule",
            name="version",
            field=models.PositiveIntegerField(default=1, editable=False, help_text="how often it was saved"),
        ),
        migrations.AlterField(
            model_name="ownershiprule",
            name="team",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="ownership_rules",
                to="finops_site.team",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownershiprule",
            constraint=models.CheckConstraint(
                condition=models.Q(("team__isnull", True), ("pool__isnull", True), _connector="XOR"),
                name="rule_names_team_or_pool",
                violation_error_message="Name a team or a pool, one of them.",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownershiprule",
            constraint=models.CheckConstraint(
                condition=models.Q(("end__gt", models.F("start"))),
                name="rule_ends_after_it_starts",
                violation_error_message="A rule must hold for at least one day: until is after from.",
            ),
        ),
        migrations.AddField(
            model_name="chargebackperiod",
            name="closed_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
