"""The one way out: every HTTP request that leaves North goes through `Outbound`. It knows addresses and limits, not what is fetched.

A host is resolved once, all its addresses are checked, and the connection goes to an address that was checked, so that a name cannot
point elsewhere a moment later. Addresses that are not public (loopback, private, link-local, carrier NAT, those mapped into IPv6, ...)
are refused unless the operator's allow-list names the host or its network. Redirects are followed only where asked for, at most three,
each checked anew; what the caller sent in headers stays with the first host. Nothing is read from the environment.

    OutboundError
    ├── NotAllowed         permanent: an address, a scheme or a redirect that North may not follow
    ├── Unreachable        the host cannot be found, refuses, or breaks off
    ├── TooSlow            longer than the time given
    └── TooLarge           permanent: more bytes than the limit, or a compressed body that was not asked for
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import certifi
import httpcore
import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Response = httpx.Response

REDIRECTS = 3
NO_ADDRESS = "This is not an address that North can ask. Write it as https://host/path."
HEADERS_FOR_ANYONE = frozenset(
    {"accept", "accept-encoding", "accept-language", "range", "if-none-match", "if-modified-since", "user-agent"}
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")


class OutboundError(Exception):
    permanent = False


class NotAllowed(OutboundError):
    permanent = True


class Unreachable(OutboundError):
    permanent = False


class TooSlow(OutboundError):
    permanent = False


class TooLarge(OutboundError):
    permanent = True


def system_resolver(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def host_of(url: str) -> str:
    """The host that a request to this address would ask, as "name" or "name:port"; empty for an address that may not be asked."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return ""
    if parsed.scheme not in ("http", "https") or not parsed.raw_host or parsed.userinfo or "\\" in url:
        return ""
    name = _plain(parsed.raw_host.decode("ascii", "replace"))
    return f"{name}:{parsed.port}" if parsed.port else name


class Outbound:
    """`allowed`: hosts (`wiki.internal`) and networks (`10.1.0.0/16`, `127.0.0.1`) that may be reached although they are not public.

    `seconds` bounds a whole request, `connect_seconds` its connection, `max_bytes` its answer. With `proxy`, names are resolved by the
    proxy, which then guards the network behind it; addresses written out are still checked here.
    """

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        seconds: float = 60.0,
        connect_seconds: float = 5.0,
        max_bytes: int = 50_000_000,
        proxy: str | None = None,
        resolve: Resolve = system_resolver,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.seconds, self.connect_seconds, self.max_bytes = seconds, connect_seconds, max_bytes
        self._proxy, self._resolve = proxy, resolve
        self._trust = trust or _public_authorities()
        self._networks = [network for network in map(_network, allowed) if network]
        self._hosts = {_plain(entry) for entry in allowed if not _network(entry)}

    def check(self, url: str) -> None:
        """Whether a request to this address would be let out, as its name resolves now. Raises NotAllowed and Unreachable."""
        parsed = self._address(url)
        if not self._proxy:
            self.addresses(parsed.host, parsed.port or 443)

    def request(self, method: str, url: str, **wanted: Any) -> httpx.Response:
        """The whole answer, whatever its status; `wanted` as for `stream`."""
        with self.stream(method, url, **wanted) as response:
            response.read()
            return response

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        redirects: int = 0,
        seconds: float | None = None,
        max_bytes: int | None = None,
    ) -> Iterator[httpx.Response]:
        """The answer's head. Its body is read inside the block (`iter_raw`, `iter_lines`, `read`); leaving it closes the connection."""
        deadline, limit = time.monotonic() + (seconds or self.seconds), max_bytes or self.max_bytes
        sent = httpx.Headers({"accept-encoding": "identity", "user-agent": "North"})
        sent.update(headers)
        body: dict[str, Any] = {"json": json} if json is not None else {"content": content}
        hops = min(redirects, REDIRECTS)
        for _ in range(hops + 1):
            with self._send(httpx.Request(method, self._address(url), headers=sent, **body), deadline, limit) as response:
                if not (hops and response.has_redirect_location):
                    yield response
                    return
                onward = response.headers["location"]
            url = self._onward(method, url, onward, sent)
        raise NotAllowed(f"{httpx.URL(url).host} redirects more than {hops} times; North does not follow it further.")

    def dial(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection that is not HTTP, to an address that was checked; reading and writing wait at most `seconds` each time."""
        if self._proxy:
            raise NotAllowed(f"North reaches the world by a proxy here, which lets HTTP through and not what {host} speaks.")
        fault: OSError | None = None
        for address in self.addresses(host, port):
            try:
                connection = socket.create_connection((address, port), timeout=self.connect_seconds)
            except OSError as error:
                fault = error
            else:
                connection.settimeout(seconds)
                return connection
        raise Unreachable(f"{host} cannot be reached. Check the address and whether the service runs.") from fault

    @contextmanager
    def _send(self, request: httpx.Request, deadline: float, limit: int) -> Iterator[httpx.Response]:
        """One connection for one request, straight or by the proxy."""
        host, url = request.url.host, request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with self._pool(deadline) as pool:
            with _in_words(host):
                answer = pool.handle_request(httpcore.Request(request.method, target, headers=request.headers.raw, content=request.stream))
            response = httpx.Response(answer.status, headers=answer.headers, stream=_Limited(answer.stream, host, limit), request=request)
            if response.headers.get("content-encoding", "identity") != "identity":
                raise TooLarge(f"{host} sent a compressed answer that was not asked for; North does not unpack it.")
            yield response

    def _pool(self, deadline: float) -> httpcore.ConnectionPool:
        if self._proxy:  # the operator's own, wherever it stands
            to_proxy = _CheckedBackend(lambda host, port: [host], deadline, self.connect_seconds)
            return httpcore.HTTPProxy(self._proxy, ssl_context=self._trust, network_backend=to_proxy)
        return httpcore.ConnectionPool(
            ssl_context=self._trust, network_backend=_CheckedBackend(self.addresses, deadline, self.connect_seconds)
        )

    def _onward(self, method: str, url: str, location: str, sent: httpx.Headers) -> str:
        """Where a redirect leads; takes out of `sent` what may not go there."""
        before = httpx.URL(url)
        try:
            after = before.join(location)
        except httpx.InvalidURL as error:
            raise NotAllowed(f"{before.host} redirects to no address.") from error
        if method not in ("GET", "HEAD") or (before.scheme, after.scheme) == ("https", "http"):
            raise NotAllowed(f"{before.host} redirects a {method} to {after.scheme}, which North does not follow.")
        if (before.scheme, before.host, before.port) != (after.scheme, after.host, after.port):
            for name in [name for name in sent if name.lower() not in HEADERS_FOR_ANYONE]:
                del sent[name]
        return str(after)

    def _address(self, url: str) -> httpx.URL:
        """The URL, if it is one that may be asked: http or https, a host, no password in it."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise NotAllowed(NO_ADDRESS) from error
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or (parsed.port or 1) > 65535 or "\\" in url:
            raise NotAllowed(NO_ADDRESS)
        if self._proxy and _is_written_out(parsed.host):
            self.addresses(parsed.host, parsed.port or 443)
        return parsed

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, if every one of them may be contacted. Raises NotAllowed and Unreachable."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} cannot be found. Check the name and this machine's network.") from error
        if not found or not (_plain(host) in self._hosts or all(self._may_contact(address) for address in found)):
            raise NotAllowed(f"North may not contact {host}. An administrator can put it on the list of allowed hosts.")
        return list(dict.fromkeys(found))

    def _may_contact(self, text: str) -> bool:
        address = _as_reached(text)
        if any(address in network for network in self._networks):
            return True
        if isinstance(address, ipaddress.IPv4Address):
            return address.is_global and not address.is_multicast
        return address.is_global and address in UNICAST and not address.sixtofour and not address.teredo


def _as_reached(text: str) -> Address:
    """The address that a connection ends at: the IPv4 address inside one that is mapped (::ffff:a.b.c.d) or translated (NAT64)."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address.ipv4_mapped or address
    return address


def _public_authorities() -> ssl.SSLContext:
    """This machine's certificate authorities and the public ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _is_written_out(host: str) -> bool:
    """Whether a host is an address, in any spelling that systems understand, or this machine's own name."""
    try:
        socket.inet_aton(host)
    except OSError:
        return ":" in host or _plain(host).endswith("localhost")
    return True


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


@contextmanager
def _in_words(host: str) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        raise TooSlow(f"{host} did not answer in time.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, ssl.SSLError) as error:
        raise Unreachable(f"{host} cannot be reached, or broke off. Check the address and whether the service runs.") from error


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and lets nothing take longer than the deadline."""

    def __init__(self, addresses: Callable[[str, int], list[str]], deadline: float, connect_seconds: float) -> None:
        self._addresses, self._deadline, self._connect_seconds = addresses, deadline, connect_seconds

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        addresses = self._addresses(host, port)
        until = time.monotonic() + min(self._connect_seconds, _left(self._deadline))
        for tried, address in enumerate(addresses):
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, max(0.1, _left(until) / (len(addresses) - tried)))
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore.ConnectError("no address")


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Limited(httpx.SyncByteStream):
    """A body that ends in an error once it is longer than it may be."""

    def __init__(self, stream: Any, host: str, limit: int) -> None:
        self._stream, self._host, self._limit = stream, host, limit

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        with _in_words(self._host):
            for part in self._stream:
                seen += len(part)
                if seen > self._limit:
                    raise TooLarge(f"{self._host} sent more than {self._limit:,} bytes, the most that North takes here.")
                yield part

    def close(self) -> None:
        self._stream.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time given is over")
    return left
