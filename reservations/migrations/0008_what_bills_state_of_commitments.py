"""Commitments say whose machines they are for and where each value comes from; coverage, by service and by kind."""

from django.db import migrations, models


def amount(help_text=""):
    return models.DecimalField(max_digits=38, decimal_places=18, default=0, help_text=help_text)


def service():
    return models.CharField(max_length=100, blank=True, help_text="whose machines: EC2, RDS; empty for several")


AMOUNTS = {
    "reserved_hours": "covered by reservations",
    "planned_hours": "covered by plans",
    "eligible_units": "normalised units an hour, of machines whose size has any",
    "covered_units": "",
    "reserved_units": "covered by reservations",
    "planned_units": "covered by plans",
    "reserved_cost": "covered by reservations, at on-demand prices",
    "planned_cost": "covered by plans, at on-demand prices",
}


class Migration(migrations.Migration):
    dependencies = [("reservations", "0007_kinds_of_google_and_systems_of_rates")]

    operations = [
        migrations.AddField("commitment", "service", service()),
        migrations.AddField(
            "commitment",
            "origins",
            models.JSONField(
                default=dict,
                editable=False,
                help_text="{field: guess, bill, api or person}: where its value comes from",
            ),
        ),
        migrations.AddField("coverage", "service", service()),
        migrations.AddField(
            "coverage",
            "listed",
            models.PositiveIntegerField(
                default=0,
                help_text="covered cost lines whose on-demand price is a loaded price list's, for the bill states none",
            ),
        ),
        *(migrations.AddField("coverage", name, amount(text)) for name, text in AMOUNTS.items()),
    ]
