"""Signs requests as Amazon's storage wants them: Signature Version 4 (AWS General Reference, "Create a signed AWS API request")."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

NOTHING: Final = hashlib.sha256(b"").hexdigest()
PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Keys:
    key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    service: str = "s3"

    def headers(self, method: str, url: str, now: datetime | None = None) -> dict[str, str]:
        """What a request without a body carries. The path of `url` is quoted already, and once: as S3 has it."""
        parts, at = urlsplit(url), (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        host = parts.hostname if parts.port in (None, PORTS[parts.scheme]) else f"{parts.hostname}:{parts.port}"
        signed = {"host": host or "", "x-amz-content-sha256": NOTHING, "x-amz-date": at}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        request = "\n".join((method, parts.path or "/", query(dict(parse_qsl(parts.query, keep_blank_values=True))), lines, names, NOTHING))
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(request.encode()).hexdigest()))
        signature = hmac.new(self._key_of(at[:8]), text.encode(), hashlib.sha256).hexdigest()
        said = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {"x-amz-content-sha256": NOTHING, "x-amz-date": at, "authorization": said}

    def _key_of(self, day: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def query(params: Mapping[str, str]) -> str:
    """In the order and the spelling that are signed."""
    return "&".join("=".join(pair) for pair in sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in params.items()))
