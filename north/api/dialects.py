"""The addresses of Cohere's and OpenAI's dialects. No trailing slash: a redirected POST loses its body."""

from django.urls import path

from north.api.cohere import chat, chat_v1, embed, models, rerank
from north.api.elsewhere import nothing
from north.api.openai.chat import completions
from north.api.openai.embeddings import embeddings

app_name = "dialects"
urlpatterns = [
    path("v2/chat", chat.v2, name="chat"),
    path("v1/chat", chat_v1.v1, name="chat_v1"),
    path("v2/embed", embed.v2, name="embed"),
    path("v1/embed", embed.v1, name="embed_v1"),
    path("v2/rerank", rerank.v2, name="rerank"),
    path("v1/rerank", rerank.v1, name="rerank_v1"),
    path("v1/tokenize", models.tokenize, name="tokenize"),
    path("v1/detokenize", models.detokenize, name="detokenize"),
    path("v1/check-api-key", models.check_api_key, name="check_api_key"),
    *(
        route
        for prefix, name in (("v1/", ""), ("compatibility/v1/", "_compatible"))
        for route in (
            path(f"{prefix}models", models.listed, name=f"models{name}"),
            path(f"{prefix}models/<path:model>", models.one, name=f"model{name}"),
            path(f"{prefix}chat/completions", completions, name=f"completions{name}"),
            path(f"{prefix}embeddings", embeddings, name=f"embeddings{name}"),
        )
    ),
    *(path(f"{prefix}/<path:rest>", nothing, name=f"nothing_{prefix}") for prefix in ("v1", "v2", "compatibility")),
]
