"""What the fault tests of reports kill: see tests/forked.py."""

from datetime import datetime

import django

django.setup()

from programme.reports import runs  # noqa: E402
from tests import forked  # noqa: E402


def make_due(_: str, now: datetime) -> None:
    """What beat starts every five minutes."""
    runs.make_due(now)


if __name__ == "__main__":
    # Composes and draws once before the forks, so that what they are killed in is their work and not an import.
    from programme.reports import compose, paper  # noqa: F401

    forked.main({"due": make_due})
