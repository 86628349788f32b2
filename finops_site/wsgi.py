"""The WSGI door for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from finops_site.lib.shared_counts import share_counts
from finops_site.pillars import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")

# Before anything counts: the workers that are forked from here count together.
share_counts()
application = get_wsgi_application()
# After Django, which pillars stand on.
warm_up()
