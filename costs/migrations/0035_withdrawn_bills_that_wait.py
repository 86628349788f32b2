import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0034_bills_beside_one_another_and_without_rows"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="instead_of",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                help_text="the withdrawn bill that counts until this version of it is read again",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="awaited",
                to="costs.delivery",
            ),
        ),
    ]
