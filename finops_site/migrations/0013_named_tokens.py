"""Tokens have a name, a scope and an end, and several are a person's; sessions of a person can be ended at once.

Tokens of before go on working: their hash is kept, and their text, which lay in a table of its own, is not. Going back
makes that table anew, empty: nobody can tell a token from its hash, and people make new ones.
"""

from hashlib import sha256

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

OLD_TABLE = """
    CREATE TABLE authtoken_token (
        key varchar(40) PRIMARY KEY,
        created timestamptz NOT NULL,
        user_id bigint NOT NULL UNIQUE REFERENCES finops_site_user (id) DEFERRABLE INITIALLY DEFERRED
    )
"""


def keep_hashes(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Each old token under the name that it has from now on."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('authtoken_token')")
        if cursor.fetchone()[0] is None:
            return
        cursor.execute("SELECT key, created, user_id FROM authtoken_token")
        rows = cursor.fetchall()
    tokens = apps.get_model("finops_site", "ApiToken")
    tokens.objects.bulk_create(
        tokens(
            user_id=user,
            name="Token of before",
            scope="write",
            key_hash=sha256(key.encode()).hexdigest(),
            key_start=key[:8],
            created_at=created,
        )
        for key, created, user in rows
    )


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0012_groups_of_providers"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(
                default=0, editable=False, help_text="how often all her sessions were ended at once"
            ),
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                (
                    "scope",
                    models.CharField(
                        choices=[("read", "reads"), ("write", "reads and writes")], default="read", max_length=5
                    ),
                ),
                ("pillars", models.JSONField(blank=True, default=list, help_text="only these; none: all")),
                ("key_hash", models.CharField(max_length=64, unique=True)),
                ("key_start", models.CharField(blank=True, max_length=8)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, help_text="none: one of before tokens ended", null=True),
                ),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "ordering": ["name", "id"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("user"), django.db.models.functions.text.Lower("name"), name="one_token_of_a_name"
                    )
                ],
            },
        ),
        migrations.RunPython(keep_hashes, migrations.RunPython.noop),
        migrations.RunSQL("DROP TABLE IF EXISTS authtoken_token", OLD_TABLE),
    ]
