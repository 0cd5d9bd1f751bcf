from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command

from north import sealing
from north.documents.models import Source
from north.management.commands.rotate_secrets import SEALED
from north.webhooks.models import Webhook
from north.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def rows(workspace: Workspace) -> list[Source]:
    hook = Webhook(workspace=workspace, url="https://hooks.example/", events=[])
    hook.set_secret()
    hook.save()
    return [Source.objects.create(workspace=workspace, connector="x", name=str(n), secrets=sealing.seal(f"secret {n}")) for n in range(5)]


def test_whatever_is_sealed_is_sealed_anew() -> None:
    fields = ((model, field.name) for model in apps.get_models() for field in model._meta.get_fields() if hasattr(field, "column"))
    sealed = {(model._meta.app_label, model.__name__, name) for model, name in fields if name == "secrets" or name.endswith("sealed")}
    assert sealed == set(SEALED)


def rotate(*options: str) -> str:
    said = StringIO()
    call_command("rotate_secrets", *options, stdout=said, stderr=said)
    return said.getvalue()


def secrets() -> list[str]:
    return [sealing.unseal(row.secrets) for row in Source.objects.order_by("name")]


def test_everything_is_sealed_under_a_new_key_and_the_old_one_opens_nothing(rows: list[Source], folder: Path, settings: Any) -> None:
    before = secrets()
    assert rotate("--new-key").startswith("6 secrets")
    assert (folder / "sealing-keys").stat().st_mode & 0o777 == 0o600
    settings.SECRET_KEY = "another" * 10
    assert secrets() == before == [f"secret {n}" for n in range(5)]
    assert Webhook.objects.get().secrets()
    assert rotate("--new-key", "--forget").startswith("6 secrets") and len(sealing.kept()) == 1
    assert secrets() == before


def test_a_rotation_that_was_stopped_goes_on(rows: list[Source]) -> None:
    sealing.add_key()
    Source.objects.filter(pk=rows[0].pk).update(secrets=sealing.seal("secret 0"))
    assert rotate().startswith("5 secrets")
    assert rotate().startswith("0 secrets")


def test_what_no_key_opens_is_named_and_no_key_is_forgotten(rows: list[Source]) -> None:
    sealing.add_key()
    Source.objects.filter(pk=rows[0].pk).update(secrets=Fernet(Fernet.generate_key()).encrypt(b"x").decode())
    with pytest.raises(CommandError, match="1 secrets cannot be read"):
        rotate("--new-key", "--forget")
    assert len(sealing.kept()) == 2 and secrets_but(rows[0]) == [f"secret {n}" for n in range(1, 5)]


def secrets_but(row: Source) -> list[str]:
    return [sealing.unseal(other.secrets) for other in Source.objects.exclude(pk=row.pk).order_by("name")]


def test_keys_from_the_environment_come_first(rows: list[Source], settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SEALING_KEYS = [old]
    rotate()
    settings.SEALING_KEYS = [new, old]
    rotate()
    settings.SEALING_KEYS = [new]
    assert secrets() == [f"secret {n}" for n in range(5)]
    with pytest.raises(CommandError, match="NORTH_SEALING_KEYS"):
        rotate("--new-key")
