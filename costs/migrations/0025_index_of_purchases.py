"""An index of the few cost lines that are purchases: budgets that leave out those of commitments ask for the others."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("costs", "0024_held_deliveries")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX costline_purchases ON costs_costline (charge_date) WHERE charge_category = 'Purchase'",
            "DROP INDEX costline_purchases",
        )
    ]
