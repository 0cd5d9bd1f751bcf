"""What programs send to use North, to be copied: `$address` is this installation's, as the reader reaches it; the key comes from outside.

The paths and shapes are the clients' own: Cohere's and OpenAI's packages are used unmodified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from django.utils.translation import gettext_lazy as _

QUESTION = "How long is the notice period?"


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    title: object
    about: object
    language: str
    """bash, python, javascript or json."""
    code: str
    scope: str

    def filled(self, address: str) -> str:
        return Template(self.code).substitute(address=address, question=QUESTION)


KEY = Example(
    "key", _("Your key"), _("Make one on the page of keys, and keep it out of your code: every example reads it from here."), "bash",
    "export NORTH_KEY=north_YOUR_KEY\n", "",
)  # fmt: skip

EXAMPLES: Sequence[Example] = (
    Example(
        "curl", "curl", _("An answer from the workspace's documents, with its citations: the model north is the workspace's assistant."),
        "bash",
        """curl $address/v2/chat \\
  -H "Authorization: Bearer $$NORTH_KEY" -H "Content-Type: application/json" \\
  -d '{"model": "north", "messages": [{"role": "user", "content": "$question"}]}'
""", "infer",
    ),
    Example(
        "cohere-python", "Cohere, Python", _("pip install cohere. Chat, rerank and embed, unmodified."), "python",
        """import os

import cohere

client = cohere.ClientV2(api_key=os.environ["NORTH_KEY"], base_url="$address")

question = "$question"
answer = client.chat(model="north", messages=[{"role": "user", "content": question}])
print(answer.message.content[0].text)
for citation in answer.message.citations or []:
    print(citation.start, citation.end, citation.text, [source.id for source in citation.sources])

documents = ["The notice period is thirty days.", "The office is in Lyon."]
ranked = client.rerank(model="rerank", query=question, documents=documents)
print([(result.index, result.relevance_score) for result in ranked.results])

embedded = client.embed(
    model="embed", texts=documents, input_type="search_document", embedding_types=["float"]
)
print(len(embedded.embeddings.float_[0]))
""", "infer",
    ),
    Example(
        "cohere-js", "Cohere, JavaScript", _("npm install cohere-ai. The answer comes as it is written."), "javascript",
        """import { CohereClientV2 } from "cohere-ai";

const client = new CohereClientV2({ token: process.env.NORTH_KEY, environment: "$address" });

const stream = await client.chatStream({
  model: "north",
  messages: [{ role: "user", content: "$question" }],
});
for await (const event of stream) {
  if (event.type === "content-delta") process.stdout.write(event.delta.message.content.text);
}
""", "infer",
    ),
    Example(
        "openai", "OpenAI, Python", _("pip install openai. Frameworks that have an OpenAI client take the same address."),
        "python",
        """import os

from openai import OpenAI

client = OpenAI(api_key=os.environ["NORTH_KEY"], base_url="$address/v1")

question = "$question"
answer = client.chat.completions.create(
    model="north", messages=[{"role": "user", "content": question}]
)
print(answer.choices[0].message.content)

embedded = client.embeddings.create(model="embed", input=[question])
print(len(embedded.data[0].embedding))
""", "infer",
    ),
    Example(
        "mcp", "MCP", _("For assistants and editors that speak the Model Context Protocol: search, fetch and ask, with this key's rights."),
        "json",
        """{
  "mcpServers": {
    "north": {
      "type": "http",
      "url": "$address/mcp",
      "headers": { "Authorization": "Bearer north_YOUR_KEY" }
    }
  }
}
""", "read",
    ),
    Example(
        "rest", _("North's own REST"),
        _("Everything the pages can do, from documents to keys and webhooks. An Idempotency-Key makes a write safe to repeat."), "bash",
        """# Upload a document (scope: write)
curl $address/api/v1/documents \\
  -H "Authorization: Bearer $$NORTH_KEY" -F file=@handbook.pdf

# Search (scope: read)
curl $address/api/v1/search \\
  -H "Authorization: Bearer $$NORTH_KEY" -H "Content-Type: application/json" \\
  -d '{"query": "$question"}'

# List the documents (scope: read)
curl "$address/api/v1/documents?status=ready" \\
  -H "Authorization: Bearer $$NORTH_KEY"

# Make a key for one program (scope: admin); it is shown this once
curl $address/api/v1/keys \\
  -H "Authorization: Bearer $$NORTH_KEY" -H "Content-Type: application/json" -H "Idempotency-Key: ci-1" \\
  -d '{"name": "ci", "scopes": ["read"], "expires_at": null}'
""", "read",
    ),
)  # fmt: skip

WEBHOOK = Example(
    "webhook", _("Check a webhook's signature"),
    _("With Python's standard library. The packages called standardwebhooks do the same in many languages."), "python",
    """import base64, hashlib, hmac, time


def is_from_north(headers, body: bytes, secret: str) -> bool:
    \"\"\"`secret`: as it was shown once, whsec_...; `body`: the bytes as they came.\"\"\"
    sent_at = headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        return False  # too old: somebody repeats it
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent_at}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
""", "",
)  # fmt: skip
