"""Environment in, settings out. Nothing else reads the environment; `checks.py` says what is wrong with it and how to mend it."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    return env(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


def listed(name: str, separator: str = ",") -> list[str]:
    return [part.strip() for part in env(name).split(separator) if part.strip()]


# --- where things lie -------------------------------------------------------------------------------------------------------------
DATA_DIR = Path(env("NORTH_DATA_DIR", str(BASE_DIR / "var"))).expanduser().resolve()
MODELS_DIR = Path(env("NORTH_MODELS_DIR", "~/.cache/north/models")).expanduser().resolve()
FILES_DIR = DATA_DIR / "files"
RUN_DIR = DATA_DIR / "run"
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)


def kept_secret(name: str) -> str:
    """A secret made at the first start and kept in the data folder, readable by its owner only."""
    path = DATA_DIR / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


# --- who may reach the web process ------------------------------------------------------------------------------------------------
HOST = env("NORTH_HOST", "127.0.0.1")
PORT = int(env("PORT", "8000"))
PUBLIC_URL = env("NORTH_PUBLIC_URL", f"http://{'localhost' if HOST in {'127.0.0.1', '0.0.0.0'} else HOST}:{PORT}").rstrip("/")  # noqa: S104
SECRET_KEY = env("NORTH_SECRET_KEY") or kept_secret("secret-key")
# Keys under which stored secrets are sealed, the newest first (`python manage.py rotate_secrets`); without any, one is made of SECRET_KEY.
SEALING_KEYS = listed("NORTH_SEALING_KEYS")
DEBUG = flag("NORTH_DEBUG")
ALLOWED_HOSTS = [*listed("NORTH_ALLOWED_HOSTS"), "localhost", "127.0.0.1", "[::1]", urlsplit(PUBLIC_URL).hostname or "localhost"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
HTTPS = PUBLIC_URL.startswith("https://")

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = ("__Host-north", "__Host-north-csrf") if HTTPS else ("north", "north-csrf")
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
METRICS_TOKEN = env("NORTH_METRICS_TOKEN")
"""Who reads /metrics shows it as a bearer token; without one only this machine may read them."""
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("NORTH_BEHIND_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [f"security.W00{number}" for number in (1, 2, 3)]  # they look for Django's own names in MIDDLEWARE
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- the application --------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "csp",
    "axes",
    "ninja",
    "north.apps.Config",
    "north.workspaces",
    "north.indexes",
    "north.usage",
    "north.webhooks",
    "north.documents",
    "north.cards",
    "north.outside.apps.Config",
    "north.evaluation",
    "north.reindexing",
    "north.threads",
    "north.programs",
    "north.administration",
    "north.api.apps.Config",
]
MIDDLEWARE = [
    "north.middleware.Security",
    "north.tracing.trace",
    "north.api.problems.told",
    "north.api.keys.tell",
    "north.middleware.ContentSecurityPolicy",
    "north.middleware.static",
    "north.middleware.Sessions",
    "north.middleware.Locale",
    "north.middleware.Common",
    "north.middleware.Csrf",
    "north.middleware.Authentication",
    "north.middleware.Messages",
    "django_htmx.middleware.HtmxMiddleware",
    "north.middleware.Frames",
    "axes.middleware.AxesMiddleware",
    "north.workspaces.sessions.seen",
]
ROOT_URLCONF = "north.urls"
ASGI_APPLICATION = "north.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "north.workspaces.access.page_context",
            ]
        },
    }
]
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "north" / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": FILES_DIR}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "north" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -----------------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "workspaces:sign_in"
LOGIN_REDIRECT_URL = "workspaces:home"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 10}  # type: ignore[assignment]
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_ENABLE_ADMIN = False
AXES_RESET_ON_SUCCESS = AXES_DISABLE_ACCESS_LOG = True
AXES_LOCKOUT_TEMPLATE = "workspaces/locked_out.html"
AXES_IPWARE_PROXY_COUNT = 1 if flag("NORTH_BEHIND_PROXY") else 0
INVITATION_DAYS = 7


# --- database ---------------------------------------------------------------------------------------------------------------------
def database(url: str) -> dict[str, object]:
    """`postgres://user:password@host:port/name`, or SQLite in the data folder where the URL is empty."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "north.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 2},
    }


DATABASE_URL = env("NORTH_DATABASE_URL")
DATABASES = {"default": database(DATABASE_URL)}


# --- broker, workers --------------------------------------------------------------------------------------------------------------
def socket_path(name: str) -> Path:
    """A unix socket in the data folder, or, where that path is too long for the kernel (107 bytes), in a private temporary folder."""
    path = RUN_DIR / name
    if len(os.fsencode(path)) <= 100:
        return path
    digest = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"north-{os.getuid()}-{digest}" / name


BROKER_SOCKET = socket_path("broker.sock")
REDIS_URL = env("NORTH_REDIS_URL", f"unix://{BROKER_SOCKET}?db=0")
CELERY_BROKER_URL = f"redis+socket://{BROKER_SOCKET}?virtual_host=0" if not env("NORTH_REDIS_URL") else REDIS_URL
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600, "unacked_restore_interval": 2, "unacked_restore_throttle": 1,
    "max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2,  # a broker that is away holds no page up
}  # fmt: skip
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_CREATE_MISSING_QUEUES = True
QUEUES = {
    "search": ["documents.tasks.search", "serving.tasks.*"],
    "index": ["documents.tasks.index", "documents.tasks.forget_workspace", "evaluation.tasks.measure", "reindexing.tasks.compare",
              "cards.tasks.examine"],
    "sweep": ["*.tasks.sweep*", "reindexing.tasks.tend"],
    "webhooks": ["webhooks.tasks.deliver"], "runs": ["threads.tasks.execute"],
}  # fmt: skip
CELERY_TASK_ROUTES = {f"north.{task}": {"queue": queue} for queue, tasks in QUEUES.items() for task in tasks}
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CPU_WORKERS = max(2, min(4, os.cpu_count() or 1))
"""Children of the worker that syncs and reads: one is always free to read while the others sync."""
WORKERS = {"cpu": ["cpu"], "gpu": ["search", "runs", "index", "sweep", "webhooks"]}
ALL_ROOMS = "documents,threads,cards,evaluation,serving,webhooks,reindexing"
TASK_ROOMS = [f"north.{room}" for room in env("NORTH_TASK_ROOMS", ALL_ROOMS).split(",") if room != "none"]
"""Whose tasks a worker loads: one that only reads documents needs no agent, and beat (`none`) needs nothing."""
CELERY_BEAT_SCHEDULE = {
    "sweep documents": {"task": "north.documents.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sweep traces": {"task": "north.threads.tasks.sweep_traces", "schedule": 60.0, "options": {"expires": 60}},
    "sweep runs": {"task": "north.threads.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sweep cards": {"task": "north.cards.tasks.sweep", "schedule": 30.0, "options": {"expires": 30}},
    "sweep measurements": {"task": "north.evaluation.tasks.sweep", "schedule": 30.0, "options": {"expires": 30}},
    "sweep webhooks": {"task": "north.webhooks.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "tend indexes": {"task": "north.reindexing.tasks.tend", "schedule": 5.0, "options": {"expires": 5}},
    "sync sources": {"task": "north.documents.tasks.sync_due", "schedule": 10.0, "options": {"expires": 10}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(RUN_DIR / "beat-schedule")
LEASE_SECONDS = int(env("NORTH_LEASE_SECONDS", "15"))
"""How long work of a worker that died waits for another; a living one says three times meanwhile that it lives."""
ATTEMPTS = 3
FAILPOINT = env("NORTH_FAILPOINT")
TRACE_DAYS = int(env("NORTH_TRACE_DAYS", "30"))
"""How long prompts, passages and decisions of runs are kept for who asked; 0: not at all. Words of a deleted document go with it."""
TRACE_KILOBYTES = int(env("NORTH_TRACE_KILOBYTES", "2000"))
"""Of one run. What is over is left out, and that is said."""
RUNS_AT_ONCE = int(env("NORTH_RUNS_AT_ONCE", "8"))

# --- the API of other people's clients ----------------------------------------------------------------------------------------------
API_MEGABYTES = int(env("NORTH_API_MEGABYTES", "25"))
CALLS_AT_ONCE = int(env("NORTH_CALLS_AT_ONCE", "8"))
"""Of other calls than chats that a web process hands to the workers; further ones wait in it, so that people find a worker free."""
CHATS_AT_ONCE = int(env("NORTH_CHATS_AT_ONCE", "8"))
"""Answers that a model worker writes for programs; who comes while so many are at work is told to come again."""
RERANK_DOCUMENTS = int(env("NORTH_RERANK_DOCUMENTS", "1000"))
EMBED_TEXTS = int(env("NORTH_EMBED_TEXTS", "96"))
"""Of one call of a Cohere client. One of an OpenAI client may hold 2,048."""
MODEL_ALIASES = dict(pair.split("=", 1) for pair in listed("NORTH_MODEL_ALIASES") if "=" in pair)
"""Names under which programs know the models: `embed-v4.0=embed,command-a-03-2025=chat,rerank-v3.5=rerank`; the right side is a model's
name or what it is for."""
OUTBOUND_ALLOWED = listed("NORTH_OUTBOUND_ALLOWED")
"""Hosts and networks that webhooks may be sent to although they are not public: `hooks.internal,10.1.0.0/16`."""

# --- documents --------------------------------------------------------------------------------------------------------------------
UPLOAD_MEGABYTES = int(env("NORTH_UPLOAD_MEGABYTES", "100"))
# Beside North's own: wiki=acme.connectors.wiki.CONNECTOR, separated by commas; their code runs in the workers.
CONNECTORS = dict(entry.partition("=")[::2] for entry in listed("NORTH_CONNECTORS"))
# Rights that a source gave are believed for so long without a good sync; then nobody sees its documents until there is one. 0: for ever.
RIGHTS_HOURS = int(env("NORTH_RIGHTS_HOURS", "24"))
# A sync or a document at work that gets no further for so long is stuck: it is begun again, and people are told. 0: never.
STUCK_SECONDS = int(env("NORTH_STUCK_SECONDS", "600"))
# Of all sources together; the others wait their turn, so that a worker is left for what people upload. More with more workers.
SYNCS_AT_ONCE = int(env("NORTH_SYNCS_AT_ONCE", str(max(1, CPU_WORKERS - 1))))
# So many documents of one source may wait to be read or indexed; then its sync waits until half of them are done.
WAITING_DOCUMENTS = int(env("NORTH_WAITING_DOCUMENTS", "20000"))
FOLDER_ROOTS = [Path(path).expanduser() for path in listed("NORTH_FOLDER_ROOTS", os.pathsep)]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler", "north.documents.uploads.UploadHandler"]
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "incoming"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True, mode=0o700)
PARSE_SECONDS = int(env("NORTH_PARSE_SECONDS", "120"))
PARSE_MEGABYTES = int(env("NORTH_PARSE_MEGABYTES", "2000"))
OCR_LANGUAGES = listed("NORTH_OCR_LANGUAGES") or ["en"]
"""In which languages (`en,de`) text on pictures is read, before those that the workspace's other documents are in."""
OCR_SECONDS = int(env("NORTH_OCR_SECONDS", "600"))
"""How long text recognition may take for one file, on top of NORTH_PARSE_SECONDS; 0 switches it off."""

# --- vectors ----------------------------------------------------------------------------------------------------------------------
EDGE_PORT = int(env("NORTH_EDGE_PORT", str(PORT + 1)))
EDGE_DIR = DATA_DIR / "vectors"
QDRANT_URL = env("NORTH_QDRANT_URL", f"http://127.0.0.1:{EDGE_PORT}")
QDRANT_API_KEY = env("NORTH_QDRANT_API_KEY") or kept_secret("vectors-key")
QDRANT_COLLECTION = env("NORTH_QDRANT_COLLECTION", "north")
CHUNK_CHARACTERS = env("NORTH_CHUNK_CHARACTERS", "1000")
"""Of a chunk, at most. Another number, or another embedding model, makes a new index beside the old one."""
INDEX_KEPT_HOURS = float(env("NORTH_INDEX_KEPT_HOURS", "24"))
"""How long the index before the last swap is kept, and kept up to date, so that one can go back to it."""
VECTORS = env("NORTH_VECTORS", "int8")
"""How dense vectors are kept and searched once there are many: full, int8, binary, hnsw or hnsw-int8; `retrieval/vectors.py` says what each
is, and tests/bench/results what it costs. May be changed at any time: the index is made anew from the vectors."""
VECTORS_EXACT = env("NORTH_VECTORS_EXACT", "10000")
"""With no more chunks than these no index is made: all are compared with whole vectors, one by one."""
RERANK_BLEND = env("NORTH_RERANK_BLEND")
"""What the first search counts in the final order beside the cross-encoder's 1; 0: nothing; without it what suits the model."""
FUSION_WEIGHTS = listed("NORTH_FUSION_WEIGHTS")
"""What search gives a passage's cosine, its BM25 score, and an offset: three numbers; without them those that suit the embedding model."""

# --- models: each engine a dotted path, called with what else stands here ------------------------------------------------------------
MODEL_RETRY_SECONDS = float(env("NORTH_MODEL_RETRY_SECONDS", "30"))
"""Until a model that could not be loaded is tried again."""
INFERENCE_THREADS = int(env("NORTH_INFERENCE_THREADS", str(os.cpu_count() or 1)))
MODEL_SOURCES = listed("NORTH_MODEL_SOURCES") or ["hub", "packages", "folder"]
MODEL_FOLDER = env("NORTH_MODEL_FOLDER")
MODEL_FOLDERS = [MODELS_DIR, *([Path(MODEL_FOLDER).expanduser()] if MODEL_FOLDER else [])]
"""Where models lie that describe themselves: `manage.py models add`."""
CHAT_MODEL = env("NORTH_CHAT_MODEL", "qwen2.5-coder-1.5b-instruct-q4_k_m")
EMBED_MODEL = env("NORTH_EMBED_MODEL", "multilingual-e5-small-int8")
SCORE_MODEL = env("NORTH_SCORE_MODEL", "north-reranker-12-int8")
"""What judges the passages that search found; `none`: nothing does, and they stand in the order of the index."""
CHAT_URL = env("NORTH_CHAT_URL")
DEVICE = env("NORTH_DEVICE", "cuda")
"""Where the engines of GPU_ENGINES compute: cuda, cuda:1, or cpu for a trial."""
GPU_ENGINES = {
    "north.inference.torch_encoder.load", "north.inference.torch_encoder.load_scorer", "north.inference.transformers_chat.local",
}  # fmt: skip


def local_engine(role: str, default: str, model: str) -> dict[str, object]:
    """An engine that reads its model from this machine, and on what it computes."""
    engine = env(f"NORTH_{role.upper()}_ENGINE", default)
    on: dict[str, object] = {"device": DEVICE} if engine in GPU_ENGINES else {"threads": INFERENCE_THREADS}
    return {"engine": engine, "model": model, "models_dir": MODELS_DIR, **on}


MODELS: dict[str, dict[str, object]] = {
    "chat": (
        {"engine": "north.inference.chat.remote", "base_url": CHAT_URL, "model": CHAT_MODEL, "api_key": env("NORTH_CHAT_KEY")}
        if CHAT_URL
        else local_engine("chat", "north.inference.llama.local", CHAT_MODEL)
    ),
    "embed": local_engine("embed", "north.inference.embedding.load", EMBED_MODEL),
}
if SCORE_MODEL != "none":
    MODELS["score"] = local_engine("score", "north.inference.embedding.load_scorer", SCORE_MODEL)
RERANK_BYTES = int(env("NORTH_RERANK_BYTES", "0" if "device" in MODELS.get("score", {}) else "8000"))
"""Of the passages that it judges, and of the question with each: so much text, of the best first; 0: of all 50 candidates. About four bytes
are a token in any script, and two quiet cores read some 7,000 tokens a second."""
RERANK_FOR_AGENTS = bool(int(env("NORTH_RERANK_FOR_AGENTS", "1" if "device" in MODELS.get("score", {}) else "0")))
"""Whether agents' searches are judged, too: on processors a question with three searches waits two seconds longer for its first word."""

# --- what is written down ---------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"trace": {"()": "north.tracing.TraceFilter"}},
    "formatters": {"json": {"()": "north.tracing.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["trace"]}},
    "root": {"handlers": ["console"], "level": env("NORTH_LOG_LEVEL", "INFO")},
    "loggers": {
        "axes": {"level": "WARNING"}, "httpx": {"level": "WARNING"}, "uvicorn.access": {"level": "WARNING"}, "pypdf": {"level": "ERROR"},
    },
}  # fmt: skip
