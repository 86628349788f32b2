"""Keys of codes lie encrypted in the database, open what they opened before, and nothing without their own key."""

import importlib

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.cache import cache

from finops_site.lib.credential_box import is_sealed

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
migration = importlib.import_module("finops_site.migrations.0020_second_steps_encrypted")


def opens(step, secret=SECRET):
    # A code opens once: that it was used is forgotten.
    cache.clear()
    return TOTP(step).validate_code(code_of(secret))


def code_of(secret):
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def data_of(user):
    return {step.type: step.data for step in Authenticator.objects.filter(user=user)}


def test_an_app_and_recovery_codes_are_stored_encrypted_and_open(fay):
    app, codes = TOTP.activate(fay, SECRET).instance, RecoveryCodes.activate(fay)
    stored = data_of(fay)
    assert SECRET not in str(stored)
    assert is_sealed(stored["totp"]["secret"])
    assert is_sealed(stored["recovery_codes"]["seed"])
    assert opens(app)
    assert codes.validate_code(codes.generate_codes()[0])


def test_what_lay_in_the_clear_opens_is_encrypted_in_place_and_back(fay):
    app = Authenticator.objects.create(user=fay, type="totp", data={"secret": SECRET})
    codes = Authenticator.objects.create(user=fay, type="recovery_codes", data={"migrated_codes": ["12345678"]})
    Authenticator.objects.create(user=fay, type="webauthn", data={"name": "Key", "credential": {}})
    before = data_of(fay)
    assert opens(app)
    migration.encrypt(apps, None)
    app.refresh_from_db()
    codes.refresh_from_db()
    assert (SECRET in str(data_of(fay)), "12345678" in str(data_of(fay))) == (False, False)
    assert opens(app)
    assert RecoveryCodes(codes).get_unused_codes() == ["12345678"]
    migration.decrypt(apps, None)
    assert data_of(fay) == before


def test_without_its_key_no_code_opens_and_a_new_key_in_front_opens_the_old(fay, settings):
    app = TOTP.activate(fay, SECRET).instance
    keys = settings.FINOPS_CREDENTIAL_KEYS
    settings.FINOPS_CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    assert not any(opens(app, secret) for secret in (SECRET, "", "AA======"))
    settings.FINOPS_CREDENTIAL_KEYS = [*settings.FINOPS_CREDENTIAL_KEYS, *keys]
    assert opens(app)
