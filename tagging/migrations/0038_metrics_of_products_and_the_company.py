"""What the business counts may be counted for the company, a product or any tag, have a target, and be revenue."""

import django.db.models.deletion
from django.db import migrations, models


def forget_what_is_of_no_team(apps, schema_editor):
    """Before, every value was a team's."""
    apps.get_model("tagging", "MetricValue").objects.filter(team__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("tagging", "0037_one_name_for_a_provider")]

    operations = [
        migrations.AddField(
            "metric",
            "counted_for",
            models.CharField(
                default="team",
                help_text="team, company, or a dimension of cost: tag:Product, tag:Environment, account.",
                max_length=160,
            ),
        ),
        migrations.AddField(
            "metric",
            "target",
            models.DecimalField(
                blank=True,
                decimal_places=18,
                help_text="What one may cost at most.",
                max_digits=38,
                null=True,
                verbose_name="target per unit",
            ),
        ),
        migrations.AddField(
            "metric",
            "target_currency",
            models.CharField(blank=True, default="", max_length=3, verbose_name="currency of the target"),
            preserve_default=False,
        ),
        migrations.AddField(
            "metric",
            "revenue_currency",
            models.CharField(
                blank=True,
                default="",
                help_text="Where the values are revenue: their currency. The margin is shown then.",
                max_length=3,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            "metric",
            models.CheckConstraint(
                condition=models.Q(("target__isnull", True), ("target__gt", 0), _connector="OR"),
                name="metric_target_positive",
            ),
        ),
        migrations.AddConstraint(
            "metric",
            models.CheckConstraint(
                condition=models.Q(
                    ("target__isnull", True), models.Q(("target_currency", ""), _negated=True), _connector="OR"
                ),
                name="metric_target_has_currency",
                violation_error_message="A target needs its currency.",
            ),
        ),
        migrations.RemoveConstraint("metricvalue", "one_metric_value_a_day"),
        migrations.AlterField(
            "metricvalue",
            "team",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="metric_values",
                to="finops_site.team",
            ),
        ),
        migrations.AddField(
            "metricvalue",
            "of",
            models.CharField(blank=True, default="", help_text="the product, or value of a tag", max_length=500),
        ),
        migrations.AddConstraint(
            "metricvalue",
            models.UniqueConstraint(
                fields=("metric", "team", "of", "day"), name="one_metric_value_a_day", nulls_distinct=False
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_what_is_of_no_team),
    ]
