"""Texts at the level of a module or a class, which are translated when somebody reads them."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.utils import translation
from django.utils.functional import lazy


def gettext_lazy(text: str) -> str:
    """`text` in the language of whoever reads it, each time that it is written.

    Django's gettext_lazy, called a str: labels, titles and help texts are declared as text everywhere. Where a real str
    is needed (JSON, a key, ``" ".join``), write str(...) around it.
    """
    return cast(str, translation.gettext_lazy(text))


def pgettext_lazy(context: str, text: str) -> str:
    """`text` as it is meant in `context`, like `gettext_lazy`: "To" a day is not "To" a person."""
    return cast(str, translation.pgettext_lazy(context, text))


def text_lazy(write: Callable[[], str]) -> str:
    """What `write` says in the language of whoever reads it, each time that it is read.

    For sentences with figures that are stored for readers of every language (`in_every_language`). `write` looks
    nothing up: it only puts into words what is known already.
    """
    return lazy(write, str)()


def in_every_language(text: str) -> dict[str, str]:
    """{language: `text` in it}, of each language that the site speaks; a plain text is the same in all of them."""
    texts = {}
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            texts[code] = str(text)
    return texts
