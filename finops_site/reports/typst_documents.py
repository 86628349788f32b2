"""PDFs and pictures, made by Typst in the process: one look, no network, the same bytes for the same input."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

from finops_site.lib.language import get_language
from finops_site.people.company import company_name
from finops_site.ui.one_export import begin_export

logger = logging.getLogger(__name__)

FONTS = Path(__file__).parents[1] / "fonts"
# PDF/A-2a: an archive can read it in decades, and a screen reader reads it in order (it is tagged).
ARCHIVED = "a-2a"
NO_GLYPH = "could not be displayed"
# The day that a file is of where nobody says it; Typst would otherwise write the time of making into it.
NO_TIME = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
PICTURE = b"""
#set page(width: auto, height: auto, margin: 0pt, fill: rgb(sys.inputs.surface))
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.width) * 1pt)
"""


def render_pdf(template: str, data: Mapping[str, Any], files: Mapping[str, str | bytes] | None = None) -> bytes:
    """The PDF of ``templates/pdf/<template>.typ`` filled with `data`; raises typst.TypstError where it cannot be made.

    It is PDF/A-2a, tagged. Where a name has a character that no font here has (FINOPS_FONTS adds a folder of fonts), it
    is an ordinary tagged PDF, in which that character is a box: better than no report; the log says so.

    `data` must hold `title` and may hold `subtitle`, `note` (the footer), `company` and `date` (ISO: as of when). It
    travels as JSON, so that no name in it is run as markup; amounts are given as {"amount": "1,234.50", "currency":
    "USD"}, already formatted. `files` are drawings (SVG text) that the template shows by `drawing(name)`.
    """
    begin_export()
    folder = settings.BASE_DIR / "templates" / "pdf"
    company = {} if "company" in data else {"company": company_name()}
    # Titles may be lazy: they are in the language of the document only now.
    common = _words()
    # A template with words of its own still has those of all documents.
    words = {**common["words"], **data.get("words", {})}
    content = json.dumps({**company, **common, **data, "words": words}, cls=DjangoJSONEncoder)
    drawings = {
        f"file:{name}": drawing if isinstance(drawing, str) else drawing.decode()
        for name, drawing in (files or {}).items()
    }
    source, inputs = folder / f"{template}.typ", {"data": content, **drawings}
    timestamp = int(datetime.fromisoformat(data["date"]).replace(tzinfo=UTC).timestamp()) if "date" in data else NO_TIME
    try:
        return _compile(source, folder, "pdf", inputs, timestamp=timestamp, pdf_standards=ARCHIVED)
    except typst.TypstError as error:
        if NO_GLYPH not in str(error):
            raise
        logger.warning("a PDF is not PDF/A, for no font here has a character of it: %s", error)
        return _compile(source, folder, "pdf", inputs, timestamp=timestamp)


def is_archivable(content: bytes) -> bool:
    """Whether a PDF of ours says that it is PDF/A: every character in it has a font."""
    return b"pdfaid:part" in content


def _words() -> dict[str, Any]:
    """The language of a document, and what its templates say themselves."""
    return {
        "language": get_language(),
        "words": {
            "Page {page} of {pages}": _("Page {page} of {pages}"),
            "Chart": _("Chart"),
            "The programme": _("The programme"),
            "Appendix": _("Appendix"),
            "Figures of the programme": _("Figures of the programme"),
        },
    }


def render_png(svg: str, *, width: int = 640, ppi: float = 144.0, surface: str = "#ffffff") -> bytes:
    """The drawing as a picture for a mail, `width` points wide; 144 pixels an inch are sharp on a phone."""
    inputs = {"svg": svg, "width": str(width), "surface": surface}
    return _compile(PICTURE, FONTS, "png", inputs, ppi=ppi)


def _compile(source: Path | bytes, root: Path, kind: str, inputs: dict[str, str], **more: Any) -> bytes:
    document = typst.compile(  # type: ignore[call-overload]
        str(source) if isinstance(source, Path) else source,
        root=str(root),
        font_paths=[str(FONTS), *filter(None, [settings.FINOPS_FONTS])],
        format=kind,
        sys_inputs=inputs,
        **{"timestamp": NO_TIME, **more},
    )
    return document[0] if isinstance(document, list) else document
