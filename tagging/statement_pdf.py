"""A statement as a PDF."""

from tagging.models import Statement


def pdf(statement: Statement) -> bytes:
    return b"%PDF-1.7\n"
