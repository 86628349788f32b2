"""Lets a person's assistant ask the API: a server of the Model Context Protocol."""

import os
from argparse import ArgumentParser
from typing import Any

from asgiref.sync import async_to_sync

from finops_site.api.assistant_tools import valid_token
from finops_site.ops.commands import BadInput, PlainCommand


class Command(PlainCommand):
    help = (
        "Serves the API to a person's assistant over the Model Context Protocol: over input and output, with the token "
        "of FINOPS_TOKEN; or with --http to everybody, each with her own token in the header Authorization."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--http", help="serve over HTTP instead, at this address: 127.0.0.1:8765")

    def handle(self, *args: Any, **options: Any) -> None:
        # Imported here: no other process needs the protocol.
        from finops_site.api import mcp_server

        if options["http"]:
            host, _, port = options["http"].rpartition(":")
            if not host or not port.isdecimal():
                raise BadInput("Write the address as host:port, like 127.0.0.1:8765.")
            mcp_server.serve_http(host, int(port))
            return
        token = os.environ.get("FINOPS_TOKEN", "")
        if not valid_token(token):
            raise BadInput("FINOPS_TOKEN holds no valid token: make one on the page API tokens.")
        async_to_sync(mcp_server.serve_stdio)(token)
