"""The tags that we set ourselves, as costs asks for them."""

from costs.owners import VirtualTag


def virtual_tags() -> list[VirtualTag]:
    """Every virtual tag, in the order in which a later one counts before an earlier."""
    return []
