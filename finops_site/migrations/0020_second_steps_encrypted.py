"""Keys of codes and of recovery codes that lie in the clear are encrypted where they are, as new ones are.

A copy of the version before that still runs beside this one takes no codes meanwhile; passkeys and sessions go on.
"""

from django.conf import settings
from django.db import migrations

from finops_site.lib.credential_box import credential_box, is_sealed

NAMES = ("secret", "seed")


def change_secrets(apps, change):
    for step in apps.get_model("mfa", "Authenticator").objects.exclude(type="webauthn").iterator():
        data = {name: change(value) if name in NAMES and value else value for name, value in step.data.items()}
        if data.get("migrated_codes"):
            data["migrated_codes"] = [change(code) for code in data["migrated_codes"]]
        if data != step.data:
            step.data = data
            step.save(update_fields=["data"])


def encrypt(apps, schema_editor):
    box = credential_box(settings.FINOPS_CREDENTIAL_KEYS)
    change_secrets(apps, lambda text: text if is_sealed(text) else box.encrypt(text.encode()).decode())


def decrypt(apps, schema_editor):
    box = credential_box(settings.FINOPS_CREDENTIAL_KEYS)
    change_secrets(apps, lambda text: box.decrypt(text.encode()).decode() if is_sealed(text) else text)


class Migration(migrations.Migration):
    dependencies = [
        ("finops_site", "0019_entries_of_the_log_before"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(encrypt, decrypt)]
