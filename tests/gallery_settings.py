"""Settings to look at the gallery: `manage.py runserver --settings tests.gallery_settings`."""

from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import TEMPLATES

ROOT_URLCONF = "tests.gallery"
TEMPLATES[0]["DIRS"] = [*TEMPLATES[0]["DIRS"], Path(__file__).parent / "gallery_templates"]
