"""An assistant sees what its person sees and proposes what she may propose, over the Model Context Protocol."""

import ast
import json
import re
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command

from budgets.models import Budget
from finops_site.api import assistant_tools
from finops_site.ops.commands import BadInput
from tests.people import person, token_of
from tests.tagging.chargeback.helpers import bill, company, usual

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = re.compile(r"\bmcp|uvicorn")


@pytest.fixture
def token(people):
    """The token of a person."""
    return lambda name: token_of(person(name))


def answer(token, name, **arguments):
    called = assistant_tools.call_tool(token, name, arguments)
    assert not called.is_error, called.text
    return json.loads(called.text)


def test_it_reads_what_its_person_reads_and_nothing_of_others(token, tmp_path):
    company()
    bill(tmp_path, usual())
    sums = {
        name: answer(token(name), "spend_retrieve", **{"from": "2026-03", "to": "2026-03", "group_by": "service"})
        for name in ("fay", "lea")
    }
    assert sums["fay"]["totals"] == {"USD": "187.100000000000000001"}
    assert sums["lea"]["totals"] == {"USD": "100.1"}
    filtered = answer(token("max"), "spend_retrieve", **{"from": "2026-03", "to": "2026-03", "service": ["Amazon S3"]})
    assert filtered["totals"] == {"USD": "50"}


def test_it_filters_by_tags_and_operators_as_the_api_does(token, tmp_path):
    company()
    bill(tmp_path, usual())
    fay, days = token("fay"), {"from": "2026-03", "to": "2026-03"}
    tool = next(tool for tool in assistant_tools.tools_of(fay) if tool.name == "spend_retrieve")
    (pattern,) = tool.schema["patternProperties"]
    assert [bool(re.search(pattern, name)) for name in ("tag:Team", "service__not", "colour")] == [True, True, False]
    without = answer(fay, "spend_retrieve", **days, **{"service__not": ["Amazon S3"]})
    assert without["totals"] == {"USD": "137.100000000000000001"}
    assert answer(fay, "spend_retrieve", **days, **{"tag:Team": "Nobody"})["totals"] == {}
    assert "no argument" in assistant_tools.call_tool(fay, "teams_list", {"tag:Team": "Payments"}).text


def test_its_tools_are_what_the_person_may_do(token):
    offered = {name: {tool.name for tool in assistant_tools.tools_of(token(name))} for name in ("ada", "lea")}
    assert "health_list" in offered["ada"] - offered["lea"]
    assert "budgets_propose_create" in offered["lea"] - offered["ada"]
    assert not [name for name in offered["ada"] if "token" in name]
    assert assistant_tools.tools_of("0" * 40) == []


def test_it_proposes_and_decides_nothing(token):
    lea = token("lea")
    body = {"name": "Spring", "team": "Payments", "start": "2026-01-01", "currency": "USD", "amount": "1000"}
    made = answer(lea, "budgets_propose_create", body=body)
    assert made["state"] == "proposed"
    assert Budget.objects.get().created_by == person("lea")
    writing = [tool for tool in assistant_tools.tools_of(token("fay")) if not tool.only_reads]
    assert {tool.method for tool in writing} == {"POST"}
    assert all("another person" in tool.description for tool in writing)
    refused = assistant_tools.call_tool(token("eli"), "budgets_propose_create", {"body": body})
    assert refused.is_error


def test_a_wrong_argument_is_answered_with_those_there_are(token):
    wrong = assistant_tools.call_tool(token("fay"), "budgets_retrieve", {"id": 1, "colour": "red"})
    assert wrong.is_error
    assert "colour is no argument" in wrong.text
    assert "id is missing" in assistant_tools.call_tool(token("max"), "budgets_retrieve", {}).text
    assert "no tool" in assistant_tools.call_tool(token("lea"), "drop_everything", {}).text


@pytest.mark.usefixtures("one_transaction")
def test_the_protocol_lists_the_tools_and_calls_them(token):
    mcp = pytest.importorskip("mcp")
    from finops_site.api.mcp_server import make_server

    async def talk():
        async with mcp.Client(make_server(key)) as client:
            listed = await client.list_tools()
            called = await client.call_tool("me_retrieve", {})
            failed = await client.call_tool("teams_retrieve", {"id": 999999})
            return listed.tools, called, failed

    key = token("lea")
    tools, called, failed = async_to_sync(talk)()
    spend = next(tool for tool in tools if tool.name == "spend_retrieve")
    assert spend.annotations.read_only_hint
    assert "group_by" in spend.input_schema["properties"]
    assert json.loads(called.content[0].text)["email"] == person("lea").email
    assert failed.is_error


@pytest.mark.usefixtures("one_transaction")
def test_over_http_everybody_asks_with_her_own_token(token, settings):
    mcp = pytest.importorskip("mcp")
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    from finops_site.api.mcp_server import http_app

    settings.ALLOWED_HOSTS, settings.SITE_URL, key = [".finops.example"], "https://ask.finops.example", token("eli")
    app, good = http_app("127.0.0.1"), {"Authorization": f"Bearer {token('lea')}"}

    def browser(**headers):
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=settings.SITE_URL, headers=headers)

    async def talk():
        async with app.router.lifespan_context(app):
            async with (
                browser(Authorization=f"Bearer {key}") as client,
                streamable_http_client(f"{settings.SITE_URL}/mcp", http_client=client) as streams,
                mcp.ClientSession(*streams) as session,
            ):
                await session.initialize()
                called = [await session.call_tool(name, {}) for name in ("me_retrieve", "health_list")]
            wrong = ({}, {"Authorization": "Bearer no"}, {**good, "Origin": "https://a.b"}, {**good, "Host": "a.b"})
            answers = []
            for headers in (*wrong, good):
                async with browser(**headers) as client:
                    answers.append(await client.post("/mcp", json={}))
            return called, answers

    (own, refused), answers = async_to_sync(talk)()
    assert json.loads(own.content[0].text)["email"] == person("eli").email
    assert (refused.is_error, "permission" in refused.content[0].text) == (True, True)
    assert [answer.status_code for answer in answers] == [401, 401, 403, 421, 400]
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_without_a_valid_token_nothing_is_served(db, monkeypatch):
    monkeypatch.setenv("FINOPS_TOKEN", "nonsense")
    with pytest.raises(BadInput, match="no valid token"):
        call_command("mcp_server")


def test_no_page_pays_for_the_protocol():
    importing = {
        path.relative_to(ROOT).as_posix()
        for app in ("finops_site", "costs", "budgets", "tagging", "reservations")
        for path in (ROOT / app).rglob("*.py")
        if PROTOCOL.search(path.read_text())
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.split(".")[0] in ("mcp", "mcp_types", "uvicorn") or name == "finops_site.api.mcp_server"
    }
    assert importing == {"finops_site/api/mcp_server.py", "finops_site/management/commands/mcp_server.py"}
