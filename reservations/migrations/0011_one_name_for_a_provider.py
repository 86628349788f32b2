"""Commitments and coverage name their provider as cost lines do: GCP and Google Cloud are one."""

from django.db import migrations, models

# As costs/calc/providers.py has them on this day.
NAMES = {
    "AWS": "^ *(aws|amazon)([^a-z]|$)",
    "Azure": "^ *(azure|microsoft)([^a-z]|$)",
    "Google Cloud": "^ *(gcp|google)([^a-z]|$)",
}
KINDS = [
    ("ri_standard", "Standard RI"),
    ("ri_convertible", "Convertible RI"),
    ("sp_ec2", "EC2 Instance SP"),
    ("sp_compute", "Compute SP"),
    ("sp_database", "Database SP"),
    ("sp_sagemaker", "SageMaker SP"),
    ("azure_reservation", "Azure reservation"),
    ("azure_plan", "Azure savings plan"),
    ("gcp_cud", "Google Cloud committed use discount"),
    ("gcp_flexible", "Google Cloud flexible committed use discount"),
    ("other", "Commitment"),
]


def rename(apps, schema_editor):
    """Nothing to go back to: the names mean the same. Of two rows for one commitment the first is renamed."""
    with schema_editor.connection.cursor() as cursor:
        for name, pattern in NAMES.items():
            cursor.execute(
                "UPDATE reservations_coverage SET provider = %s WHERE provider <> %s AND provider ~* %s",
                [name, name, pattern],
            )
            cursor.execute(
                "UPDATE reservations_commitment c SET provider = %s WHERE provider <> %s AND provider ~* %s "
                "AND c.id = (SELECT o.id FROM reservations_commitment o WHERE o.commitment_id = c.commitment_id "
                "AND o.provider ~* %s ORDER BY o.provider <> %s, o.id LIMIT 1)",
                [name, name, pattern, pattern, name],
            )


class Migration(migrations.Migration):
    dependencies = [("reservations", "0010_buying_policy_of_recommendations"), ("costs", "0039_families_of_services")]

    operations = [
        migrations.AlterField("commitment", "kind", models.CharField(choices=KINDS, default="other", max_length=30)),
        *(
            migrations.AlterField(model, "kind", models.CharField("option", choices=KINDS, max_length=30))
            for model in ("planitem", "purchaserequest")
        ),
        migrations.AlterField(
            "rate",
            "kind",
            models.CharField("option", choices=[("on_demand", "On demand"), *KINDS], max_length=30),
        ),
        migrations.RunPython(rename, migrations.RunPython.noop, elidable=True),
    ]
