"""The tags that we set ourselves, as costs asks for them."""

from costs.calc.allocation_rules import VirtualTag
from tagging.models import VirtualTag as Stored


def virtual_tags() -> list[VirtualTag]:
    """Every virtual tag in force, in the order in which a later one counts before an earlier."""
    return Stored.objects.as_virtual_tags()
