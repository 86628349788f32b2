"""Keys of codes and of recovery codes lie encrypted in the database: whoever reads a copy of it has no second step."""

import logging

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import InvalidToken
from django.conf import settings

from finops_site.lib.credential_box import credential_box, is_sealed

logger = logging.getLogger(__name__)


class MfaAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return credential_box(settings.FINOPS_CREDENTIAL_KEYS).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret. One that a copy of the version before wrote, while a site is upgraded, is in the clear."""
        if not is_sealed(encrypted_text):
            return encrypted_text
        try:
            return credential_box(settings.FINOPS_CREDENTIAL_KEYS).decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            # No code may open, and none does of a secret that nobody has; an empty one would be known to everybody.
            logger.error("a second step was encrypted with a key that FINOPS_CREDENTIAL_KEYS does not have")
            return str(generate_totp_secret())
