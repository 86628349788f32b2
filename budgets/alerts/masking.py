"""What the audit log may store of a channel's address."""

from urllib.parse import urlsplit


def only_the_host(url: str) -> str:
    """``hooks.slack.com`` of an address: the rest of it is as secret as a key."""
    host = urlsplit(url).hostname
    return f"{host}/…" if host else ""
