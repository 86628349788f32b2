"""A statement as a file that is mailed and downloaded."""

import csv
import io

from finops_site.tables import safe_cell
from tagging import statement_figures
from tagging.models import Statement


def attachment(statement: Statement) -> tuple[str, str, str]:
    """(file name, content, type) of what is mailed with a closed statement."""
    page = io.StringIO()
    rows = statement_figures.table([statement])
    csv.writer(page).writerows([safe_cell(cell) for cell in row] for row in rows)
    return f"statement-{statement.number}.csv", page.getvalue(), "text/csv"
