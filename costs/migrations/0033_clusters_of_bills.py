"""A file of allocations may be a bill, which says itself what ran on its machines."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("costs", "0032_index_of_resources_by_hash")]

    operations = [
        migrations.AddField(
            model_name="clusterfile",
            name="delivery",
            field=models.ForeignKey(
                blank=True,
                help_text="the bill that says it itself; empty where somebody brought the files",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="cluster_files",
                to="costs.delivery",
            ),
        ),
    ]
