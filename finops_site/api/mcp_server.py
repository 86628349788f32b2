"""The tools of `assistant_tools` over the Model Context Protocol. Only the command imports this."""

from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
import uvicorn
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.http.request import split_domain_port, validate_host
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from finops_site.api import assistant_tools

NAME = "finops"
# What people write before a token.
SCHEMES = ("token ", "bearer ")


def make_server(token: str = "") -> Server[Any]:
    """A server for the owner of `token`; without one every request brings its own, in its header Authorization."""

    def token_of(context: Any) -> str:
        return token if token or context.request is None else _token_in(context.request.headers)

    async def list_tools(context: Any, parameters: Any) -> types.ListToolsResult:
        operations = await _in_a_request(assistant_tools.tools_of, token_of(context))
        return types.ListToolsResult(tools=[_tool(operation) for operation in operations])

    async def call_tool(context: Any, parameters: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = parameters.arguments or {}
        answer = await _in_a_request(assistant_tools.call_tool, token_of(context), parameters.name, arguments)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)], is_error=answer.is_error
        )

    return Server(
        NAME,
        title="FinOps",
        instructions=assistant_tools.INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _token_in(headers: Mapping[str, str]) -> str:
    header = headers.get("authorization", "")
    scheme = next((scheme for scheme in SCHEMES if header.lower().startswith(scheme)), "")
    return header[len(scheme) :].strip() if scheme else ""


async def _in_a_request(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls it as Django does for a request: a connection that the database has closed meanwhile is not used again."""

    def call() -> Any:
        request_started.send(sender=make_server)
        try:
            return function(*arguments)
        finally:
            request_finished.send(sender=make_server)

    return await sync_to_async(call)()


def _tool(operation: assistant_tools.Operation) -> types.Tool:
    return types.Tool(
        name=operation.name,
        description=operation.description,
        input_schema=dict(operation.schema),
        annotations=types.ToolAnnotations(read_only_hint=operation.only_reads, destructive_hint=False),
    )


async def serve_stdio(token: str) -> None:
    """Serves one person over this process's input and output, until the input ends."""
    server = make_server(token)
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


class Door:
    """Lets in what asks by a name of the site, from no page or one of the site's, and with a valid token."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await _in_a_request(_refusal, Headers(scope=scope)) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)


def _refusal(headers: Mapping[str, str]) -> JSONResponse | None:
    domain, _ = split_domain_port(headers.get("host", ""))
    if not (domain and validate_host(domain, settings.ALLOWED_HOSTS)):
        return JSONResponse({"detail": "ALLOWED_HOSTS does not name this host."}, 421)
    if headers.get("origin", settings.SITE_URL) != settings.SITE_URL:
        return JSONResponse({"detail": "Pages of other sites may not ask."}, 403)
    if not assistant_tools.valid_token(_token_in(headers)):
        challenge = {"WWW-Authenticate": "Bearer"}
        return JSONResponse({"detail": "Send a valid token: Authorization: Bearer ..."}, 401, headers=challenge)
    return None


def http_app(host: str) -> Starlette:
    """The server for everybody, each by her own token, at ``/mcp``. It asks of a host what Django asks of it."""
    looked_at = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = make_server().streamable_http_app(
        stateless_http=True, json_response=True, transport_security=looked_at, host=host
    )
    app.add_middleware(Door)
    return app


def serve_http(host: str, port: int) -> None:
    """Serves everybody, each by her own token, at ``http://host:port/mcp``."""
    uvicorn.run(http_app(host), host=host, port=port, log_level="warning")
