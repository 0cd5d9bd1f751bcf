"""The models that a key can name: those of the installation by their names, by what they are for (chat, embed, rerank), by the aliases that
the operator gave, and the assistant of the key's workspace, which answers from its documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings

from north.api.faults import Fault
from north.inference import catalogue
from north.workspaces.models import Membership

Role = Literal["chat", "embed", "score", "agent"]
FOR: dict[str, Role] = {"chat": "chat", "embed": "embed", "rerank": "score"}
ENDPOINTS: dict[Role, list[str]] = {"chat": ["chat"], "agent": ["chat"], "embed": ["embed"], "score": ["rerank"]}
FEATURES: dict[Role, list[str]] = {"chat": ["json_mode", "json_schema", "tools", "strict_tools", "citations"], "agent": ["citations"]}
ASSISTANT = "north"
NO_SCORER = (
    "model '{name}' not found: this installation has no model that reranks. An administrator can give it one: NORTH_SCORE_MODEL with "
    "the name of a model of role score, which `python manage.py models` fetches or adds."
)
UNKNOWN = "model '{name}' not found, make sure the correct model ID was used and that you have access to the model. There are: {names}."


@dataclass(frozen=True, slots=True)
class Served:
    name: str
    role: Role


def models() -> list[Served]:
    return [Served(str(settings.MODELS[role]["model"]), role) for role in FOR.values() if role in settings.MODELS]


def assistant(actor: Membership) -> Served:
    """The one that answers in this workspace. Asks the database."""
    agent = actor.workspace.agents.default()
    return Served(agent.name if agent else ASSISTANT, "agent")


def listed(actor: Membership) -> list[Served]:
    return [*models(), assistant(actor)]


def plain(name: str) -> str:
    """Without an alias."""
    return settings.MODEL_ALIASES.get(name, name)


def one(name: str, *roles: Role) -> Served:
    """The model of this name for one of these roles. Raises Fault: 404, or 400 where no name was given."""
    if not name.strip():
        raise Fault(400, "a model parameter is required for this endpoint.", param="model")
    wanted = plain(name)
    for model in models():
        if model.role in roles and (model.name == wanted or FOR.get(wanted) == model.role):
            return model
    if roles == ("score",) and "score" not in settings.MODELS:
        raise Fault(404, NO_SCORER.format(name=name), code="model_not_found", param="model")
    names = ", ".join(model.name for model in models() if model.role in roles)
    raise Fault(404, UNKNOWN.format(name=name, names=names), code="model_not_found", param="model")


def chatting(name: str, actor: Membership) -> Served:
    """The same for a chat: a chat model or the workspace's assistant; the chat model where no name was given. Asks the database."""
    try:
        return one(name or "chat", "chat")
    except Fault as fault:
        here = assistant(actor)
        if plain(name).casefold() in {here.name.casefold(), ASSISTANT}:
            return here
        raise Fault(404, f"{fault.message.removesuffix('.')}, {here.name}.", code=fault.code, param=fault.param) from None


def described(model: Served) -> Mapping[str, Any]:
    """As Cohere's and OpenAI's clients read it, each its own fields of one object."""
    context = next((known.context for known in catalogue.known(*settings.MODEL_FOLDERS) if known.name == model.name), None)
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "north",
        "name": model.name,
        "is_deprecated": False,
        "endpoints": ENDPOINTS[model.role],
        "finetuned": False,
        "context_length": context,
        "tokenizer_url": None,
        "default_endpoints": ENDPOINTS[model.role] if model.role != "agent" else [],
        "features": FEATURES.get(model.role),
        "sampling_defaults": {"temperature": 0.0} if model.role == "chat" else None,
    }
