"""The WSGI door for gunicorn."""

import atexit
import gc
import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from finops_site.lib.shared_counts import share_counts
from finops_site.pillars import warm_up
from finops_site.ui.unreadable_requests import reads_what_it_can

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")

# Before anything counts: the workers that are forked from here count together.
share_counts()
application = reads_what_it_can(get_wsgi_application())
# Every view comes with the addresses: no worker's first request waits a second for them, and all share the memory.
import_module(settings.ROOT_URLCONF)
# After Django, which pillars stand on.
warm_up()
# What stands here by now is shared with the workers that are forked. Python's collector writes to what it looks at, and
# each worker would get a copy of it all.
gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)
