"""PDFs and pictures, made by Typst in the process: one look, no network, the same bytes for the same input."""

import json
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

FONTS = Path(__file__).parents[1] / "fonts"
# Typst would otherwise write the time of making into the file.
NO_TIME = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
PICTURE = b"""
#set page(width: auto, height: auto, margin: 0pt, fill: rgb(sys.inputs.surface))
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.width) * 1pt)
"""


def render_pdf(template: str, data: Mapping[str, Any], files: Mapping[str, str | bytes] | None = None) -> bytes:
    """The PDF of ``templates/pdf/<template>.typ`` filled with `data`; raises typst.TypstError where it cannot be made.

    `data` must hold `title` and may hold `subtitle`, `note` (the footer) and `company`. It travels as JSON, so that no
    name in it is run as markup; amounts are given as {"amount": "1,234.50", "currency": "USD"}, already formatted.
    `files` are drawings (SVG text) that the template shows by `drawing(name)`.
    """
    folder = settings.BASE_DIR / "templates" / "pdf"
    company = {} if "company" in data else {"company": company_name()}
    # Titles may be lazy: they are in the language of the document only now.
    content = json.dumps({**company, **_words(), **data}, cls=DjangoJSONEncoder)
    drawings = {
        f"file:{name}": drawing if isinstance(drawing, str) else drawing.decode()
        for name, drawing in (files or {}).items()
    }
    return _compile(folder / f"{template}.typ", folder, "pdf", {"data": content, **drawings})


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
        font_paths=[str(FONTS)],
        format=kind,
        sys_inputs=inputs,
        timestamp=NO_TIME,
        **more,
    )
    return document[0] if isinstance(document, list) else document
