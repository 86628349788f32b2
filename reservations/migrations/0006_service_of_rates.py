"""Prices, recommended purchases and requests say which service's machines they are of, and in which zone and account."""

from django.db import migrations, models
from django.db.models import Case, Q, Value, When

# What a type's name shows of its service; everything else that has a price so far is a machine of EC2.
SERVICES = {
    "RDS": Q(instance_type__startswith="db."),
    "ElastiCache": Q(instance_type__startswith="cache."),
    "OpenSearch": Q(instance_type__endswith=".search"),
}


def name_services(apps, schema_editor):
    """What is there already gets its service by its type; a plan over several services gets none."""
    service = Case(*(When(type_, then=Value(name)) for name, type_ in SERVICES.items()), default=Value("EC2"))
    for model in ("Rate", "PlanItem", "PurchaseRequest"):
        apps.get_model("reservations", model).objects.filter(provider="AWS").update(service=service)
    for model in ("PlanItem", "PurchaseRequest"):
        apps.get_model("reservations", model).objects.filter(kind="sp_compute").update(service="")


def service():
    return models.CharField(
        max_length=50, default="EC2", blank=True, help_text="whose machines; empty for a plan over several services"
    )


def zone():
    return models.CharField(max_length=50, blank=True, help_text="of a reservation of one zone; empty for the region")


def tenancy():
    return models.CharField(max_length=20, default="default", blank=True)


def account():
    return models.CharField(
        max_length=200, blank=True, help_text="which it is for, where accounts do not share; empty for all"
    )


class Migration(migrations.Migration):
    dependencies = [("reservations", "0005_unpriced_coverage")]

    operations = [
        migrations.AddField("rate", "service", models.CharField(max_length=50, default="EC2")),
        migrations.AddField("rate", "zone", zone()),
        migrations.AddField("planitem", "service", service()),
        migrations.AddField("planitem", "zone", zone()),
        migrations.AddField("planitem", "tenancy", tenancy()),
        migrations.AddField("planitem", "account", account()),
        migrations.AddField("purchaserequest", "service", service()),
        migrations.AddField("purchaserequest", "zone", zone()),
        migrations.AddField("purchaserequest", "tenancy", tenancy()),
        migrations.AddField("purchaserequest", "account", account()),
        migrations.RunPython(name_services, migrations.RunPython.noop),
        migrations.RemoveConstraint("rate", "price_once"),
        migrations.AddConstraint(
            "rate",
            models.UniqueConstraint(
                fields=[
                    *("provider", "service", "region", "zone", "instance_type", "system", "tenancy"),
                    *("kind", "term_months", "payment", "currency", "day", "is_indicative"),
                ],
                name="price_once",
            ),
        ),
    ]
