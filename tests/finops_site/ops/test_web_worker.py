"""An address that is longer than the server reads is answered in words, to people and to programs."""

import logging
import socket
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidRequestLine, LimitRequestLine, ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import ThreadWorker

from finops_site.ops.web_worker import WebWorker


def answer_to(error):
    """What a program reads of the worker that could not read its request."""
    ours, theirs = socket.socketpair()
    worker = SimpleNamespace(log=logging.getLogger("test"))
    WebWorker.handle_error(worker, None, ours, ("127.0.0.1", 1), error)
    ours.close()
    with theirs.makefile("rb") as stream:
        return stream.read().decode()


def test_who_asks_the_api_by_too_long_an_address_gets_414_and_what_to_do():
    head, body = answer_to(LimitRequestLine(9000, 8190)).split("\r\n\r\n", 1)
    lines = head.split("\r\n")
    assert lines[0] == "HTTP/1.1 414 URI Too Long"
    # A program that keeps its connection must know where the answer ends.
    assert f"Content-Length: {len(body.encode())}" in lines
    assert "Connection: close" in lines
    assert "Ask for less at once" in body


def test_what_is_wrong_in_another_way_is_answered_by_the_server_itself(monkeypatch):
    seen = []
    monkeypatch.setattr(ThreadWorker, "handle_error", lambda self, *given: seen.append(given))
    worker = WebWorker.__new__(WebWorker)
    worker.handle_error(None, None, None, InvalidRequestLine("x"))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 3\r\nContent-Length: 30",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: -3",
        "Content-Length: +3",
        "Content-Length : 3",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "X-Forwarded-For: a\nContent-Length: 3",
    ],
)
def test_a_request_whose_end_two_servers_could_see_elsewhere_is_refused(headers):
    sent = f"POST /token/ HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\nabc".encode()
    with pytest.raises(ParseException):
        next(RequestParser(Config(), iter([sent]), ("127.0.0.1", 1)))
