"""What people type is asked only where it lies outside our network, and nobody keeps us waiting."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import translation

from finops_site.lib import http_client
from finops_site.lib.http_client import Undeliverable

HERE = {"127.0.0.1"}


class Receiver(BaseHTTPRequestHandler):
    taken: list = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.path, dict(self.headers), body))
        getattr(self, self.path.split("?")[0].strip("/"))()

    def fine(self):
        self.reply(200, b"ok")

    def broken(self):
        self.reply(503, b"try\nlater")

    def wrong(self):
        self.reply(410, b"no such hook")

    def elsewhere(self):
        self.send_response(307)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def silent(self):
        time.sleep(3)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 10_000)
        except OSError:
            return

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    Receiver.taken = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def post(url, **options):
    return http_client.post(url, b'{"text": "hello"}', {"Content-Type": "application/json"}, allowed=HERE, **options)


def test_a_message_arrives_as_it_was_written(receiver):
    assert post(f"{receiver}/fine?team=payments") == http_client.Answer(200, b"ok")
    ((path, headers, body),) = Receiver.taken
    assert (path, body) == ("/fine?team=payments", b'{"text": "hello"}')
    assert headers["Host"] == receiver.removeprefix("http://")


@pytest.mark.parametrize(
    ("path", "says", "passing"),
    [
        ("broken", "answers 503: try later", True),
        ("wrong", "answers 410: no such hook", False),
        ("elsewhere", "sends us elsewhere", False),
    ],
)
def test_an_answer_that_is_no_yes_is_said(receiver, path, says, passing):
    with pytest.raises(Undeliverable, match=says) as refused:
        post(f"{receiver}/{path}")
    assert refused.value.temporary is passing
    assert len(Receiver.taken) == 1, "a redirect is not followed"


def test_a_receiver_that_hangs_is_given_up(receiver):
    start = time.monotonic()
    with pytest.raises(Undeliverable, match="did not answer") as refused:
        post(f"{receiver}/silent", total=0.5)
    assert refused.value.temporary
    assert time.monotonic() - start < 2


def test_an_endless_answer_is_cut_off(receiver):
    assert len(post(f"{receiver}/endless").body) == http_client.MOST_BYTES


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.com/", "must begin with https"),
        ("https://user:password@hooks.example.com/", "without name or password"),
        ("https://:password@hooks.example.com/", "without name or password"),
        ("https://[bad", "no address"),
        ("ftp://hooks.example.com/", "must begin with https"),
        ("https://127.0.0.1/", "inside our own network"),
        ("https://169.254.169.254/latest/", "inside our own network"),
        ("https://10.0.0.1/", "inside our own network"),
        ("https://192.168.1.1:8443/", "inside our own network"),
        ("https://[::1]/", "inside our own network"),
        ("https://[::ffff:10.0.0.1]/", "inside our own network"),
        ("https://0x7f000001/", "inside our own network"),
        ("https://localhost/", "inside our own network"),
    ],
)
def test_nothing_inside_our_network_is_asked(url, says):
    with pytest.raises(Undeliverable, match=says):
        http_client.post(url, b"", {})


@pytest.mark.parametrize(
    "place",
    [
        *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.0.0.192"),
        *("192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        *("::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1"),
        *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1"),
        *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1", "3fff::1", "5f00::1", "fc00::1", "fd12::1"),
        *("fe80::1", "fec0::1", "ff02::1"),
    ],
)
def test_what_is_or_leads_to_an_inner_address_is_not_public(place):
    assert not http_client.is_public(place)


@pytest.mark.parametrize(
    "place", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2606:4700::1111"]
)
def test_the_open_internet_is_public(place):
    assert http_client.is_public(place)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "\uff11\uff12\uff17.0.0.1"],
)
def test_no_spelling_of_an_inner_address_is_asked(host):
    with pytest.raises(Undeliverable, match="inside our own network"):
        http_client.check_address_resolves(f"https://{host}/")


def test_the_connection_goes_to_the_address_that_was_looked_at(receiver, monkeypatch):
    here = [(2, 1, 6, "", ("127.0.0.1", int(receiver.rpartition(":")[2])))]
    resolved = []
    real = http_client.socket.getaddrinfo

    def resolve(host, *rest, **options):
        resolved.append(host)
        return here if host == "hooks.example.com" else real(host, *rest, **options)

    monkeypatch.setattr(http_client.socket, "getaddrinfo", resolve)
    url = receiver.replace("127.0.0.1", "hooks.example.com")
    assert http_client.post(f"{url}/fine", b"{}", {}, allowed={"hooks.example.com"}).status == 200
    assert resolved.count("hooks.example.com") == 1
    assert Receiver.taken[0][1]["Host"] == url.removeprefix("http://")


def test_a_name_that_changes_its_mind_gains_nothing(receiver, monkeypatch):
    answers = iter([[(2, 1, 6, "", ("10.0.0.7", 443))], [(2, 1, 6, "", ("93.184.215.14", 443))]])
    monkeypatch.setattr(http_client.socket, "getaddrinfo", lambda *_, **__: next(answers))
    with pytest.raises(Undeliverable, match="inside our own network"):
        http_client.post("https://rebinding.example.com/", b"", {})


def test_what_is_wrong_with_an_address_is_said_in_the_language_of_who_typed_it():
    with translation.override("de"), pytest.raises(Undeliverable, match="muss mit https:// beginnen"):
        http_client.check_address("http://hooks.example.com/new")
    with translation.override("fr"), pytest.raises(Undeliverable, match="dans notre propre réseau"):
        http_client.check_address_resolves("https://127.0.0.1/new")
