from django.db import migrations, models
from django.db.models import BigIntegerField, F, Func, Value

HASH = Func(F("resource"), Value(0), function="hashtextextended", output_field=BigIntegerField())
DROP = "DROP INDEX costline_by_resource"
TABLE = "costs_costline"


class Migration(migrations.Migration):
    """Numbers are sorted in a third of the time that an index of texts takes, for millions of lines."""

    dependencies = [("costs", "0031_tables_of_big_deliveries")]

    operations = [
        migrations.RunSQL(
            [DROP, f"CREATE INDEX costline_by_resource ON {TABLE} (hashtextextended(resource, 0))"],
            [DROP, f"CREATE INDEX costline_by_resource ON {TABLE} (md5(resource))"],
        ),
        migrations.AddIndex("resourcerollup", models.Index(HASH, name="resource_rollup_resource")),
    ]
