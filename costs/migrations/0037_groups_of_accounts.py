"""Groups of accounts, that cost is grouped and filtered by."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0036_index_of_what_budgets_leave_out")]

    operations = [
        migrations.CreateModel(
            name="AccountGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                (
                    "description",
                    models.CharField(blank=True, help_text="What its accounts have in common.", max_length=500),
                ),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="GroupedAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(help_text="its id, as bills have it", max_length=200, unique=True)),
                (
                    "group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="accounts", to="costs.accountgroup"
                    ),
                ),
            ],
            options={"ordering": ["account"]},
        ),
    ]
