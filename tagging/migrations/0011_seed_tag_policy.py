"""The policy the product starts with: five required tags and four optional ones. Finance edits it from here on."""

from django.db import migrations

# key, required, what people should write, other keys that mean it
START = (
    ("Owner", True, "Who answers for it: a person or a list of addresses.", ["user:Owner"]),
    ("Environment", True, "What it is for: Production, Staging, Test, Development.", ["env", "user:Environment"]),
    ("Team", True, "The team that runs it.", ["user:Team"]),
    ("CostCenter", True, "The cost centre finance books it on.", ["cost-center", "cost_center", "user:CostCenter"]),
    ("Project", True, "What it was made for.", ["user:Project"]),
    ("ExpirationDate", False, "The day it may be removed, like 2026-12-31.", ["expiration-date"]),
    ("BackupPolicy", False, "How it is backed up.", ["backup-policy"]),
    ("Compliance", False, "The rules its data falls under, like PCI or GDPR.", []),
    ("Application", False, "The application it is part of.", ["app"]),
)


def start(apps, schema_editor):
    model = apps.get_model("tagging", "TagRequirement")
    if model.objects.exists():
        return
    model.objects.bulk_create(
        model(key=key, is_required=required, description=words, key_aliases=aliases, order=10 * number)
        for number, (key, required, words, aliases) in enumerate(START, 1)
    )


class Migration(migrations.Migration):
    dependencies = [("tagging", "0010_tag_policy")]

    operations = [migrations.RunPython(start, migrations.RunPython.noop)]
