"""Cost lines know who writes the invoice; lines that are here already learn it when their month is made again."""

from django.db import migrations, models

ISSUER = models.CharField(blank=True, db_default="", default="", max_length=200)


class Migration(migrations.Migration):
    dependencies = [("costs", "0037_groups_of_accounts")]

    operations = [
        migrations.AddField(model_name=name, name="invoice_issuer", field=ISSUER.clone())
        for name in ("costline", "monthrollup", "resourcerollup")
    ]
