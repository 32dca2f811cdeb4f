"""The server: what it answers, and all that it refuses."""

import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from modelzoo.app import explain, records
from modelzoo.app.explain import Models, Question
from modelzoo.app.server import HEADERS, LOOPBACK, application

HEADER = {"x-visitor": "me"}


@pytest.fixture
def client(expert):
    with TestClient(application(expert), raise_server_exceptions=False) as found:
        yield found


def refused(response):
    return response.status_code, response.json()["field"], response.json()["error"]


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/api/start"])
def test_what_the_page_needs_comes_from_its_own_server_alone(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    for word in ("http://", "https://", "@import"):
        assert word not in response.text.replace("http://www.w3.org/2000/svg", "")


def test_a_question_is_answered_with_the_numbers(client, expert, asked):
    response = client.post("/api/quick", json=asked, headers=HEADER)
    question = Question.of(expert, asked["model"], asked["sequence"])
    assert response.json() == explain.quick(question)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"sequence": "ACX"}, "sequence", "got 'X' at position 2"),
        ({"sequence": None}, "sequence", "expected text, got NoneType"),
        ({"sequence": ["ACGT"]}, "sequence", "expected text, got list"),
        ({"sequence": "A" * 10_001}, "sequence", "expected 10,000 letters at most, got 10,001"),
        ({"model": "os:getcwd"}, "model", "expected one of deepbind-gata3, got 'os:getcwd'"),
        ({"model": "../../etc/passwd"}, "model", "expected one of deepbind-gata3"),
        ({"task": -1}, "task", "expected 0 to 0, got -1"),
        ({"task": "0"}, "task", "expected a whole number, got str"),
        ({"max_shift": 10**9}, "max_shift", "expected 0 to 20, got 1000000000"),
        ({"max_shift": True}, "max_shift", "expected a whole number, got bool"),
        ({"max_shift": 1.5}, "max_shift", "expected a whole number, got float"),
    ],
)
def test_a_wrong_question_is_told_its_field(client, asked, changed, field, said):
    status, where, text = refused(
        client.post("/api/quick", json={**asked, **changed}, headers=HEADER)
    )
    assert (status, where) == (422, field)
    assert said in text


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"[" * 60_000])
def test_what_is_no_question_is_refused(client, body):
    status, field, _ = refused(client.post("/api/quick", content=body, headers=HEADER))
    assert (status, field) == (422, "question")


def test_a_body_beyond_the_limit_is_refused(client):
    response = client.post("/api/quick", content=b" " * 64_001, headers=HEADER)
    assert refused(response)[0] == 413
    query = "/api/fasta?model=deepbind-gata3&task=0&max_shift=5"
    response = client.post(query, content=b"A" * (records.BYTES + 1), headers=HEADER)
    assert refused(response)[:2] == (413, "file")


def test_a_page_elsewhere_cannot_ask(client, asked):
    """Without the header a browser would send a question from any page; with it, it asks first."""
    assert refused(client.post("/api/quick", json=asked))[:2] == (422, "visitor")
    asks_first = {"origin": "http://elsewhere", "access-control-request-method": "POST"}
    answer = client.options("/api/quick", headers=asks_first)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page.css/../server.py",
        "/server.py",
        "/file=/etc/passwd",
        "/api/file?path=/etc/passwd",
        "//etc/passwd",
    ],
)
def test_no_other_file_can_be_read(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert "root:" not in response.text and "import" not in response.text


def test_this_machine_is_called_by_its_own_names_only(expert):
    with TestClient(application(expert, hosts=LOOPBACK)) as client:
        assert client.get("/", headers={"host": "127.0.0.1:7860"}).status_code == 200
        assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400


@pytest.mark.parametrize("how", ["reverse", "shuffle", "random"])
def test_edits_are_those_of_the_library(client, how, asked):
    body = {"sequence": asked["sequence"], "how": how, "seed": 3}
    made = client.post("/api/edit", json=body, headers=HEADER).json()["sequence"]
    assert made == explain.edited(asked["sequence"], how, 3)


def uploaded(client, content):
    query = "/api/fasta?model=deepbind-gata3&task=0&max_shift=5"
    response = client.post(query, content=content, headers=HEADER)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_file_is_answered_row_by_row(client, asked):
    name = "<img/src=x/onerror=alert(1)>"
    content = f">{name} x\n{asked['sequence']}\n>b\nACGT\n>c\n!\n".encode()
    head, *lines = uploaded(client, content)
    assert head["total"] == 2
    assert ["got '!' at position 0 of 'c'" in text for text in head["wrong"]] == [True]
    found = [row for line in lines for row in line["rows"]]
    assert [(row["name"], len(row["letters"])) for row in found] == [(name, 101), ("b", 4)]
    quick = client.post("/api/quick", json=asked, headers=HEADER).json()
    assert found[0]["heights"] == pytest.approx(quick["rows"]["shiftsmooth"]["heights"], abs=1e-5)
    assert found[0]["number"] == pytest.approx(quick["answers"][0]["number"], abs=1e-5)


@pytest.mark.slow
def test_two_hundred_records_take_less_than_a_minute():
    content = "".join(f">{i}\n{explain.edited('', 'random', i)}\n" for i in range(200))
    with TestClient(application(Models())) as client:
        before = time.process_time()
        query = "/api/fasta?model=moe-arid3a-foxm1-gata3&task=0&max_shift=5"
        lines = client.post(query, content=content.encode(), headers=HEADER).text.splitlines()
        took = time.process_time() - before
    assert sum(len(json.loads(line).get("rows", ())) for line in lines) == 200
    assert took < 60


def test_errors_of_a_file_do_not_tell_where_it_was_kept(client):
    head, *_ = uploaded(client, b">a\nACGT\n>b\nAC?\n")
    assert head["wrong"][0].startswith("line 3: expected")


def test_the_command_line_answers_help_without_the_extra():
    code = "import sys; import modelzoo.cli.main; sys.exit('starlette' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_that_is_not_there_ends_the_command():
    from modelzoo.app.server import serve

    with pytest.raises(ValueError, match="no-such-model"):
        serve(["no-such-model"])


def test_shipped_models_are_offered_the_mixture_first():
    assert Models().names[0] == "moe-arid3a-foxm1-gata3"
    assert "cnn1-arid3a-foxm1-gata3" not in Models().names  # its weights are on the Hub only
