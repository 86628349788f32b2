"""Benchmarks: they print ratios against a peer or the limit in the same run, and are no tests.

``python3 run.py manage shell -c "from benchmarks import load; load.main()"``
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fresh_database() -> Iterator[dict[str, str]]:
    """A migrated database and data folder of their own; yields the environment for processes that use them."""
    from django.conf import settings
    from django.db import connection

    name = connection.creation.create_test_db(verbosity=0, serialize=False, autoclobber=True)
    before = settings.FINOPS_VAR
    with tempfile.TemporaryDirectory(prefix="finops-bench-") as folder:
        settings.FINOPS_VAR = folder
        server = connection.settings_dict
        url = f"postgres://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{name}"
        try:
            yield {**os.environ, "DATABASE_URL": url, "FINOPS_VAR": folder}
        finally:
            settings.FINOPS_VAR = before
            connection.creation.destroy_test_db(name, verbosity=0)
