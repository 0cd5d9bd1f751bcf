"""Who may use which route: the table that tests/test_matrix.py holds every route against. A new route gets its row here first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

MEMBERS = frozenset({"carl", "rita", "bob", "alice"})
EDITORS = frozenset({"bob", "alice"})
OWNER = frozenset({"alice"})
SIGNED_IN = MEMBERS | {"charlie", "ada"}
EVERYBODY = SIGNED_IN | {"anonymous"}
HR = frozenset({"rita"})
ACTORS = sorted(EVERYBODY)


@dataclass(frozen=True)
class Row:
    """Who may, by which method; `needs` are the ids in the address, `body` what a form sends."""

    method: str
    allowed: frozenset[str]
    needs: tuple[str, ...] = ()
    """`user:account` is the account's id as the address's `user`."""
    body: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    hidden: bool = True
    """Outsiders get a 404 (and the anonymous are sent to sign in)."""


def page(allowed: frozenset[str], *needs: str) -> Row:
    return Row("get", allowed, needs)


def act(allowed: frozenset[str], *needs: str, **body: Any) -> Row:
    return Row("post", allowed, needs, body)


PUBLIC = Row("get", EVERYBODY, hidden=False)
PAGES: dict[str, list[Row]] = {
    "healthz": [PUBLIC],
    "readyz": [PUBLIC],
    "metrics": [PUBLIC],  # from this machine; tests/api/test_metrics.py asks from elsewhere
    "api:openapi-json": [PUBLIC],
    "api:openapi-view": [PUBLIC],
    "api:api-root": [],
    **{f"dialects:nothing_{version}": [Row("get", EVERYBODY, ("rest",), hidden=False)] for version in ("v1", "v2", "compatibility")},
    "problem": [Row("get", EVERYBODY, ("code",), hidden=False)],
    "hook": [Row("get", frozenset(), ("key",), hidden=False), Row("post", frozenset(), ("key",), hidden=False)],  # of no source
    "consent": [page(SIGNED_IN)],
    "nowhere": [],  # a 404 for everybody
    # people
    "workspaces:home": [page(SIGNED_IN)],
    "workspaces:sign_in": [PUBLIC],
    "workspaces:sign_out": [Row("post", EVERYBODY, hidden=False)],
    "workspaces:welcome": [Row("get", EVERYBODY, ("secret",), hidden=False)],
    "workspaces:invitation": [Row("get", EVERYBODY, ("secret",), hidden=False)],
    "workspaces:account": [page(SIGNED_IN), act(SIGNED_IN, name="x")],
    "workspaces:password": [act(SIGNED_IN)],
    "workspaces:end_others": [act(SIGNED_IN)],
    "workspaces:end_session": [act(HR, "session")],
    "workspaces:all": [page(SIGNED_IN)],
    "workspaces:new": [page(SIGNED_IN), act(SIGNED_IN, name="Another")],
    "workspaces:people": [page(MEMBERS)],
    "workspaces:invite": [act(OWNER, email="new@acme.example", role="reader")],
    "workspaces:take_back": [act(OWNER, "invitation")],
    "workspaces:role": [act(OWNER, "user", role="editor")],
    "workspaces:remove": [act(OWNER, "user")],
    "workspaces:new_group": [act(OWNER, name="Finance")],
    "workspaces:group": [page(OWNER, "group")],
    "workspaces:rename_group": [act(OWNER, "group", name="Humans")],
    "workspaces:group_members": [act(OWNER, "group")],
    "workspaces:delete_group": [act(OWNER, "group")],
    "workspaces:settings": [page(MEMBERS)],
    "workspaces:change": [act(OWNER, name="Acme 2")],
    "workspaces:leave": [act(MEMBERS)],
    "workspaces:delete": [act(OWNER, name="Acme")],
    # the installation
    **{
        f"administration:{name}": [page(frozenset({"ada"}))]
        for name in ("index", "users", "groups", "workspaces", "sources", "keys", "models", "indexes", "audit")
    },
    "administration:new_user": [act(frozenset({"ada"}), email="z@acme.example")],
    **{
        f"administration:{name}": [act(frozenset({"ada"}), "user")] for name in ("link", "suspend", "restore", "make_admin", "unmake_admin")
    },
    "administration:appoint": [act(frozenset({"ada"}), "workspace")],
    "administration:delete_workspace": [act(frozenset({"ada"}), "workspace")],
    "administration:revoke_key": [act(frozenset({"ada"}), "key")],
    "administration:card": [page(frozenset({"ada"}))],
    "administration:test_model": [act(frozenset({"ada"}))],
    "administration:stop_test": [act(frozenset({"ada"}))],
    "administration:build_index": [act(frozenset({"ada"}), model="multilingual-e5-small-int8", characters="900")],
    **{f"administration:{name}": [act(frozenset({"ada"}), "generation")] for name in ("stop_index", "swap_index", "remove_index")},
    "administration:verify": [act(frozenset({"ada"}))],
    # usage
    "usage:installation": [page(frozenset({"ada"}))],
    "usage:installation_csv": [page(frozenset({"ada"}))],
    "usage:workspace": [page(OWNER)],
    "usage:workspace_csv": [page(OWNER)],
    # search quality: the golden question is rita's
    "evaluation:mark": [act(frozenset(), question="Why?", document=str(UUID(int=0)))],  # of a document that nobody may read
    **{f"evaluation:{name}": [page(OWNER)] for name in ("quality", "questions", "export")},
    "evaluation:measurement": [page(OWNER, "measurement")],
    **{f"evaluation:{name}": [act(OWNER, "measurement")] for name in ("stop", "use")},
    "evaluation:begin": [act(OWNER, kind="measure")],
    "evaluation:reset": [act(OWNER)],
    "evaluation:import": [act(OWNER)],
    "evaluation:new": [act(OWNER, text="How long?")],
    "evaluation:reword": [act(OWNER, "question", text="How so?")],
    "evaluation:remove": [act(OWNER, "question")],
    "evaluation:take_back": [act(OWNER, "question", "document")],
    # when it refuses: the mark is alice's
    "refusals:index": [page(EDITORS)],
    "refusals:mark": [act(frozenset(), id=str(UUID(int=0)), answers="yes")],  # of what nobody was asked
    "refusals:take_back": [act(OWNER, "mark")],
    "refusals:use": [act(OWNER, risk="0.05")],
    "refusals:reset": [act(OWNER)],
    # programs: `key` is bob's
    "programs:guide": [page(MEMBERS)],
    "programs:keys": [page(MEMBERS)],
    "programs:make": [act(MEMBERS, name="ci", scopes=["read"], lasts="90")],
    "programs:allow_members": [act(OWNER)],
    "programs:new_account": [act(OWNER, **{"account-name": "Robot", "account-role": "reader"})],
    "programs:account_role": [act(OWNER, "user:account", role="editor")],
    "programs:delete_account": [act(OWNER, "user:account")],
    "programs:key": [page(frozenset({"bob", "alice"}), "key")],
    "programs:allow": [act(OWNER, "key")],
    "programs:rotate": [act(frozenset({"bob"}), "key", grace="24")],
    "programs:revoke": [act(frozenset({"bob", "alice"}), "key")],
    "webhooks:webhooks": [page(OWNER)],
    "webhooks:new": [act(OWNER, url="https://192.0.2.1/", events=["sync.failed"])],
    "webhooks:webhook": [page(OWNER, "webhook")],
    "webhooks:change": [act(OWNER, "webhook", url="https://hooks.example/", events=["sync.failed"])],
    **{f"webhooks:{name}": [act(OWNER, "webhook")] for name in ("test", "secret", "switch", "delete")},
    "webhooks:again": [act(OWNER, "webhook", "delivery")],
    # documents: `document` is for the group HR only, and bob uploaded it
    "documents:index": [page(MEMBERS)],
    "documents:upload": [act(EDITORS)],
    "documents:document": [page(HR, "document")],
    "documents:page": [Row("get", HR, ("document", "page"))],
    "documents:file": [page(HR, "document")],
    "documents:reading": [page(HR, "document")],
    "documents:reread": [act(EDITORS, "document", recognise="never")],
    "documents:retry": [act(EDITORS, "document")],
    "documents:delete": [act(EDITORS, "document")],
    "documents:verify": [act(EDITORS, "document", verified="1")],
    "documents:access": [act(EDITORS, "document", readers="everyone")],
    "documents:search": [page(MEMBERS)],
    "documents:save_search": [act(MEMBERS, query="q=pay")],
    "documents:rename_search": [act(HR, "search", name="Pay")],
    "documents:delete_search": [act(HR, "search")],
    "documents:sources": [page(EDITORS)],
    "documents:new_source": [page(EDITORS), act(EDITORS, name="x")],
    "documents:preview_source": [act(EDITORS, connector="folder")],
    "documents:connection": [page(EDITORS, "source")],
    "documents:connect": [act(EDITORS, "source")],
    "documents:device": [act(EDITORS, "source")],
    "documents:device_poll": [act(EDITORS, "source")],
    "documents:disconnect": [act(EDITORS, "source")],
    "documents:push": [page(EDITORS, "source"), act(EDITORS, "source")],
    "documents:push_secret": [act(EDITORS, "source", secret="s")],
    "documents:push_close": [act(EDITORS, "source")],
    "documents:push_register": [act(EDITORS, "source")],
    "documents:browse_source": [act(EDITORS, connector="folder")],
    "documents:source_people": [page(OWNER, "source")],
    "documents:map_account": [act(OWNER, "source", "identity_id", person="nobody")],
    "documents:source": [page(EDITORS, "source")],
    "documents:edit_source": [page(EDITORS, "source"), act(EDITORS, "source")],
    "documents:sync": [act(EDITORS, "source")],
    **{f"documents:{verb}": [act(EDITORS, "source")] for verb in ("pause_source", "resume_source", "cancel_sync", "retry_source")},
    "documents:skip": [act(EDITORS, "document")],
    "documents:delete_source": [act(EDITORS, "source")],
    # threads: `thread_id` and `run_id` are rita's
    "threads:index": [page(MEMBERS)],
    "threads:start": [act(MEMBERS, question="Why?")],
    "threads:thread": [page(HR, "thread_id")],
    "threads:ask": [act(HR, "thread_id", question="Why?")],
    "threads:rename": [act(HR, "thread_id", title="T")],
    "threads:delete": [act(HR, "thread_id")],
    "threads:events": [page(HR, "run_id")],
    "threads:cancel": [act(HR, "run_id")],
    "threads:again": [act(HR, "run_id")],
    "threads:trace": [page(HR, "run_id")],
    "threads:web_page": [page(HR, "page_id")],
    "threads:replay": [act(HR, "run_id", anyway="1")],
    "threads:comparison": [page(HR, "run_id")],
    "threads:resume": [act(HR, "run_id")],
    "threads:retry": [act(HR, "run_id", step="plan")],
    "threads:waiting": [page(HR, "thread_id")],
    "threads:unqueue": [act(HR, "thread_id", "queued_id")],
    "threads:decide": [act(HR, "approval_id", verdict="reject", seen="0" * 64)],
    "threads:rules": [page(MEMBERS), act(OWNER, write_document="deny")],
    "threads:hosts": [act(OWNER, hosts="www.example.com")],
    "threads:artifacts": [page(MEMBERS)],
    "threads:artifact": [page(HR, "artifact_id")],
    "threads:revise": [act(HR, "artifact_id", text="Pay is none of your business.", base="1")],
    "threads:restore": [act(HR, "artifact_id", version="1")],
    "threads:export_artifact": [page(HR, "artifact_id", "kind")],
    "threads:export_run": [page(HR, "run_id", "kind")],
    # agents: `agent_id` is bob's, and shared
    "threads:agents": [page(MEMBERS)],
    "threads:new_agent": [page(EDITORS), act(EDITORS, name="Lawyer")],
    "threads:agent": [page(MEMBERS, "agent_id"), act(EDITORS, "agent_id", name="Lawyer 2")],
    "threads:try_agent": [act(MEMBERS, "agent_id", question="Why?")],
    "threads:restore_agent": [act(EDITORS, "agent_id", version="1")],
    "threads:share_agent": [act(EDITORS, "agent_id", shared="1")],
    "threads:retire_agent": [act(EDITORS, "agent_id")],
    # servers of tools
    "outside:servers": [page(MEMBERS), act(OWNER, name="tracker", url="https://192.0.2.1/mcp", secret="none")],
    "outside:read": [act(OWNER, "server_id")],
    "outside:approve": [act(OWNER, "server_id")],
    "outside:secret": [act(MEMBERS, "server_id", secret="s")],
    "outside:remove": [act(OWNER, "server_id")],
}
CALLS: dict[str, Row] = {
    "api:me": Row("get", MEMBERS),
    "api:create_workspace": Row("post", MEMBERS, body={"name": "Another"}),
    "api:get_workspace": Row("get", MEMBERS),
    "api:change_workspace": Row("patch", OWNER, body={"name": "Acme 2"}),
    "api:delete_workspace": Row("delete", OWNER, query="?name=Acme"),
    "api:list_members": Row("get", MEMBERS),
    "api:get_member": Row("get", MEMBERS, ("user_id",)),
    "api:change_member": Row("patch", OWNER, ("user_id",), {"role": "editor"}),
    "api:remove_member": Row("delete", OWNER | {"carl"}, ("user_id",)),  # carl, to leave
    "api:list_invitations": Row("get", OWNER),
    "api:invite": Row("post", OWNER, body={"email": "newer@acme.example"}),
    "api:get_invitation": Row("get", OWNER, ("invitation_id",)),
    "api:take_back": Row("delete", OWNER, ("invitation_id",)),
    "api:list_groups": Row("get", MEMBERS),
    "api:create_group": Row("post", OWNER, body={"name": "Finance"}),
    "api:get_group": Row("get", HR | OWNER, ("group_id",)),
    "api:rename_group": Row("patch", OWNER, ("group_id",), {"name": "Humans"}),
    "api:set_group_members": Row("put", OWNER, ("group_id",), {"members": []}),
    "api:delete_group": Row("delete", OWNER, ("group_id",)),
    "api:list_sources": Row("get", EDITORS),
    "api:create_source": Row("post", EDITORS, body={"name": "x", "path": "/nowhere", "access": {}}),
    "api:get_source": Row("get", EDITORS, ("source_id",)),
    "api:change_source": Row("patch", EDITORS, ("source_id",), {"schedule": 0}),
    "api:delete_source": Row("delete", EDITORS, ("source_id",)),
    "api:list_connectors": Row("get", EDITORS),
    "api:preview_source": Row("post", EDITORS, body={"path": "/nowhere"}),
    "api:browse_source": Row("post", EDITORS, body={"path": "/nowhere"}),
    "api:list_source_accounts": Row("get", OWNER, ("source_id",)),
    "api:map_source_account": Row("put", OWNER, ("source_id", "identity_id"), {"person": None}),
    "api:unmap_source_account": Row("delete", OWNER, ("source_id", "identity_id")),
    "api:sync_source": Row("post", EDITORS, ("source_id",)),
    "api:list_syncs": Row("get", EDITORS, ("source_id",)),
    "api:list_status": Row("get", EDITORS),
    "api:get_status": Row("get", EDITORS, ("source_id",)),
    **{f"api:{verb}": Row("post", EDITORS, ("source_id",)) for verb in ("pause_source", "resume_source", "cancel_sync", "retry_source")},
    "api:skip_document": Row("post", EDITORS, ("document_id",)),
    "api:upload": Row("post", EDITORS),
    "api:list_documents": Row("get", MEMBERS),
    "api:get_document": Row("get", HR | EDITORS, ("document_id",)),
    "api:delete_document": Row("delete", EDITORS, ("document_id",)),
    "api:retry_document": Row("post", EDITORS, ("document_id",)),
    "api:read_again": Row("put", EDITORS, ("document_id",), {"recognise": "never"}),
    "api:set_access": Row("put", EDITORS, ("document_id",), {"everyone": True}),
    "api:set_verified": Row("put", EDITORS, ("document_id",), {"verified": True}),
    "api:get_text": Row("get", HR, ("document_id",)),
    "api:list_chunks": Row("get", HR, ("document_id",)),
    "api:get_file": Row("get", HR, ("document_id",)),
    "api:search": Row("post", MEMBERS, body={"query": "pay"}),
    "api:count_facets": Row("post", MEMBERS, body={}),
    "api:list_saved_searches": Row("get", MEMBERS),
    "api:save_search": Row("post", MEMBERS, body={"query": "pay"}),
    "api:get_saved_search": Row("get", HR, ("search_id",)),
    "api:rename_saved_search": Row("patch", HR, ("search_id",), {"name": "Pay"}),
    "api:delete_saved_search": Row("delete", HR, ("search_id",)),
    "api:get_refusals": Row("get", EDITORS),
    "api:list_proposals": Row("get", EDITORS),
    "api:list_marks": Row("get", EDITORS),
    "api:mark_evidence": Row("post", frozenset(), body={"id": str(UUID(int=0)), "answers": True}),
    "api:take_back_mark": Row("delete", OWNER, ("mark_id",)),
    "api:set_threshold": Row("put", OWNER, body={"risk": 0.05}),
    "api:reset_threshold": Row("delete", OWNER),
    "api:list_agents": Row("get", MEMBERS),
    "api:create_agent": Row("post", EDITORS, body={"name": "Lawyer"}),
    "api:get_agent": Row("get", EDITORS, ("agent_id",)),
    "api:change_agent": Row("put", EDITORS, ("agent_id",), {"name": "Lawyer 2"}),
    "api:share_agent": Row("put", EDITORS, ("agent_id",), {"shared": True}),
    "api:retire_agent": Row("delete", EDITORS, ("agent_id",)),
    "api:list_agent_versions": Row("get", EDITORS, ("agent_id",)),
    "api:restore_agent": Row("post", EDITORS, ("agent_id", "number")),
    "api:list_models": Row("get", MEMBERS),
    "api:list_threads": Row("get", MEMBERS),
    "api:create_thread": Row("post", MEMBERS),
    "api:get_thread": Row("get", HR, ("thread_id",)),
    "api:rename_thread": Row("patch", HR, ("thread_id",), {"title": "T"}),
    "api:delete_thread": Row("delete", HR, ("thread_id",)),
    "api:list_runs": Row("get", HR, ("thread_id",)),
    "api:ask": Row("post", HR, ("thread_id",), {"question": "Why?"}),
    "api:get_run": Row("get", HR, ("run_id",)),
    "api:cancel": Row("post", HR, ("run_id",)),
    "api:ask_again": Row("post", HR, ("run_id",)),
    "api:get_trace": Row("get", HR, ("run_id",)),
    "api:replay": Row("post", HR, ("run_id",), {"anyway": True}),
    "api:get_comparison": Row("get", HR, ("run_id",)),
    "api:resume": Row("post", HR, ("run_id",)),
    "api:retry": Row("post", HR, ("run_id",), {"step": "plan"}),
    "api:list_queued": Row("get", HR, ("thread_id",)),
    "api:queue_question": Row("post", HR, ("thread_id",), {"question": "Why?"}),
    "api:unqueue": Row("delete", HR, ("thread_id", "queued_id")),
    "api:run_events": Row("get", HR, ("run_id",)),
    # other people's dialects: what is done with the models belongs to no workspace
    **{
        f"dialects:{name}": Row("post", MEMBERS)
        for name in (
            "chat", "chat_v1", "embed", "embed_v1", "rerank", "rerank_v1", "tokenize", "detokenize", "check_api_key",
            "completions", "completions_compatible", "embeddings", "embeddings_compatible",
        )
    },
    **{f"dialects:{name}": Row("get", MEMBERS) for name in ("models", "models_compatible")},
    **{f"dialects:{name}": Row("get", MEMBERS, ("model",)) for name in ("model", "model_compatible")},
    "api:list_audit": Row("get", frozenset()),  # administrators of the installation who are members: tests/api/test_reports.py
    "api:get_usage": Row("get", OWNER),
    "api:waiting": Row("get", MEMBERS),
    "api:get_approval": Row("get", HR, ("approval_id",)),
    "api:list_artifacts": Row("get", MEMBERS),
    "api:get_artifact": Row("get", HR, ("artifact_id",)),
    "api:list_versions": Row("get", HR, ("artifact_id",)),
    "api:get_version": Row("get", HR, ("artifact_id", "number")),
    "api:get_version_file": Row("get", HR, ("artifact_id", "number")),
    # programs: `key_id` is bob's
    "api:list_keys": Row("get", MEMBERS),
    "api:create_key": Row("post", MEMBERS, body={"name": "ci", "scopes": ["read"], "expires_at": None}),
    "api:get_key": Row("get", EDITORS, ("key_id",)),
    "api:rotate_key": Row("post", frozenset({"bob"}), ("key_id",)),
    "api:revoke_key": Row("delete", EDITORS, ("key_id",)),
    "api:get_key_usage": Row("get", EDITORS, ("key_id",)),
    "api:get_key_limits": Row("get", EDITORS, ("key_id",)),
    "api:set_key_limits": Row("put", OWNER, ("key_id",), {"tokens_per_day": 10}),
    "api:get_limits": Row("get", OWNER),
    "api:set_limits": Row("put", OWNER, body={"tokens_per_day": 10}),
    "api:list_service_accounts": Row("get", OWNER),
    "api:create_service_account": Row("post", OWNER, body={"name": "Robot"}),
    "api:get_service_account": Row("get", OWNER, ("account_id",)),
    "api:change_service_account": Row("patch", OWNER, ("account_id",), {"role": "editor"}),
    "api:delete_service_account": Row("delete", OWNER, ("account_id",)),
    "api:list_webhooks": Row("get", OWNER),
    "api:create_webhook": Row("post", OWNER, body={"url": "https://192.0.2.1/", "events": ["sync.failed"]}),
    "api:get_webhook": Row("get", OWNER, ("webhook_id",)),
    "api:change_webhook": Row("patch", OWNER, ("webhook_id",), {"enabled": False}),
    "api:delete_webhook": Row("delete", OWNER, ("webhook_id",)),
    "api:renew_secret": Row("post", OWNER, ("webhook_id",)),
    "api:send_test": Row("post", OWNER, ("webhook_id",)),
    "api:list_deliveries": Row("get", OWNER, ("webhook_id",)),
    "api:get_delivery": Row("get", OWNER, ("webhook_id", "delivery_id")),
    "api:send_again": Row("post", OWNER, ("webhook_id", "delivery_id")),
    "api:decide": Row("post", HR, ("approval_id",), {"decision": "reject", "seen": "0" * 64}),
    "mcp": Row("post", MEMBERS, body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    "mcp_too": Row("post", MEMBERS, body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
}  # fmt: skip
