"""The audit log sent on to a SIEM: sealed entries in the order of their numbers, each at least once.

FINOPS_AUDIT_STREAM is the path of a file (JSON lines) or an address: ``syslog://host:port`` (RFC 5424 over TCP, framed
by length as RFC 6587 has it), ``syslog+tls://`` the same encrypted, ``syslog+udp://`` without any answer. How far it is
stands in the database and is written after a batch has arrived: what failed halfway is sent again, and is known there
by its number.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.db import transaction

from finops_site.audit import chain
from finops_site.audit.lines import as_line
from finops_site.models import AuditEntry, AuditStream

BATCH = 500
SECONDS = 10
# Facility 13, "log audit"; severity 6, informational, and 4 for what a person should look at.
FACILITY, INFORMATION, WARNING = 13, 6, 4
LOOK_AT = (AuditEntry.Action.SIGN_IN_FAILED, AuditEntry.Action.LOCKED_OUT, AuditEntry.Action.TRUNCATE)
# What a datagram holds on any network worth the name; a longer line is cut by most receivers.
LONGEST_DATAGRAM = 60_000
MARK = b"\xef\xbb\xbf"


class StreamProblem(Exception):
    """The receiver did not take it; the message says why."""


def send_on(now: datetime) -> int:
    """Seals what waits, and sends what was not sent; returns how many entries. Raises StreamProblem, and keeps it."""
    chain.seal()
    target = settings.FINOPS_AUDIT_STREAM
    if not target:
        return 0
    sent, problem = 0, ""
    while not problem:
        # One process at a time: the row is the queue.
        with transaction.atomic():
            AuditStream.objects.get_or_create(target=target)
            place = AuditStream.objects.select_for_update().get(target=target)
            rows = AuditEntry.objects.filter(number__gt=place.number).order_by("number")
            entries = list(rows.defer(None)[:BATCH])
            try:
                if entries:
                    _send(target, entries)
                    place.number, place.sent_at = entries[-1].number or 0, now
                place.problem = ""
            except (OSError, StreamProblem) as error:
                problem = place.problem = f"{type(error).__name__}: {error}"[:500]
            place.save()
        sent += 0 if problem else len(entries)
        if len(entries) < BATCH:
            break
    if problem:
        raise StreamProblem(problem)
    return sent


def waiting() -> int:
    """How many sealed entries were not sent; 0 where nothing is sent anywhere."""
    target = settings.FINOPS_AUDIT_STREAM
    place = AuditStream.objects.filter(target=target).first()
    return AuditEntry.objects.filter(number__gt=place.number if place else 0).count() if target else 0


def _send(target: str, entries: Sequence[AuditEntry]) -> None:
    if "://" not in target:
        _append(Path(target), entries)
        return
    address = urlsplit(target)
    if address.scheme == "syslog+udp":
        _send_datagrams(address, entries)
    elif address.scheme in ("syslog", "syslog+tcp", "syslog+tls"):
        _send_stream(address, entries)
    else:
        raise StreamProblem(f"{address.scheme}:// is none of syslog://, syslog+tls:// and syslog+udp://")


def _append(path: Path, entries: Sequence[AuditEntry]) -> None:
    """Whole lines at the end of the file, on the disk before they count as sent."""
    text = "".join(f"{as_line(entry)}\n" for entry in entries).encode()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def message(entry: AuditEntry) -> bytes:
    """An entry as a message of syslog (RFC 5424)."""
    severity = WARNING if entry.action in LOOK_AT else INFORMATION
    name = entry.action.replace(" ", "-")
    head = f"<{FACILITY * 8 + severity}>1 {entry.at.isoformat()} {_host()} finops {entry.door} {name} - "
    return head.encode() + MARK + as_line(entry).encode()


def _host() -> str:
    name = urlsplit(settings.SITE_URL).hostname or socket.gethostname()
    return name.encode("ascii", "replace").decode()[:255]


def _place(address: SplitResult) -> tuple[str, int]:
    if not address.hostname:
        raise StreamProblem("it names no host")
    return address.hostname, address.port or (6514 if address.scheme == "syslog+tls" else 514)


def _send_datagrams(address: SplitResult, entries: Sequence[AuditEntry]) -> None:
    host, port = _place(address)
    family, kind, protocol, _name, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.connect(place)
        for entry in entries:
            sender.send(message(entry)[:LONGEST_DATAGRAM])


def _send_stream(address: SplitResult, entries: Sequence[AuditEntry]) -> None:
    """All over one connection, whose end is waited for: a receiver that broke off in between did not take it."""
    host, port = _place(address)
    with socket.create_connection((host, port), timeout=SECONDS) as plain:
        secure = address.scheme == "syslog+tls"
        sender = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        with sender:
            for entry in entries:
                text = message(entry)
                sender.sendall(str(len(text)).encode() + b" " + text)
            # Syslog has no answer; that the receiver ends after us and without an error is the next best.
            # Some never end a connection by themselves, or not as TLS has it.
            with suppress(TimeoutError, ssl.SSLError):
                if isinstance(sender, ssl.SSLSocket):
                    sender.unwrap()
                    return
                sender.shutdown(socket.SHUT_WR)
                while sender.recv(4096):
                    pass
