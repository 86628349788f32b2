"""The ground floor. Celery's app is made with it, so that tasks handed over by any process go to our broker."""

from finops_site.celery import app as celery_app

__all__ = ["celery_app"]
