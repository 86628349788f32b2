"""Settings of the test run: the real ones, with cheap passwords and a mailbox in memory."""

import os
import tempfile

os.environ.setdefault("SECRET_KEY", "only-for-tests")
os.environ.setdefault("EMBEDDED", "1")
os.environ.setdefault("FINOPS_VAR", tempfile.mkdtemp(prefix="finops-test-var-"))

from pathlib import Path

from finops_site.lib.catalogs import compile_catalogs
from finops_site.settings import *  # noqa: F403

# Before anybody reads them; run.py has done it where it starts the tests.
compile_catalogs(Path(__file__).resolve().parents[1])

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["*"]
# Tests ask more often than anybody: those of limits set one.
FINOPS_API_LIMIT = FINOPS_TOKEN_LIMIT = FINOPS_LINK_LIMIT = ""
# Looked up where a test asks for one: every client would list all files of all packages anew.
WHITENOISE_AUTOREFRESH = True
