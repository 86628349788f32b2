"""The company's year, the calendar that a budget is cut by, and periods that a budget has no more."""

from django.db import migrations, models

MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Migration(migrations.Migration):
    dependencies = [("budgets", "0004_purchases_of_commitments")]

    operations = [
        migrations.CreateModel(
            name="CompanyYear",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "first_month",
                    models.PositiveSmallIntegerField(
                        choices=list(enumerate(MONTHS, 1)), default=1, verbose_name="the year begins in"
                    ),
                ),
                (
                    "weeks",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "calendar months"),
                            ("4-4-5", "4-4-5 weeks"),
                            ("4-5-4", "4-5-4 weeks"),
                            ("5-4-4", "5-4-4 weeks"),
                        ],
                        default="",
                        max_length=5,
                        verbose_name="months are",
                    ),
                ),
                (
                    "first_weekday",
                    models.PositiveSmallIntegerField(
                        choices=list(enumerate(WEEKDAYS)),
                        default=0,
                        help_text="Only for a year of weeks.",
                        verbose_name="weeks begin on",
                    ),
                ),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("nearest", "the one nearest to the first of that month"),
                            ("last", "the last one up to the first of that month"),
                        ],
                        default="nearest",
                        help_text="Only for a year of weeks.",
                        max_length=10,
                        verbose_name="a year of weeks begins on",
                    ),
                ),
            ],
            options={
                "verbose_name": "company year",
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_company_year")],
            },
        ),
        migrations.AddField(
            model_name="budget",
            name="calendar",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What its months, quarters and years are: empty from January, else a code of FiscalCalendar.",
                max_length=30,
                verbose_name="cut by",
            ),
        ),
        migrations.AlterField(
            model_name="budget",
            name="start",
            field=models.DateField(help_text="The first day it counts. Days before it are in no period of it."),
        ),
        migrations.AddField(
            model_name="budgetperiod",
            name="removed_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="since when it counts no more", null=True),
        ),
        # A removed period may begin on the day of one that counts; 0007 forbids more than this did.
        migrations.RemoveConstraint(model_name="budgetperiod", name="budget_period_once"),
    ]
