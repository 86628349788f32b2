"""The files of imports among the files of the product."""

from pathlib import Path

from finops_site.files.product import product_files


def path_here(name: str) -> Path | None:
    """Where a file of an import can be read on this machine; None where there is none. Raises FilesUnreachable."""
    try:
        # One that is written in full lies where it says.
        path = Path(name) if Path(name).is_absolute() else product_files().file_here(name)
    except FileNotFoundError:
        return None
    return path if path.exists() else None
