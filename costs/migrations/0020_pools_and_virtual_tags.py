import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0007_exchange_rates"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pool",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                (
                    "description",
                    models.CharField(
                        blank=True, help_text="What is in it, and why nobody owns it alone.", max_length=500
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="deliverymonth",
            name="revision",
            field=models.PositiveIntegerField(default=0, help_text="how often its owners were named anew in place"),
        ),
        migrations.AddField(
            model_name="monthrollup",
            name="owner_rule",
            field=models.CharField(blank=True, help_text="which rule named the owner or the pool", max_length=200),
        ),
        migrations.AddField(
            model_name="tagset",
            name="delivered",
            field=models.ForeignKey(
                db_index=False,
                help_text="the set as the bill has it; null: this is it",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="costs.tagset",
            ),
        ),
        migrations.AddField(
            model_name="tagset",
            name="virtual",
            field=models.JSONField(default=dict, help_text="{key: value} that we set and the bill does not have"),
        ),
        migrations.AlterField(
            model_name="costline",
            name="owner_rule",
            field=models.CharField(blank=True, help_text="which rule named the owner or the pool", max_length=200),
        ),
        migrations.AlterField(
            model_name="tagset",
            name="tags",
            field=models.JSONField(
                default=dict, help_text="what counts: as delivered, with our virtual tags laid over it"
            ),
        ),
        migrations.AddField(
            model_name="costline",
            name="pool",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="costs.pool",
            ),
        ),
        migrations.AddField(
            model_name="dayrollup",
            name="pool",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="costs.pool",
            ),
        ),
        migrations.AddField(
            model_name="monthrollup",
            name="pool",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="costs.pool",
            ),
        ),
        migrations.AddField(
            model_name="restatedcost",
            name="pool",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="costs.pool",
            ),
        ),
    ]
