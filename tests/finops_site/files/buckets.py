"""S3 on loopback, and what a bucket is that refuses."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

from finops_site.files.product import forget_place

BUCKET = "finops"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:1"


@contextmanager
def s3_server():
    """The address of an S3 of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def environment(monkeypatch, url):
    """The environment of an operator whose bucket is at this address."""
    with monkeypatch.context() as own:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            own.setenv(name, "testing")
        own.setenv("AWS_REGION", "us-east-1")
        own.setenv("AWS_ENDPOINT_URL", url)
        forget_place()
        yield
    forget_place()


@contextmanager
def bucket(url):
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    client.create_bucket(Bucket=BUCKET)
    yield client
    delete_bucket(client)


def delete_bucket(client):
    if BUCKET not in [row["Name"] for row in client.list_buckets()["Buckets"]]:
        return
    for row in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=row["Key"])
    client.delete_bucket(Bucket=BUCKET)


@contextmanager
def refusing_server():
    """An S3 that denies whatever it is asked."""

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_HEAD = do_POST = do_DELETE = do_GET

        def log_message(self, *_ignored):
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
