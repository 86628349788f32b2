"""Flexible committed use discounts are a kind; nodes without a system to choose have none in their prices."""

from django.db import migrations, models


def clear_systems(apps, schema_editor):
    rates = apps.get_model("reservations", "Rate").objects
    rates.filter(provider="AWS", service__in=("OpenSearch", "Redshift"), system="Linux").update(system="")


class Migration(migrations.Migration):
    dependencies = [
        ("reservations", "0006_service_of_rates"),
    ]

    operations = [
        migrations.AlterField(
            model_name="commitment",
            name="kind",
            field=models.CharField(
                choices=[
                    ("ri_standard", "Standard RI"),
                    ("ri_convertible", "Convertible RI"),
                    ("sp_ec2", "EC2 Instance SP"),
                    ("sp_compute", "Compute SP"),
                    ("sp_database", "Database SP"),
                    ("sp_sagemaker", "SageMaker SP"),
                    ("azure_reservation", "Azure reservation"),
                    ("azure_plan", "Azure savings plan"),
                    ("gcp_cud", "GCP committed use discount"),
                    ("gcp_flexible", "GCP flexible committed use discount"),
                    ("other", "Commitment"),
                ],
                default="other",
                max_length=30,
            ),
        ),
        migrations.AlterField(
            model_name="planitem",
            name="kind",
            field=models.CharField(
                choices=[
                    ("ri_standard", "Standard RI"),
                    ("ri_convertible", "Convertible RI"),
                    ("sp_ec2", "EC2 Instance SP"),
                    ("sp_compute", "Compute SP"),
                    ("sp_database", "Database SP"),
                    ("sp_sagemaker", "SageMaker SP"),
                    ("azure_reservation", "Azure reservation"),
                    ("azure_plan", "Azure savings plan"),
                    ("gcp_cud", "GCP committed use discount"),
                    ("gcp_flexible", "GCP flexible committed use discount"),
                    ("other", "Commitment"),
                ],
                max_length=30,
                verbose_name="option",
            ),
        ),
        migrations.AlterField(
            model_name="purchaserequest",
            name="kind",
            field=models.CharField(
                choices=[
                    ("ri_standard", "Standard RI"),
                    ("ri_convertible", "Convertible RI"),
                    ("sp_ec2", "EC2 Instance SP"),
                    ("sp_compute", "Compute SP"),
                    ("sp_database", "Database SP"),
                    ("sp_sagemaker", "SageMaker SP"),
                    ("azure_reservation", "Azure reservation"),
                    ("azure_plan", "Azure savings plan"),
                    ("gcp_cud", "GCP committed use discount"),
                    ("gcp_flexible", "GCP flexible committed use discount"),
                    ("other", "Commitment"),
                ],
                max_length=30,
                verbose_name="option",
            ),
        ),
        migrations.AlterField(
            model_name="rate",
            name="kind",
            field=models.CharField(
                choices=[
                    ("on_demand", "On demand"),
                    ("ri_standard", "Standard RI"),
                    ("ri_convertible", "Convertible RI"),
                    ("sp_ec2", "EC2 Instance SP"),
                    ("sp_compute", "Compute SP"),
                    ("sp_database", "Database SP"),
                    ("sp_sagemaker", "SageMaker SP"),
                    ("azure_reservation", "Azure reservation"),
                    ("azure_plan", "Azure savings plan"),
                    ("gcp_cud", "GCP committed use discount"),
                    ("gcp_flexible", "GCP flexible committed use discount"),
                    ("other", "Commitment"),
                ],
                max_length=30,
                verbose_name="option",
            ),
        ),
        migrations.AlterField(
            model_name="rate",
            name="system",
            field=models.CharField(
                blank=True, default="Linux", max_length=100, verbose_name="operating system or engine"
            ),
        ),
        migrations.RunPython(clear_systems, migrations.RunPython.noop),
    ]
