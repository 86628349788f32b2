"""A server that is given nothing but what it must be given is safe; what is missing is said in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUST = {
    "SECRET_KEY": "a-key-of-a-server-0123456789-ABCDEFGHIJ-abcdefghij-42",
    "DATABASE_URL": "postgres://finops:secret@127.0.0.1:1/finops",
    "REDIS_URL": "redis://127.0.0.1:1",
    "ALLOWED_HOSTS": "finops.strand.example",
    "SITE_URL": "https://finops.strand.example",
}
# The last is set by tests with a browser, in a process that runs others too.
LEFT_OUT = {*MUST, "EMBEDDED", "DEBUG", "HTTPS", "DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE"}


def on_a_server(*command, **settings):
    outside = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    named = {name: value for name, value in (MUST | settings).items() if value is not None}
    env = outside | named | {"DJANGO_SETTINGS_MODULE": "finops_site.settings"}
    return subprocess.run([sys.executable, *command], env=env, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_check_deploy_has_nothing_to_say():
    checked = on_a_server("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout + checked.stderr


def test_debug_is_off_and_cookies_need_tls_unless_it_is_said_otherwise():
    code = "from django.conf import settings as s; print(s.DEBUG, s.HTTPS, s.SESSION_COOKIE_SECURE, s.EMBEDDED)"
    assert on_a_server("-c", code).stdout.split() == ["False", "True", "True", "False"]
    assert on_a_server("-c", code, HTTPS="0").stdout.split() == ["False", "False", "False", "False"]


def test_cookies_have_names_that_no_other_host_can_set_and_passwords_are_kept_by_argon2():
    code = (
        "import django; django.setup(); from django.conf import settings as s; from django.contrib.auth import hashers;"
        "from finops_site.ui import message_cookies as m, typed_text as t;"
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, m.HostCookieStorage.cookie_name, t.COOKIE,"
        "s.SECURE_HSTS_SECONDS, hashers.make_password('x')[:16])"
    )
    *cookies, hsts, password = on_a_server("-c", code).stdout.split()
    assert cookies == ["__Host-sessionid", "__Host-csrftoken", "__Host-messages", "__Host-forms_of"]
    assert (int(hsts) >= 365 * 86_400, password) == (True, "argon2$argon2id$")


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"])
def test_what_must_be_set_and_is_not_is_named(name):
    answer = on_a_server("-c", "import django; django.setup()", **{name: None})
    assert answer.returncode != 0
    assert "ImproperlyConfigured" in answer.stderr.splitlines()[-1]
    assert name in answer.stderr.splitlines()[-1]
