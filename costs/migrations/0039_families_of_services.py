"""Lines and their sums know FOCUS's subcategory of a service, and each provider has one name in all of them."""

from django.db import migrations, models

# As costs/calc/providers.py has them on this day.
NAMES = {
    "AWS": "^ *(aws|amazon)([^a-z]|$)",
    "Azure": "^ *(azure|microsoft)([^a-z]|$)",
    "Google Cloud": "^ *(gcp|google)([^a-z]|$)",
    "Oracle": "^ *(oracle|oci)([^a-z]|$)",
    "Alibaba Cloud": "^ *(alibaba|aliyun)([^a-z]|$)",
    "Tencent Cloud": "^ *(tencent)([^a-z]|$)",
    "IBM Cloud": "^ *(ibm)([^a-z]|$)",
}
TABLES = ("costs_costline", "costs_monthrollup", "costs_resourcerollup", "costs_dayrollup")


def rename(apps, schema_editor):
    """Charges keep the name that the bill has. Nothing to go back to: the names mean the same."""
    with schema_editor.connection.cursor() as cursor:
        for name, pattern in NAMES.items():
            for table in TABLES:
                cursor.execute(
                    f"UPDATE {table} SET provider = %s WHERE provider <> %s AND provider ~* %s", [name, name, pattern]
                )
            cursor.execute(
                "UPDATE costs_delivery SET provider = %s "
                "WHERE provider <> %s AND provider ~* %s AND position(',' IN provider) = 0",
                [name, name, pattern],
            )
            cursor.execute(
                "DELETE FROM costs_dimension WHERE name = 'provider' AND value <> %s AND value ~* %s", [name, pattern]
            )
            if cursor.rowcount:
                cursor.execute(
                    "INSERT INTO costs_dimension (name, value, label) VALUES ('provider', %s, '') "
                    "ON CONFLICT (name, value) DO NOTHING",
                    [name],
                )


class Migration(migrations.Migration):
    dependencies = [("costs", "0038_invoice_issuers_of_lines")]

    operations = [
        *(
            migrations.AddField(
                model, "service_subcategory", models.CharField(blank=True, db_default="", default="", max_length=200)
            )
            for model in ("costline", "monthrollup", "resourcerollup")
        ),
        migrations.RunPython(rename, migrations.RunPython.noop, elidable=True),
    ]
