from __future__ import annotations

from pathlib import Path

from tests.retrieval.connectors.consented import Consented
from tests.retrieval.connectors.outside import Asked, Headers, Said
from tests.retrieval.connectors.worlds.google_drive import ADMIN, LOGIN, GoogleDriveWorld


class ByConsent(Consented, GoogleDriveWorld):
    """An administrator has agreed. Google's refresh tokens stay as they are."""

    login = f"https://{LOGIN}/token"
    rotates = False
    withdrawn = Said.json({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)

    def __init__(self) -> None:
        super().__init__()
        del self.config["key"]
        self.config |= {"subject": "", "mine": False}
        self.administrator = True

    def guarded(self, asked: Asked) -> Said:
        """Files and people are asked for with tokens of their own, any of which is good for as long as it lasts."""
        if asked.headers.get("authorization", "").startswith("Bearer a") and self.left > 0:
            asked = Asked(asked.method, asked.url, Headers({**asked.headers, "authorization": f"Bearer a{self.given}"}), asked.body)
        return super().guarded(asked)

    def entered(self, asked: Asked) -> Said:
        if asked.path.endswith("/drive/v3/about"):
            return Said.json({"user": {"emailAddress": "Ann@acme.example"}})
        if f"https://{ADMIN}" in asked.url and not self.administrator:
            return Said.json({"error": {"code": 403, "message": "Not Authorized to access this resource/api"}}, 403)
        return self.serve(Asked(asked.method, asked.url, Headers({**asked.headers, "authorization": "Bearer t-"}), asked.body))


def world(folder: Path) -> ByConsent:
    return ByConsent()
