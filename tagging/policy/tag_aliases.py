"""Under which names people give the same tag: what the policy tells the explorer."""

from tagging.models import TagRequirement


def aliases() -> dict[str, set[str]]:
    """{tag in small letters: every key, in small letters, that means it}."""
    return TagRequirement.objects.all().as_policy().aliases()
