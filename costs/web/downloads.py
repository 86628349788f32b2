"""Files that people fetch."""

from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from costs.models import FocusExport
from finops_site.files.product import product_files


def export_file(export: FocusExport) -> FileResponse:
    """The file of an export as a download; 404 while there is none."""
    try:
        stream, _size = product_files().open(export.place)
    except FileNotFoundError:
        raise Http404(_("The file is not written yet, or not kept any more.")) from None
    return FileResponse(stream, as_attachment=True, filename=export.file_name)
