"""The tools, called by the MCP client as an assistant would."""

import asyncio
import json

import pytest

pytest.importorskip("mcp")
from mcp import Client
from starlette.testclient import TestClient

import modelzoo
from modelzoo.app import explain
from modelzoo.app.explain import Question
from modelzoo.app.jobs import Jobs
from modelzoo.app.server import LOOPBACK, application
from modelzoo.app.tools import server
from tests.support.explorer import explorer


@pytest.fixture
def call(expert):
    queue = Jobs()

    async def called(name, arguments):
        async with Client(server(expert, queue)) as client:
            return await client.call_tool(name, arguments)

    yield lambda name, **arguments: asyncio.run(called(name, arguments))
    queue.close()


def test_every_tool_describes_itself(expert):
    async def listed():
        async with Client(server(expert, Jobs())) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(listed())}
    assert set(tools) == {"predict", "attribute", "check"}
    for tool in tools.values():
        assert len(tool.description) > 100
        assert tool.input_schema["properties"]["model"]["default"] == "deepbind-gata3"


def test_predict_answers_as_the_library(call, asked):
    found = call("predict", sequences=[asked["sequence"], "ACGT"]).structured_content["result"]
    wanted = [
        one.logits[0] for one in modelzoo.predict("deepbind-gata3", [asked["sequence"], "ACGT"])
    ]
    assert [row["answers"][0]["number"] for row in found] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_attribute_answers_as_the_page(call, expert, asked):
    result = call("attribute", sequence=asked["sequence"], max_shift=2)
    found = json.loads(result.content[0].text)
    question = Question.of(expert, asked["model"], asked["sequence"], max_shift=2)
    wanted = explain.quick(question)["rows"]["shiftsmooth"]
    assert found["method"] == wanted["title"]
    assert found["contributions"] == pytest.approx(wanted["heights"], abs=1e-5)
    assert found["hits"] == explain.hits(question)


def test_check_gives_a_verdict_in_words(call, asked):
    found = json.loads(call("check", sequences=[asked["sequence"]] * 2).content[0].text)
    assert set(found) == {"verdict", "needed", "max_shift"}
    assert "ShiftSmooth" in found["verdict"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("predict", {"sequences": []}, "sequences: expected 1 to 100, got 0"),
        ("predict", {"sequences": ["ACX"]}, "got 'X' at position 2"),
        ("predict", {"sequences": ["A"], "model": "os:getcwd"}, "model: expected one of"),
        ("attribute", {"sequence": "ACGTAC", "method": "guess"}, "method: expected one of"),
    ],
)
def test_a_wrong_call_is_told_what_was_expected(call, name, arguments, said):
    result = call(name, **arguments)
    assert result.is_error
    assert said in result.content[0].text


def test_the_tools_are_served_only_if_asked_for(expert):
    with TestClient(application(expert)) as client:
        assert client.post("/mcp").status_code == 404
    with TestClient(application(expert, tools=True, hosts=LOOPBACK)) as client:
        assert client.post("/mcp", headers={"host": "127.0.0.1"}).status_code != 404


@pytest.mark.slow
def test_a_client_reaches_the_tools_of_the_command():
    async def called(url):
        async with Client(f"{url}/mcp") as client:
            return await client.call_tool("predict", {"sequences": ["ACAGATAAGA"]})

    with explorer("--model", "deepbind-gata3", "--mcp") as (url, _):
        result = asyncio.run(called(url))
    (row,) = result.structured_content["result"]
    assert row["answers"][0]["name"] == "GATA3"
