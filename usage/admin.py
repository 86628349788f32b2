"""The admin of usage."""

from usage.worklist import admin as worklist_admin  # noqa: F401
