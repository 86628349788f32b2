"""The box "commitment purchases" leaves out purchases with a commitment id, and no others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0003_name_fields_in_plain_terms")]

    operations = [
        migrations.AlterField(
            model_name="budget",
            name="with_purchases",
            field=models.BooleanField(
                default=True,
                help_text="purchases with a commitment id: fees of reservations and plans",
                verbose_name="commitment purchases",
            ),
        )
    ]
