"""What only one may do at a time, whichever process it runs in."""

from django.db import connection


def wait_for(name: str) -> None:
    """Holds `name` until the transaction ends, and waits while another transaction holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])


def share(name: str) -> None:
    """Holds `name` until the transaction ends, beside others that share it; `wait_for` waits for them all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext(%s))", [name])
