"""What a closed statement shows beside its lines, and its PDF, are kept with it."""

import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0005_schedule_of_emails"),
        ("tagging", "0035_amounts_of_documents"),
    ]

    operations = [
        migrations.AddField(
            "chargebackperiod",
            "known",
            models.JSONField(
                editable=False,
                encoder=django.core.serializers.json.DjangoJSONEncoder,
                help_text="what the bills knew of it when it was closed (costs.query.known_until.KnownDays)",
                null=True,
            ),
        ),
        migrations.AddField(
            "statement",
            "figures",
            models.JSONField(
                editable=False,
                encoder=django.core.serializers.json.DjangoJSONEncoder,
                help_text="what its page and PDF show beside its lines, frozen when it was closed (statement_figures.py)",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="StatementDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("content", models.BinaryField()),
                (
                    "period",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to="tagging.chargebackperiod",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="finops_site.team"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "constraints": [
                    models.UniqueConstraint(fields=("period", "team"), name="one_document_per_team_and_month")
                ],
            },
        ),
    ]
