"""`north.outbound` against a canary: a real server on another loopback address that records whoever reaches it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from north.outbound import NotAllowed, Outbound, OutboundError, TooLarge, TooSlow, Unreachable, system_resolver

CANARY = "127.0.0.99"


@dataclass
class Canary:
    port: int
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/", host: str = CANARY) -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def canary() -> Iterator[Canary]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            getattr(self, "serve_" + self.path.split("?")[0].strip("/").split("/")[0], self.serve_plain)()

        do_POST = do_GET

        def serve_plain(self) -> None:
            self.answer(b"the canary sings")

        def serve_to(self) -> None:
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.end_headers()

        def serve_loop(self) -> None:
            self.send_response(307)
            self.send_header("Location", "/loop")
            self.end_headers()

        def serve_zip(self) -> None:
            self.answer(gzip.compress(b"0" * 1_000_000), encoding="gzip")

        def serve_endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                closed.set()

        def serve_drip(self) -> None:
            try:
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                closed.set()

        def serve_headers(self) -> None:
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for number in range(10**6):
                    self.wfile.write(f"X-{number}: {'y' * 50}\r\n".encode())
            except OSError:
                closed.set()

        def answer(self, body: bytes, encoding: str = "") -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    closed = threading.Event()
    server = ThreadingHTTPServer((CANARY, 0), Handler)
    seen = Canary(server.server_address[1])
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


def names(**table: list[str]) -> Callable[[str, int], Sequence[str]]:
    """A resolver that knows these names and, like the system's, every way to write an address."""
    return lambda host, port: table.get(host.replace(".", "_")) or system_resolver(host, port)


PRIVATE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.99", "0", "0.0.0.0",
    "0x0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.0.1",
    "2852039166", "0xa9fea9fe", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]", "[::ffff:192.168.0.1]", "[fc00::1]",
    "[fd00::1]", "[fd12:3456:789a::1]", "[fe80::1]", "[febf::1]", "[ff02::1]", "[ff0e::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]",
    "[2002:c0a8:1::]", "[2002:0a00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]", "[2001:db8::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[fec0::1]", "[::7f00:1]", "[::ffff:0:7f00:1]", "[64:ff9b:1::7f00:1]", "[3fff::1]",
    "[100::1]",
    "[5f00::1]", "localhost", "LOCALHOST", "localhost.",
]  # fmt: skip

NO_ADDRESS = [
    "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.com/", "data:text/plain,x", "unix:///tmp/x.sock", "jar:http://x!/", "ldap://x/",
    "javascript:alert(1)", "dict://127.0.0.1:11211/", "//example.com/", "example.com", "", "http://", "http:///x", "http://a@127.0.0.1/",
    "http://user:secret@example.com/", "http://example.com@127.0.0.1/", "http://example.com\\@127.0.0.1/", "http://exa\tmple.com/",
    "http://example.com/\r\nX: y", "http://example.com:99999/", "http://[::1", "http://\x00/", "tftp://x/", "ws://x/", "sftp://x/",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_it_refuses_every_way_to_write_an_address_that_is_not_public(canary: Canary, host: str) -> None:
    with pytest.raises((NotAllowed, Unreachable)) as refused:
        Outbound(seconds=5).request("GET", canary.url(host=host))
    assert "the canary sings" not in str(refused.value)
    assert canary.seen == []


@pytest.mark.parametrize("url", NO_ADDRESS)
def test_it_asks_nothing_but_http_and_https_without_a_password(canary: Canary, url: str) -> None:
    with pytest.raises(NotAllowed, match="https://host/path"):
        Outbound(["127.0.0.0/8", "example.com"]).request("GET", url)


@pytest.mark.parametrize("allowed", [[CANARY], ["127.0.0.0/8"], ["canary.internal"], ["Canary.Internal."]])
def test_it_reaches_what_the_operator_allows(canary: Canary, allowed: list[str]) -> None:
    host = CANARY if "127" in allowed[0] else "canary.internal"
    outbound = Outbound(allowed, resolve=names(canary_internal=[CANARY]))
    assert outbound.request("GET", canary.url(host=host)).text == "the canary sings"


def test_a_name_with_one_private_address_among_public_ones_is_refused(canary: Canary) -> None:
    outbound = Outbound(resolve=names(rebind_example=["93.184.216.34", CANARY]))
    with pytest.raises(NotAllowed, match=r"rebind\.example"):
        outbound.request("GET", canary.url(host="rebind.example"))
    assert canary.seen == []


def test_it_connects_to_the_address_that_it_checked_and_asks_the_resolver_once(canary: Canary) -> None:
    answers = iter([[CANARY], ["127.0.0.1"]])
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    assert Outbound([CANARY], resolve=rebinding).request("GET", canary.url(host="a.example")).status_code == 200
    assert asked == ["a.example"]


def test_it_does_not_follow_redirects_unless_asked(canary: Canary) -> None:
    response = Outbound([CANARY]).request("GET", canary.url("/to?/there"))
    assert response.status_code == 302 and len(canary.seen) == 1


def test_it_checks_every_hop_of_a_redirect(canary: Canary) -> None:
    outbound = Outbound(["front.example"], resolve=names(front_example=[CANARY]))
    for target in (canary.url(), "http://localhost/", "http://169.254.169.254/latest", "file:///etc/passwd", "gopher://127.0.0.1/"):
        with pytest.raises(NotAllowed):
            outbound.request("GET", canary.url("/to?" + target, host="front.example"), redirects=3)
    assert {path.split("?")[0] for _, path, _ in canary.seen} == {"/to"}


def test_a_redirect_to_no_address_is_refused(canary: Canary) -> None:
    with pytest.raises(NotAllowed):
        Outbound([CANARY]).request("GET", canary.url("/to?http://[::1"), redirects=1)


def test_public_addresses_are_let_through_and_private_ones_in_disguise_are_not() -> None:
    """Nothing is sent: the resolver's answer is judged before anything is."""
    judged = Outbound()._may_contact
    assert all(map(judged, ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]))
    assert not any(map(judged, ["fe80::1%lo", "2002:808:808::1", "::ffff:100.64.0.1", "64:ff9b::c0a8:1"]))


def test_it_follows_three_redirects_and_no_more(canary: Canary) -> None:
    with pytest.raises(NotAllowed, match="more than 3 times"):
        Outbound([CANARY]).request("GET", canary.url("/loop"), redirects=99)
    assert len(canary.seen) == 4
    assert Outbound([CANARY]).request("GET", canary.url("/to?/to?/to?/end"), redirects=3).text == "the canary sings"


def test_it_does_not_follow_a_redirect_of_a_post(canary: Canary) -> None:
    with pytest.raises(NotAllowed):
        Outbound([CANARY]).request("POST", canary.url("/to?/there"), json={}, redirects=3)
    assert len(canary.seen) == 1


def test_credentials_stay_with_the_first_host(canary: Canary) -> None:
    outbound = Outbound(["127.0.0.0/8"], resolve=names(other_example=[CANARY]))
    secrets = {"Authorization": "Bearer s", "Cookie": "s", "X-Api-Key": "s", "Private-Token": "s", "Range": "bytes=1-"}
    outbound.request("GET", canary.url("/to?" + canary.url(host="other.example")), headers=secrets, redirects=1)
    outbound.request("GET", canary.url("/to?/same"), headers=secrets, redirects=1)
    (_, _, first), (_, _, elsewhere), _, (_, _, same) = canary.seen
    assert first["authorization"] == same["authorization"] == "Bearer s" and same["x-api-key"] == "s"
    assert "s" not in {elsewhere.get(name) for name in ("authorization", "cookie", "x-api-key", "private-token")}
    assert "Bearer s" not in str(elsewhere) and elsewhere["range"] == "bytes=1-"


def test_it_reads_no_more_bytes_than_its_limit(canary: Canary) -> None:
    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        Outbound([CANARY], max_bytes=1_000_000).request("GET", canary.url("/endless"))


def test_it_does_not_unpack_what_it_did_not_ask_to_be_packed(canary: Canary) -> None:
    with pytest.raises(TooLarge, match="compressed"):
        Outbound([CANARY]).request("GET", canary.url("/zip"))
    assert canary.seen[0][2]["accept-encoding"] == "identity"


@pytest.mark.parametrize("path", ["/drip", "/headers"])
def test_a_server_that_never_ends_is_left_in_time(canary: Canary, path: str) -> None:
    started = time.monotonic()
    with pytest.raises((TooSlow, Unreachable)):
        Outbound([CANARY], seconds=0.5).request("GET", canary.url(path))
    assert time.monotonic() - started < 2


def test_errors_are_sentences_that_say_whether_to_try_again(canary: Canary) -> None:
    with pytest.raises(Unreachable) as nobody:
        Outbound([CANARY]).request("GET", f"http://{CANARY}:1/")
    with pytest.raises(Unreachable) as unknown:
        Outbound(resolve=lambda host, port: (_ for _ in ()).throw(OSError("no such name"))).request("GET", "https://nowhere.example/")
    for error in (nobody.value, unknown.value):
        assert isinstance(error, OutboundError) and not error.permanent and str(error).endswith(".")


def test_the_environment_chooses_no_proxy(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Outbound([CANARY]).request("GET", canary.url()).status_code == 200


def test_a_configured_proxy_is_used_and_addresses_written_out_are_still_checked(canary: Canary) -> None:
    outbound = Outbound(proxy=canary.url())
    assert outbound.request("GET", "http://intranet.example/page").text == "the canary sings"
    assert canary.seen[0][1] == "http://intranet.example/page"
    for host in ("169.254.169.254", "2130706433", "0x7f.1", "[::1]", "localhost", "LOCALHOST"):
        with pytest.raises(NotAllowed):
            outbound.request("GET", f"http://{host}/latest")
    assert len(canary.seen) == 1


def test_leaving_a_stream_closes_the_connection(canary: Canary) -> None:
    with Outbound([CANARY]).stream("GET", canary.url("/drip")) as response:
        assert next(response.iter_raw()) == b"x"
    before = threading.active_count()
    deadline = time.monotonic() + 2
    while threading.active_count() >= before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() < before or time.monotonic() < deadline
