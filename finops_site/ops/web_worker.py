"""The worker of the web server: a request that it refuses before Django sees it is answered in our own words."""

import os
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

from finops_site.lib.log_lines import JsonLines

TOO_LONG = 414


class WebLog(Logger):
    """The log of the server itself (its ``--logger-class``), in JSON where all other lines are."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if os.environ.get("FINOPS_LOG_FORMAT") == "json":
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(JsonLines())


class WebWorker(ThreadWorker):
    """Has a page for an address that is longer than the server reads (its ``--limit-request-line``)."""

    def init_process(self) -> None:
        from finops_site.ops.observers import watch_process

        watch_process()
        super().init_process()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        if not isinstance(exc, LimitRequestLine):
            super().handle_error(req, client, addr, exc)
            return
        # The server loads this class before Django is ready.
        from django.template.loader import render_to_string

        self.log.warning("an address is too long: %s", exc)
        page = render_to_string("bare_error.html", {"status": TOO_LONG}).encode()
        head = (
            f"HTTP/1.1 {TOO_LONG} URI Too Long\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(page)}\r\n\r\n"
        )
        try:
            util.write_nonblock(client, head.encode() + page)
        except OSError:
            self.log.debug("who sent a long address was gone before the answer")
