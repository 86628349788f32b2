"""What a hostile client sends, and how it is told whether an answer was an error of ours.

Every choice is made by a seed, which is the name of what is tried: a run finds what the last one found. The suite takes
a sample; ``FINOPS_HOSTILE=40`` sends so many requests for each person and address instead.
"""

import os
import random
import re
from contextlib import contextmanager
from urllib.parse import quote_plus

from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.test.client import ClientHandler

from finops_site.ui.unreadable_requests import without_odd_headers

# How many requests for each (person, address): 0 leaves it to each test.
LONG = int(os.environ.get("FINOPS_HOSTILE", "0"))
# Texts that no page expects, whatever it asks for. Bytes are sent as they are.
TEXTS = [
    *("", " ", "\0", "a\0b", "0", "-1", "-0", "1", str(2**31), str(2**63), str(2**70), "1" + "0" * 40, "9" * 5000),
    *("NaN", "sNaN", "-Infinity", "Infinity", "1e400", "1E-400", "0x10", "1_000", "1,2,3", "²", "٣", "½", "1" * 30),
    *("0000-01-01", "0001-01-01", "9999-12-31", "99999-12-31", "2026-02-31", "2026-13", "0000-00", "0001-01"),
    *("9999-12", "2026-02-31T25:61:61Z", "today", "-2026-01-01", "2026-01", "2026-01-01"),
    *(
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"%",
        b"%zz",
        "\ud83d",
        "‮txt.exe",
        "\u200f\u200e",
        "🙂" * 300,
        "é" * 400,
        "x" * 3000,
    ),
    *("[" * 900 + "]" * 900, "{" * 900, '{"a": [1]}', "[]", "{}", "null", "true", "on", "[[1], {}]", '"'),
    *("../../etc/passwd", "' OR 1=1 --", "%s%n%(x)s", "{0.__class__}", "{{7*7}}", "{% load %}", "=1+1", "<script>"),
    *("\r\nX-Injected: 1", "a\nb", "tag:", "tag:\0", "tag:" + "x" * 500, "cluster:", "-", "--x", ",", ";", "|", ">=1"),
    *("http://[::1", "http://a\0", "javascript:alert(1)", "//evil.example", "file:///etc/passwd", "AWS", "USD", "us"),
]
LONGER = ["x" * 300_000, "1 " * 40_000, "a,b\n" * 20_000, "[" * 100_000, "\t".join(["x"] * 20_000)]
FILES = [
    ("empty.csv", b""),
    ("nul.csv", b"a,b\n\0,\0\n" * 50),
    ("no-text.csv", bytes(range(256)) * 20),
    ("zip.zip", b"PK\x03\x04" + b"\0" * 200),
    ("gzip.csv.gz", b"\x1f\x8b\x08" + b"\xff" * 100),
    ("parquet.parquet", b"PAR1" + b"\xff" * 64 + b"PAR1"),
    ("sheet.xlsx", b"PK\x05\x06" + b"\0" * 18),
    ("wide.csv", b",".join(b"c%d" % number for number in range(3000)) + b"\n" + b"," * 2999 + b"\n"),
    ("odd.csv", b'"name","amount"\n"a' + b"x" * 200_000),
    ("same.csv", b"a,a,a\n1,2,3\n"),
    ("..%2f..%2fetc/passwd\0.csv", b"BillingPeriodStart,BilledCost\n99999-01-01,1e9999\n"),
    ("deep.json", b"[" * 50_000),
    ("xml.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>'),
    ("utf16.csv", "name;amount\r\na;1".encode("utf-16")),
    ("x" * 300 + ".csv", b"name,amount\n\xff\xfe,NaN\n"),
]


def chance(*names):
    """The choices of one trial, the same in every run."""
    return random.Random(" ".join(map(str, names)))


def encoded(pairs):
    """(name, text or bytes) pairs as a browser would write them, half characters and broken UTF-8 too."""
    parts = ((quote_plus(_bytes(name)), quote_plus(_bytes(value))) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in parts)


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def mutated(fields, dice, *, most=3):
    """The fields of a form as (name, text) pairs, some of them left out, sent several times, or with odd texts."""
    chosen = {name: list(values) if isinstance(values, list | tuple) else [values] for name, values in fields.items()}
    names = [name for name in chosen if name != "csrfmiddlewaretoken"]
    for name in dice.sample(names, min(len(names), dice.randint(1, most))):
        way = dice.randrange(8)
        if way == 0:
            del chosen[name]
        elif way == 1:
            chosen[name] = [dice.choice(TEXTS), dice.choice(TEXTS)]
        elif way == 2:
            chosen[f"{name}[a][]"] = chosen.pop(name)
        elif way == 3:
            chosen[name] = [dice.choice(LONGER)]
        else:
            chosen[name] = [dice.choice(TEXTS)]
    return [(name, value) for name, values in chosen.items() for value in values]


class DoorOfTheWebServer(ClientHandler):
    """Hands requests over as finops_site/wsgi.py does."""

    def __call__(self, environ):
        return super().__call__(without_odd_headers(environ))


def through_the_door(client):
    """The same browser, as a web server would hand its requests over."""
    client.handler = DoorOfTheWebServer(client.handler.enforce_csrf_checks)
    return client


class Attack:
    """Sends requests of which nothing stays, and keeps those that were answered by an error of ours."""

    def __init__(self, client=None):
        self.client = through_the_door(client or Client())
        self.client.raise_request_exception = False
        self.failed = []
        self.statuses = []

    def send(self, method, url, body=b"", content_type="application/x-www-form-urlencoded", **extra):
        with undone():
            self.client.exc_info = None
            answer = self.client.generic(method, url, body, content_type, **extra)
            if hasattr(answer, "streaming_content"):
                b"".join(answer.streaming_content)
        self.statuses.append(answer.status_code)
        # Those of monitors say 503 where a part is away, as the worker of the tests is.
        if answer.status_code >= 500 and not url.startswith(("/readyz", "/healthz")):
            self.failed.append(f"{method} {url[:200]} {shortly(body)}: {cause_of(answer)}")
        return answer


@contextmanager
def undone():
    """What is done to the database meanwhile is taken back, and what the cache holds is forgotten."""
    cache.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def shortly(body):
    text = body if isinstance(body, str) else body.decode("latin-1")
    return re.sub(r"(.)\1{40,}", r"\1…", text)[:600]


def cause_of(answer):
    """The error and where in our code it came up."""
    kind, error, trace = answer.exc_info or (None, None, None)
    places = []
    while trace:
        path = trace.tb_frame.f_code.co_filename
        places.append(f"{path.rpartition('site-packages/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    ours = [place for place in places if "django" not in place and "/usr" not in place]
    return f"{kind.__name__ if kind else '?'} {str(error)[:120]} at {(ours or places or ['?'])[-1]} ({places[-1:]})"
