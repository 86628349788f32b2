"""Secrets that the site must read again, encrypted at rest by the keys of FINOPS_CREDENTIAL_KEYS. Pure: no Django."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet

# Every token of Fernet begins so: its version, and the high bytes of a time in seconds.
BEGINS = "gAAAAA"


def credential_box(keys: Sequence[str]) -> MultiFernet:
    """The first key encrypts, all of them open: a key is changed by putting a new one in front."""
    return MultiFernet([Fernet(key) for key in keys])


def is_sealed(text: str) -> bool:
    """Whether a text is one that came out of a box, and not a secret in the clear."""
    return text.startswith(BEGINS)
