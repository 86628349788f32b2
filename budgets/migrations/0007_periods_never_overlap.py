"""Two periods of one budget never have a day in common: the database refuses it."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateRangeField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0006_repair_overlapping_periods")]

    operations = [
        migrations.AddConstraint(
            model_name="budgetperiod",
            constraint=ExclusionConstraint(
                name="budget_periods_apart",
                expressions=[
                    (
                        models.Func(
                            models.F("budget"),
                            models.F("budget"),
                            models.Value("[]"),
                            function="int8range",
                            output_field=BigIntegerRangeField(),
                        ),
                        "&&",
                    ),
                    (
                        models.Func(
                            models.F("start"), models.F("end"), function="daterange", output_field=DateRangeField()
                        ),
                        "&&",
                    ),
                ],
                condition=models.Q(("removed_at__isnull", True)),
                violation_error_message="Another period of this budget has some of its days.",
            ),
        ),
    ]
