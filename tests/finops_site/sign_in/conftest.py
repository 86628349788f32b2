"""A provider called Example, which the site knows."""

import pytest
from django.core.cache import cache

from tests.finops_site.sign_in.provider import CLIENT, SECRET, Provider


@pytest.fixture
def provider(settings):
    """Keeps to the rules, and says that Kim is who signs in, with a verified address of example.com."""
    cache.clear()
    example = Provider()
    example.claims = {"sub": "kim-1", "email": "kim@example.com", "email_verified": True, "name": "Kim", "groups": []}
    settings.FINOPS_OIDC_ISSUER = example.issuer
    settings.FINOPS_OIDC_CLIENT_ID, settings.FINOPS_OIDC_CLIENT_SECRET = CLIENT, SECRET
    settings.FINOPS_OIDC_NAME = "Example"
    settings.FINOPS_OIDC_INNER = True
    settings.FINOPS_SIGN_IN_DOMAINS = ["example.com"]
    yield example
    example.close()
