"""Bills in a folder of this machine."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from costs.charges.layouts import Entry
from costs.models import Source
from costs.sources.storage import Bucket, StorageProblem, as_storage_problem


class Folder:
    """A folder below one of FINOPS_FOLDERS."""

    def __init__(self, source: Source) -> None:
        self.root = allowed_folder(source.bucket)

    def listing(self) -> Iterator[Entry]:
        if not self.root.is_dir():
            raise StorageProblem(_("The folder {root} is not there.").format(root=self.root))
        if not os.access(self.root, os.R_OK | os.X_OK):
            raise StorageProblem(_("The folder {root} may not be read.").format(root=self.root), is_denied=True)
        for path in sorted(self.root.rglob("*")):
            # A link may lead out of the folder; a file that is still written would be read half.
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                stat = path.stat()
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                yield Entry(str(path.relative_to(self.root)), str(stat.st_mtime_ns), stat.st_size, modified)

    def fetch(self, key: str, target: Path) -> None:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise StorageProblem(_("{key} leads out of the folder.").format(key=key))
        shutil.copyfile(path, target)

    def store(self, key: str, path: Path) -> None:
        raise StorageProblem(_("Bills are only read here: exports go to a folder of FINOPS_EXPORT_FOLDERS."))


class ExportFolder:
    """A folder below one of FINOPS_EXPORT_FOLDERS, into which exports are written."""

    def __init__(self, place: Bucket) -> None:
        self.root = allowed_folder(place.bucket, "FINOPS_EXPORT_FOLDERS")

    def store(self, key: str, path: Path) -> None:
        target = (self.root / key).resolve()
        if not target.is_relative_to(self.root):
            raise StorageProblem(_("{key} leads out of the folder.").format(key=key))
        with as_storage_problem(lambda error: None):
            target.parent.mkdir(parents=True, exist_ok=True)
            # Whoever reads the folder sees the whole file or the one before.
            half = target.with_name(f".{target.name}.part")
            shutil.copyfile(path, half)
            half.replace(target)


def allowed_folder(text: str, setting: str = "FINOPS_FOLDERS") -> Path:
    """A folder that somebody names, below one that the administrator of the machine allows; raises StorageProblem."""
    allowed = [Path(folder).resolve() for folder in getattr(settings, setting)]
    path = (allowed[0] / text).resolve() if allowed else Path(text).resolve()
    if not any(path.is_relative_to(folder) for folder in allowed):
        raise StorageProblem(
            _("{text} is not below a folder that {setting} allows.").format(text=text, setting=setting)
        )
    return path
