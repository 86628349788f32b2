"""The audit log: who did what, from where, before and after; written by the database itself, sealed, and never edited.

`declared` says which tables are audited, `triggers` puts it into the database, `context` tells it who acts, `events`
writes what changes no row, `chain` seals and verifies, `stream` sends it on, `upkeep` alone takes anything away.
"""
