"""The admin of usage."""

from usage.changes import admin as changes_admin  # noqa: F401
from usage.sources import connection_admin  # noqa: F401
from usage.worklist import admin as worklist_admin  # noqa: F401
