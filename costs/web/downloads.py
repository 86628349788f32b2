"""Files that people fetch."""

from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from costs.models import FocusExport


def export_file(export: FocusExport) -> FileResponse:
    """The file of an export as a download; 404 while there is none."""
    try:
        return FileResponse(export.path.open("rb"), as_attachment=True, filename=export.file_name)
    except FileNotFoundError:
        raise Http404(_("The file is not written yet, or not kept any more.")) from None
