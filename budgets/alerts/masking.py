"""What the audit log may keep of a channel's address."""

from urllib.parse import urlsplit


def only_the_host(url: str) -> str:
    """``hooks.slack.com`` of an address: the rest of it is as good as a key."""
    host = urlsplit(url).hostname
    return f"{host}/…" if host else ""
