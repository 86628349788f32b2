"""The admin of usage."""

from usage.sources import connection_admin  # noqa: F401
from usage.worklist import admin as worklist_admin  # noqa: F401
