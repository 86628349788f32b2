"""The one HTTP client for addresses that people typed: nothing inside our network is reached through it.

A name is resolved once, every address it has is looked at, and the connection goes to the address that was looked at:
a name that changes its mind in between (DNS rebinding) gains nothing. Redirects are not followed. Pure: no Django.
"""

import ipaddress
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import urllib3

from finops_site.lib.language import gettext as _

CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 10.0
MOST_BYTES = 64 * 1024
# All that the open internet has of IPv6; what else may be reached through a router of ours is none of it.
OPEN_IPV6 = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# In the middle of an address: an IPv4 address follows.
ISATAP = 0x0000_5EFE
# Beside what Python knows, which differs by its version: protocols, benchmarks, Teredo, examples, multicast, reserved.
NEVER_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3"),
        *("2001::/23", "2001:db8::/32", "3fff::/20"),
    )
]


class Undeliverable(Exception):
    """The address was not asked, or its answer was an error; the message gives the reason in plain words.

    `temporary`: another try later may succeed.
    """

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = ""


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allowed: Collection[str] = (), total: float = TOTAL_SECONDS
) -> Answer:
    """Posts `body`; hosts in `allowed` may be private and unencrypted. Raises Undeliverable for all but a 2xx."""
    answer = ask("POST", url, body, headers, allowed=allowed, total=total)
    if not 200 <= answer.status < 300:
        raise Undeliverable(_refusal(answer), temporary=answer.status in (408, 425, 429) or answer.status >= 500)
    return answer


def ask(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    allowed: Collection[str] = (),
    total: float = TOTAL_SECONDS,
    most: int = MOST_BYTES,
) -> Answer:
    """The answer whatever its status is, and of its body the first `most` bytes. Raises Undeliverable for none."""
    parts = check_address(url, allowed)
    place = _resolved(parts, allowed)
    deadline = time.monotonic() + total
    with _pool(parts, place, total) as pool:
        return _send(pool, parts, method, body, headers, deadline, most)


def check_address(url: str, allowed: Collection[str] = ()) -> SplitResult:
    """The parts of an address that may be asked; raises Undeliverable, saying why, for one that may not."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Undeliverable(_("This is no address.")) from None
    if not parts.hostname or "@" in parts.netloc or port == 0:
        raise Undeliverable(_("Write the address like https://hooks.example.com/path, without name or password."))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in allowed):
        raise Undeliverable(_("The address must begin with https://."))
    return parts


def check_address_resolves(url: str, allowed: Collection[str] = ()) -> None:
    """Raises Undeliverable where `post` would refuse the address: asked when somebody types it, not only at night."""
    _resolved(check_address(url, allowed), allowed)


def _resolved(parts: SplitResult, allowed: Collection[str]) -> str:
    """The address to connect to; every one that the name has must be a public one."""
    assert parts.hostname
    try:
        entries = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Undeliverable(_("Nobody knows {host}.").format(host=parts.hostname), temporary=True) from None
    places = [str(entry[4][0]).split("%")[0] for entry in entries]
    if parts.hostname not in allowed and not all(is_public(place) for place in places):
        raise Undeliverable(
            _("{host} lies inside our own network: messages go to public addresses only.").format(host=parts.hostname)
        )
    return places[0]


def is_public(place: str) -> bool:
    """Whether an IP address is one of the open internet; what hides another one inside is judged by that."""
    address = ipaddress.ip_address(place)
    if isinstance(address, ipaddress.IPv6Address):
        inner = _address_inside(address)
        if inner:
            return is_public(str(inner))
        if address not in OPEN_IPV6:
            return False
    return address.is_global and not any(address in network for network in NEVER_PUBLIC)


def _address_inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to (mapped, 6to4, NAT64, ISATAP); None where it leads to none."""
    if address in NAT64 or int(address) >> 32 & 0xFDFF_FFFF == ISATAP:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _pool(parts: SplitResult, place: str, total: float) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, total), read=total)
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(place, _port(parts), timeout=timeout, retries=False)
    return urllib3.HTTPSConnectionPool(
        place,
        _port(parts),
        timeout=timeout,
        retries=False,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )


def _send(
    pool: urllib3.HTTPConnectionPool,
    parts: SplitResult,
    method: str,
    body: bytes | None,
    headers: Mapping[str, str],
    deadline: float,
    most: int,
) -> Answer:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": "FinOps", **headers, "Host": parts.netloc}
    try:
        response = pool.urlopen(method, path, body=body, headers=sent, redirect=False, preload_content=False)
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status, _body(response, deadline, most), kind)
    except urllib3.exceptions.SSLError as error:
        raise Undeliverable(
            _("{host} has no certificate we trust: {error}").format(host=parts.hostname, error=error)
        ) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Undeliverable(
            _("{host} did not answer: {error}.").format(host=parts.hostname, error=type(error).__name__), temporary=True
        ) from error


def _body(response: urllib3.BaseHTTPResponse, deadline: float, most: int) -> bytes:
    """The beginning of the answer; one that goes on for ever or drips is cut off."""
    body = b""
    try:
        while len(body) < most and time.monotonic() < deadline:
            chunk = response.read1(4096)
            if not chunk:
                return body
            body += chunk
        return body[:most]
    finally:
        response.close()


def _refusal(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return _("The address answers {status} and sends us elsewhere: give the address it means.").format(
            status=answer.status
        )
    words = " ".join(answer.body.decode("utf-8", "replace").split())[:200]
    if words:
        return _("The address answers {status}: {words}.").format(status=answer.status, words=words)
    return _("The address answers {status}.").format(status=answer.status)
