"""Resources, virtual tags, suggestions and changes name their provider as cost lines do, and their keys follow."""

from django.db import migrations

# As costs/calc/providers.py has them on this day.
NAMES = {
    "AWS": "^ *(aws|amazon)([^a-z]|$)",
    "Azure": "^ *(azure|microsoft)([^a-z]|$)",
    "Google Cloud": "^ *(gcp|google)([^a-z]|$)",
    "Oracle": "^ *(oracle|oci)([^a-z]|$)",
    "Alibaba Cloud": "^ *(alibaba|aliyun)([^a-z]|$)",
    "Tencent Cloud": "^ *(tencent)([^a-z]|$)",
    "IBM Cloud": "^ *(ibm)([^a-z]|$)",
}
# {table that has provider, account and resource: the column of the resource's key}.
WITH_KEYS = {
    "tagging_taggedresource": "key",
    "tagging_virtualtag": "resource_key",
    "tagging_suggestion": "resource_key",
    "tagging_tagchange": "resource_key",
}
# {table that knows a resource by its key alone: what is unique beside it}.
BY_KEY = {"tagging_tagexception": (), "tagging_suggestiondecision": ("tag", "value")}
NEW_KEY = "md5(concat_ws(chr(31), %s, sub_account, resource))"


def rename(apps, schema_editor):
    """Nothing to go back to: the names mean the same. What there is already under the one name stays beside it."""
    with schema_editor.connection.cursor() as cursor:
        for name, pattern in NAMES.items():
            renamed = [name, pattern]
            cursor.execute(
                "CREATE TEMP TABLE renamed ON COMMIT DROP AS "
                + " UNION ".join(
                    f"SELECT {key} AS old, {NEW_KEY} AS new FROM {table} WHERE provider <> %s AND provider ~* %s"
                    for table, key in WITH_KEYS.items()
                ),
                [name, *renamed] * len(WITH_KEYS),
            )
            for table, unique in BY_KEY.items():
                taken = "".join(f" AND o.{column} = t.{column}" for column in unique)
                free = f"AND NOT EXISTS (SELECT FROM {table} o WHERE o.resource_key = r.new{taken})" if unique else ""
                cursor.execute(
                    f"UPDATE {table} t SET resource_key = r.new FROM renamed r WHERE t.resource_key = r.old {free}"
                )
            # Suggestions are made again every night.
            cursor.execute("DELETE FROM tagging_suggestion WHERE provider <> %s AND provider ~* %s", renamed)
            cursor.execute(
                "UPDATE tagging_virtualtag t SET state = 'undone' WHERE provider <> %s AND provider ~* %s "
                "AND state = 'active' AND \"end\" IS NULL AND EXISTS (SELECT FROM tagging_virtualtag o "
                "WHERE o.provider = %s AND o.sub_account = t.sub_account AND o.resource = t.resource "
                "AND lower(o.key) = lower(t.key) AND o.state = 'active' AND o.\"end\" IS NULL)",
                [*renamed, name],
            )
            for table, key in WITH_KEYS.items():
                cursor.execute(
                    f"UPDATE {table} SET {key} = {NEW_KEY}, provider = %s WHERE provider <> %s AND provider ~* %s",
                    [name, name, *renamed],
                )
            cursor.execute(
                "UPDATE tagging_compliancerollup SET provider = %s WHERE provider <> %s AND provider ~* %s",
                [name, *renamed],
            )
            cursor.execute("DROP TABLE renamed")


class Migration(migrations.Migration):
    dependencies = [("tagging", "0036_documents_are_frozen"), ("costs", "0039_families_of_services")]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop, elidable=True)]
