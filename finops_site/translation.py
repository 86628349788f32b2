"""Texts at the level of a module or a class, which are translated when somebody reads them."""

from typing import cast

from django.utils import translation


def gettext_lazy(text: str) -> str:
    """`text` in the language of whoever reads it, each time that it is written.

    Django's gettext_lazy, called a str: labels, titles and help texts are declared as text everywhere. Where a real str
    is needed (JSON, a key, ``" ".join``), write str(...) around it.
    """
    return cast(str, translation.gettext_lazy(text))


def pgettext_lazy(context: str, text: str) -> str:
    """`text` as it is meant in `context`, like `gettext_lazy`: "To" a day is not "To" a person."""
    return cast(str, translation.pgettext_lazy(context, text))
