"""Trees that a table of parents describes, such as teams and budgets. Pure: no Django."""

from collections.abc import Iterator, Mapping


def all_above(node: int, parents: Mapping[int, int | None]) -> Iterator[int]:
    """The parent of a node, its parent and so on to the top, the nearest first; a circle ends where it closes."""
    visited = {node}
    while (parent := parents.get(node)) is not None and parent not in visited:
        visited.add(parent)
        node = parent
        yield parent
