"""Settings of a restore drill: those of the site, of which nothing leaves: no mail, no task, no kept answer."""

from finops_site.settings import *  # noqa: F403

CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = "memory://"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
