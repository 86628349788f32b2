"""Two versions run beside each other while a site is upgraded: a migration leaves tables that the older one can use.

So a column that is added may be empty or has a default in the database; nothing is renamed; what goes is left alone for
one version first. docs/operations.md says how it is done in two steps.
"""

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.fields import NOT_PROVIDED

# The last migrations before the rule, with those that were on their way when it came.
BEFORE = {
    "finops_site": 18,
    "costs": 44,
    "tagging": 44,
    "budgets": 17,
    "reservations": 13,
    "usage": 8,
    "programme": 8,
}
# "app.name": why the older version is not hurt.
EXPLAINED: dict[str, str] = {}


def dangers(operation):
    """What the version before cannot live with."""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return [text for part in operation.database_operations for text in dangers(part)]
    if isinstance(operation, migrations.AddField) and not is_filled_by_the_database(operation.field):
        return [f"{operation.name} is added without null=True or db_default: the version before cannot insert a row"]
    if isinstance(operation, migrations.RenameField | migrations.RenameModel | migrations.AlterModelTable):
        return [f"{operation.describe()}: the version before asks for the old name"]
    if isinstance(operation, migrations.RemoveField | migrations.DeleteModel):
        return [
            f"{operation.describe()}: the version before still reads it; take it out of the code one version before"
        ]
    return []


def is_filled_by_the_database(field):
    return field.many_to_many or field.null or field.db_default is not NOT_PROVIDED


def new_migrations():
    loader = MigrationLoader(None)
    return {
        f"{app}.{name}": migration
        for (app, name), migration in loader.disk_migrations.items()
        if app in BEFORE and int(name[:4]) > BEFORE[app]
    }


def test_a_new_migration_leaves_what_the_version_before_needs():
    dangerous = {
        name: [text for operation in migration.operations for text in dangers(operation)]
        for name, migration in new_migrations().items()
        if name not in EXPLAINED
    }
    assert {name: texts for name, texts in dangerous.items() if texts} == {}


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        (migrations.AddField("user", "pet", models.TextField(default="")), "db_default"),
        (migrations.RenameField("user", "name", "full_name"), "old name"),
        (migrations.RenameModel("User", "Person"), "old name"),
        (migrations.RemoveField("user", "name"), "one version before"),
        (migrations.DeleteModel("User"), "one version before"),
    ],
)
def test_each_danger_is_seen(operation, word):
    (text,) = dangers(operation)
    assert word in text


@pytest.mark.parametrize(
    "field", [models.TextField(null=True), models.TextField(default="", db_default=""), models.ManyToManyField("self")]
)
def test_what_the_database_fills_by_itself_is_none(field):
    assert dangers(migrations.AddField("user", "pet", field)) == []
