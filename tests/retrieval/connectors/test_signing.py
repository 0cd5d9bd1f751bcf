from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.connectors import signing

NOW = datetime(2026, 11, 22, 10, 20, 30, tzinfo=UTC)
PARAMS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=3)


def amazons(url: str) -> dict[str, Any]:
    """What Amazon's own library makes of the same request, at the same time."""
    request = AWSRequest("GET", url, headers={"x-amz-content-sha256": signing.NOTHING})
    with patch("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None)):
        botocore.auth.S3SigV4Auth(Credentials("AKID", "secret"), "s3", "eu-central-1").add_auth(request)
    return dict(request.headers.items())


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20), PARAMS, st.sampled_from(["https://s3.example", "http://127.0.0.1:9000", "https://s3.example:443"]))
def test_it_signs_as_amazons_own_library_does(key: str, params: dict[str, str], host: str) -> None:
    try:
        path = quote(key, safe="/~")
        url = f"{host}/bucket/{path}" + (f"?{signing.query(params)}" if params else "")
    except UnicodeEncodeError:
        return
    ours = signing.Keys("AKID", "secret", "eu-central-1").headers("GET", url, NOW)
    assert ours["authorization"] == amazons(url)["Authorization"]


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(signing.Keys("AKID", "hush"))
