#!/usr/bin/env python
"""Django's command line for this project; `run.py manage ...` calls it with the embedded servers up."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops_site.settings")
    from finops_site.audit.command_line import CommandLine

    CommandLine(sys.argv).execute()


if __name__ == "__main__":
    main()
