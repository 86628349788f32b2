"""A new database is made with progress, so that whoever starts it the first time knows that something happens."""

from io import StringIO

import pytest
from django.core.management import call_command

from finops_site.management.commands.prepare_database import Progress


def test_a_line_for_each_tenth_says_how_far_it_is_and_what_is_made():
    out = StringIO()
    progress = Progress(out, 40)
    for number in range(40):
        app = "costs" if number < 20 else "budgets"
        progress.write(f"  Applying {app}.{number:04}_x...")
        progress.write(" OK\n")
    lines = out.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("  0%, 1 of 40: tables of costs", "  90%, 37 of 40: tables of budgets")
    assert len(lines) == 10


@pytest.mark.django_db
def test_a_database_that_is_ready_is_left_alone_without_a_word(capfd):
    call_command("prepare_database")
    assert capfd.readouterr().err == ""
