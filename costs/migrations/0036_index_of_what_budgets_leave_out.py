"""The index of purchases finds refunds and corrections too: budgets leave them out, and rollups do not know them all."""

from django.db import migrations

MADE = (
    "CREATE INDEX costline_left_out ON costs_costline (charge_date) "
    "WHERE charge_category IN ('Purchase', 'Adjustment', 'Refund') OR charge_class = 'Correction'"
)
MADE_BEFORE = "CREATE INDEX costline_purchases ON costs_costline (charge_date) WHERE charge_category = 'Purchase'"


class Migration(migrations.Migration):
    dependencies = [("costs", "0035_withdrawn_bills_that_wait")]

    operations = [
        migrations.RunSQL(MADE, "DROP INDEX costline_left_out"),
        migrations.RunSQL("DROP INDEX costline_purchases", MADE_BEFORE),
    ]
