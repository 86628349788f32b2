"""The names in an address, of a page, a file or the API: what nobody reads is refused, never ignored. Pure.

An answer that leaves a filter out is about more than was asked, and nobody sees it.
"""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

# In the address of a page: the saved view that it was opened as.
VIEW = "view"
# So many known names are listed where one is refused.
MOST = 40


class BadFilter(ValueError):
    """A filter that nobody can apply; the message says what to write instead."""


def check_names(
    names: Iterable[str], known: Iterable[str], takes: Callable[[str], bool] = lambda name: False, *, others: str = ""
) -> None:
    """Raises BadFilter for the first name that is neither `known` nor one that `takes` accepts, with the nearest known.

    `others`: what `takes` accepts, in words: ``tag:<Key>``.
    """
    listed = list(dict.fromkeys(known))
    for name in names:
        if name not in listed and not takes(name):
            use = what_to_use(name, listed, others) or "this address takes nothing behind its question mark."
            raise BadFilter(f"{name[:80]!r} is nothing to group or filter by: {use}")


def check_once(given: Iterable[tuple[str, Sequence[str]]], takes_many: Callable[[str], bool]) -> None:
    """Raises BadFilter for the first name that has different values, an empty one among them, and takes one alone.

    Only the last of them would be read.
    """
    for name, values in given:
        if len(set(values)) > 1 and not takes_many(name):
            listed = ", ".join(repr(value[:80]) for value in dict.fromkeys(values))
            raise BadFilter(f"{name[:80]!r} takes one value and has several: {listed}. Leave one of them.")


def what_to_use(name: str, known: Sequence[str], others: str = "") -> str:
    """``did you mean 'team'? Use team, service or tag:<Key>.``; empty where nothing is known."""
    use = ", ".join(known[:MOST]) + (f" or {others}" if others else "")
    near = nearest(name, known)
    hint = f"did you mean {near!r}? Use " if near else "use "
    return f"{hint}{use}." if use else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that somebody probably meant, capitals aside; empty where none is near."""
    by_small = {other.lower(): other for other in known}
    matches = get_close_matches(name.lower(), by_small, n=1, cutoff=0.6)
    return by_small[matches[0]] if matches else ""
