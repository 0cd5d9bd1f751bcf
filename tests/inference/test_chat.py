"""The chat model against a real HTTP server that says what a test wants, right or wrong."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from north.inference.chat import OpenAIChatModel, remote
from north.inference.errors import ContextTooLong, ModelError, ModelUnavailable, Overloaded
from north.outbound import Outbound

SECRET = "what the server wrote about itself"


def data(value: object) -> str:
    return "data: " + json.dumps(value) + "\n\n"


def event(text: str | None = None, finish: str | None = None, **more: Any) -> str:
    delta = {} if text is None else {"content": text}
    return data({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


USAGE = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22, "prompt_tokens_details": {"cached_tokens": 16}}
GOOD = [event(""), event("Thirty "), ": ping\n\n", event("days."), event(finish="stop"),
        data({"choices": [], "usage": USAGE}), "data: [DONE]\n\n"]  # fmt: skip


@dataclass
class Server:
    """`script`: pieces to send, a piece that is called first if it can be; else `status` and `body`."""

    script: list[str | Callable[[], object]] = field(default_factory=lambda: list(GOOD))
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            served.keys.append(self.headers.get("Authorization"))
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(served.body.encode())
                for piece in served.script if served.status == 200 else []:
                    self.wfile.write((piece if isinstance(piece, str) else piece() or "").encode())  # type: ignore[attr-defined]
                    self.wfile.flush()
            except OSError:
                served.gone.set()

        def log_message(self, *args: object) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def model(server: Server) -> OpenAIChatModel:
    return remote(server.url, "toy", "a key", seconds=10)


def test_it_streams_the_answer_piece_by_piece_with_its_usage(model: OpenAIChatModel) -> None:
    chunks = list(model.stream("How long?"))
    assert [chunk.content for chunk in chunks if chunk.content] == ["Thirty ", "days."]
    whole = sum(chunks[1:], chunks[0])
    assert whole.usage_metadata == {"input_tokens": 20, "output_tokens": 2, "total_tokens": 22, "input_token_details": {"cache_read": 16}}
    assert whole.response_metadata["finish_reason"] == "stop"


def test_pieces_arrive_as_they_are_written(model: OpenAIChatModel, server: Server) -> None:
    go = threading.Event()
    server.script.insert(2, lambda: go.wait(5) and None)
    stream = model.stream("How long?")
    assert next(chunk.content for chunk in stream if chunk.content) == "Thirty "
    go.set()
    assert "".join(chunk.content for chunk in stream) == "days."


def test_what_the_model_calls_is_put_together_from_its_pieces(model: OpenAIChatModel, server: Server) -> None:
    def called(**function: str) -> str:
        return data({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "function": function}]}}]})

    server.script = [
        called(name="search", arguments='{"que'),
        called(arguments='ry": "leave"}'),
        event(finish="tool_calls"),
        "data: [DONE]\n\n",
    ]
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
    said = model.bind(tools=tools, tool_choice="auto").invoke("How long?")
    assert [(call["name"], call["args"]) for call in said.tool_calls] == [("search", {"query": "leave"})]
    assert server.asked[0]["tools"] == tools and server.asked[0]["tool_choice"] == "auto"


@pytest.mark.parametrize("calls", [17, [None], [{"function": 3}], [{"index": "x", "id": 5, "function": {"name": 4, "arguments": {}}}]])
def test_a_call_that_is_none_is_passed_over(model: OpenAIChatModel, server: Server, calls: object) -> None:
    server.script = [data({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]}), event("Thirty."), event(finish="stop")]
    said = model.invoke("How long?")
    assert said.content == "Thirty." and said.tool_calls == []


def test_it_asks_in_openais_words(model: OpenAIChatModel, server: Server) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "plan", "schema": {"type": "object"}}}
    bound = model.bind(response_format=schema, temperature=0.5, max_tokens=7, seed=3, stop=["\n"])
    assert bound.invoke([SystemMessage("S"), HumanMessage("H"), AIMessage("A"), HumanMessage("Q")]).content == "Thirty days."
    asked = server.asked[0]
    assert [(message["role"], message["content"]) for message in asked["messages"]] == [
        ("system", "S"), ("user", "H"), ("assistant", "A"), ("user", "Q")
    ]  # fmt: skip
    assert asked["response_format"] == schema
    assert (asked["temperature"], asked["max_tokens"], asked["seed"], asked["stop"]) == (0.5, 7, 3, ["\n"])
    assert asked["stream"] is True and server.keys == ["Bearer a key"]


def test_without_a_key_none_is_sent_and_the_key_is_never_shown(server: Server) -> None:
    remote(server.url, "toy").invoke("x")
    assert server.keys == [None]
    assert "a key" not in repr(remote(server.url, "toy", "a key"))


def test_what_is_not_on_the_list_is_not_passed_on(model: OpenAIChatModel, server: Server) -> None:
    with pytest.raises(ValueError, match="logit_bias, n"):
        model.bind(n=10_000, logit_bias={"1": 100}).invoke("x")
    assert server.asked == []


def test_stopping_to_read_hangs_up_on_the_server(model: OpenAIChatModel, server: Server) -> None:
    server.script = [event("word "), *[lambda: (time.sleep(0.01), event("word "))[1]] * 1000]
    stream = model.stream("Talk for ever.")
    next(stream)
    stream.close()
    assert server.gone.wait(5)


def refusals() -> list[Any]:
    long = json.dumps({"error": {"code": 400, "type": "exceed_context_size_error", "message": SECRET}})
    return [
        pytest.param(500, SECRET, ModelUnavailable, "status 500", id="error"),
        pytest.param(400, SECRET, ModelUnavailable, "status 400", id="bad request"),
        pytest.param(401, SECRET, ModelUnavailable, "NORTH_CHAT_KEY", id="key"),
        pytest.param(404, SECRET, ModelUnavailable, "knows no model toy", id="unknown"),
        pytest.param(302, SECRET, ModelUnavailable, "status 302", id="redirect"),
        pytest.param(429, SECRET, Overloaded, "too much to do", id="throttled"),
        pytest.param(503, SECRET, Overloaded, "too much to do", id="loading"),
        pytest.param(400, long, ContextTooLong, "more text than the model can read", id="llama.cpp"),
        pytest.param(400, '{"error": {"code": "context_length_exceeded"}}', ContextTooLong, "more text", id="openai"),
        pytest.param(200, "<html>" + SECRET, ModelUnavailable, "broke off", id="a page"),
    ]


@pytest.mark.parametrize(("status", "body", "error", "words"), refusals())
def test_each_refusal_is_an_error_of_its_kind_in_our_words(
    model: OpenAIChatModel, server: Server, status: int, body: str, error: type[ModelError], words: str
) -> None:
    server.status, server.body, server.script = status, body, []
    server.headers = {"Retry-After": "7", "Location": "http://127.0.0.99/"}
    with pytest.raises(error, match=words) as raised:
        model.invoke("x")
    assert SECRET not in str(raised.value)
    assert raised.value.permanent is (error is ContextTooLong)
    if isinstance(raised.value, Overloaded):
        assert raised.value.retry_after == 7


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(GOOD[:2], "broke off", id="no end"),
        pytest.param([GOOD[1], "data: [DONE]\n\n"], "broke off", id="done too early"),
        pytest.param([GOOD[1], "data: {nonsense\n\n"], "no answer", id="no json"),
        pytest.param([GOOD[1], "data: [1, 2]\n\n"], "no answer", id="no event"),
        pytest.param([GOOD[1], data({"error": {"message": SECRET}})], "in the middle", id="error"),
        pytest.param([GOOD[1], data({"object": SECRET})], "no answer", id="something else"),
        pytest.param([GOOD[1], data({"choices": [SECRET]})], "no answer", id="odd choices"),
    ],
)
def test_an_answer_that_ends_badly_is_an_error_after_what_was_good(
    model: OpenAIChatModel, server: Server, script: list[str], words: str
) -> None:
    server.script = list(script)
    stream, seen = model.stream("x"), ""
    with pytest.raises(ModelUnavailable, match=words) as raised:
        for chunk in stream:
            seen += str(chunk.content)
    assert seen == "Thirty " and SECRET not in str(raised.value) and not raised.value.permanent


def test_a_server_that_is_too_slow_is_left(server: Server) -> None:
    server.script = [event("word"), lambda: time.sleep(3)]
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="in time"):
        remote(server.url, "toy", seconds=0.4).invoke("x")
    assert time.monotonic() - started < 2


def test_a_server_that_is_down_is_said() -> None:
    with pytest.raises(ModelUnavailable, match=r"The model toy does not answer: 127\.0\.0\.1 cannot be reached"):
        remote("http://127.0.0.1:1/v1", "toy").invoke("x")


def test_it_leaves_by_the_one_way_out(server: Server) -> None:
    strict = OpenAIChatModel(base_url=server.url, model="toy", outbound=Outbound())
    with pytest.raises(ModelUnavailable, match=r"may not contact 127\.0\.0\.1"):
        strict.invoke("x")
    assert server.asked == []
