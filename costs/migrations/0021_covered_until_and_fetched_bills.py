from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0020_pools_and_virtual_tags")]

    operations = [
        migrations.RenameField("restatement", "told_until", "covered_until"),
        # The table keeps its name.
        migrations.AlterModelTable("fetched", "costs_fetched"),
        migrations.RenameModel("Fetched", "FetchedBill"),
        migrations.AlterModelOptions("fetchedbill", {"ordering": ["source", "name"]}),
        migrations.AlterField(
            "deliverymonth",
            "revision",
            models.PositiveIntegerField(default=0, help_text="how often its owners were assigned again in place"),
        ),
        migrations.AlterField(
            "source",
            "expected_every_hours",
            models.PositiveIntegerField(
                "a bill is expected every",
                default=0,
                help_text="In hours. Finance gets an email when a bill is late; 0: no bill is expected.",
            ),
        ),
    ]
