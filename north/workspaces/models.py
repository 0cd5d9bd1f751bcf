"""Who may do what: users, workspaces, memberships, groups, keys, invitations, and the audit log. Rows and their verbs; no views."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from north.workspaces.errors import AppendOnly


def digest(secret: str) -> str:
    """What is kept of a secret of at least 160 random bits: enough to know it again, no use to a thief."""
    return hashlib.sha256(secret.encode()).hexdigest()


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalise(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=self.normalise(username or ""))

    def people(self) -> models.QuerySet[User]:
        """All but service accounts."""
        return self.filter(service_of=None)

    @staticmethod
    def normalise(email: str) -> str:
        return email.strip().lower()


class User(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True, max_length=254)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_admin = models.BooleanField(_("administrator of this installation"), default=False)
    service_of = models.ForeignKey("Workspace", on_delete=models.CASCADE, null=True, related_name="service_accounts")
    """Of a service account: the one workspace that it belongs to. It is no person: it has no password, and no link signs it in."""
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.email


class Allowance(models.Model):
    """How much may be used. None: as much as there is. Tokens are those read and written; days and months are UTC."""

    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    tokens_per_day = models.PositiveBigIntegerField(_("tokens a day"), null=True, blank=True)
    tokens_per_month = models.PositiveBigIntegerField(_("tokens a month"), null=True, blank=True)
    refuses = models.BooleanField(_("refuse what is over the budget"), default=False)
    """Else it is only warned of."""

    class Meta:
        abstract = True


ALLOWANCE = [field.name for field in Allowance._meta.local_fields]
NUMBERS = [name for name in ALLOWANCE if name != "refuses"]


class Workspace(Allowance):
    """The outer wall: rows of one workspace are reached only through it. Its allowance is that of each member."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    grounded = models.BooleanField(_("answer only from documents"), default=True)
    removes_unsupported = models.BooleanField(_("take out sentences that rest on no source"), default=False)
    """After one attempt at mending them; else they stay, marked."""
    uploads_for_all = models.BooleanField(_("uploads are for all members unless said otherwise"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")

    def __str__(self) -> str:
        return self.name

    @property
    def everyone(self) -> str:
        """The principal that every member holds."""
        return f"w:{self.pk}"


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    READER = "reader", _("Reader")


class Membership(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.READER)
    created_at = models.DateTimeField(auto_now_add=True)
    key: ApiKey | None = None
    """By which this person came in, if by one; no column. It may do less than they."""
    by_old_key = False
    """By its secret from before the last rotation."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_a_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.workspace_id}: {self.role}"

    @property
    def key_id(self) -> uuid.UUID | None:
        return self.key.pk if self.key else None

    @property
    def sources(self) -> frozenset[str] | None:
        """Ids of those whose documents this caller may see; None: of no source in particular."""
        return None if self.key is None or self.key.sources is None else frozenset(self.key.sources)

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def may_edit(self) -> bool:
        return self.role in {Role.OWNER, Role.EDITOR}


class Group(models.Model):
    """People of one workspace for whom a document may be meant."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField(_("name"), max_length=80)
    users = models.ManyToManyField(User, related_name="knowledge_groups", blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "name"], name="one_group_a_name")]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def principal(self) -> str:
        return f"g:{self.pk}"


class SingleUse(models.Model):
    """A link that works once: its secret is shown once, and only its digest is kept."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @classmethod
    def issue(cls, *, lasts: timedelta, **fields: Any) -> tuple[Any, str]:
        """The row and the secret, which is not kept."""
        secret = secrets.token_urlsafe(32)
        return cls._default_manager.create(digest=digest(secret), expires_at=timezone.now() + lasts, **fields), secret

    @classmethod
    def open(cls, secret: str) -> Any | None:
        """The unused, unexpired row of this secret."""
        return cls._default_manager.filter(digest=digest(secret), used_at=None, expires_at__gt=timezone.now()).first()

    def use(self) -> bool:
        """True for exactly one caller."""
        rows = type(self)._default_manager.filter(pk=self.pk, used_at=None, expires_at__gt=timezone.now())
        return bool(rows.update(used_at=timezone.now()))


class SignInLink(SingleUse):
    """Signs one person in, once: the first admin's, and what an admin hands to somebody who forgot the password.
    Without a user it makes the first admin of an empty installation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sign_in_links")

    def __str__(self) -> str:
        return f"until {self.expires_at}"


class Invitation(SingleUse):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.READER)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)

    def __str__(self) -> str:
        return self.email


class UserSession(models.Model):
    """One signed-in browser, so that a person can see and end it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(max_length=40, unique=True)
    browser = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.browser


class KeyScope(models.TextChoices):
    """What a key may be used for, of what the one whom it acts as may do."""

    READ = "read", _("Read: see and search documents, threads and runs")
    WRITE = "write", _("Write: add, change and delete documents, sources and threads")
    INFER = "infer", _("Infer: ask questions and use the models")
    ADMIN = "admin", _("Administer: people, groups, keys and webhooks")


def all_scopes() -> list[str]:
    return list(KeyScope.values)


class ApiKeyQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """Those that this person may see and revoke: their own; an owner all of the workspace."""
        found = self.filter(workspace=membership.workspace_id)
        return found if membership.is_owner else found.filter(user=membership.user_id)

    def kept(self) -> Self:
        return self.filter(revoked_at=None)


class ApiKey(Allowance):
    """Acts as one user in one workspace. Found by its prefix; only the digest of its secret is kept, and of the one before it while that
    is still taken."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=80, blank=True)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=all_scopes)
    agents = models.JSONField(null=True)
    sources = models.JSONField(null=True)
    """Ids, as texts; None: all, also those to come."""
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    rotated_at = models.DateTimeField(null=True)
    old_digest = models.CharField(max_length=64, blank=True, editable=False)
    old_until = models.DateTimeField(null=True)
    old_used_at = models.DateTimeField(null=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name or self.prefix

    @classmethod
    def issue(cls, *, workspace: Workspace, user: User, name: str = "", **fields: Any) -> tuple[ApiKey, str]:
        """The row and the key `north_<prefix>_<secret>`, which is not kept."""
        prefix = secrets.token_hex(6)
        key = cls.secret(prefix)
        return cls.objects.create(workspace=workspace, user=user, name=name, prefix=prefix, digest=digest(key), **fields), key

    @staticmethod
    def secret(prefix: str) -> str:
        return f"north_{prefix}_{secrets.token_urlsafe(32)}"

    @property
    def limited(self) -> bool:
        """Whether it is for certain agents or sources only."""
        return self.agents is not None or self.sources is not None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def old_works(self) -> bool:
        """Whether the secret before the last rotation is still taken."""
        return self.old_until is not None and self.old_until > timezone.now()

    def rotate(self, grace: timedelta) -> str:
        """A new secret; the one so far is taken for `grace` more, the one before it no more."""
        key, now = self.secret(self.prefix), timezone.now()
        self.old_digest, self.digest = self.digest, digest(key)
        self.rotated_at, self.old_until, self.old_used_at = now, now + grace, None
        self.save(update_fields=["old_digest", "digest", "rotated_at", "old_until", "old_used_at"])
        return key

    def revoke(self) -> None:
        self.revoked_at = self.revoked_at or timezone.now()
        self.save(update_fields=["revoked_at"])


class AppendOnlyQuerySet(models.QuerySet):
    def update(self, **values: Any) -> int:
        raise AppendOnly

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly

    def bulk_create(self, *arguments: Any, **options: Any) -> list[Any]:
        raise AppendOnly

    def bulk_update(self, *arguments: Any, **options: Any) -> int:
        raise AppendOnly


class AuditEvent(models.Model):
    """Who did what to which thing when. Written by `audit.record` only; each row's hash covers the row and the hash before it."""

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=254, blank=True, db_index=True)
    """The e-mail address at that time; empty: North itself."""
    actor_id = models.UUIDField(null=True)
    workspace_id = models.UUIDField(null=True, db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    thing = models.CharField(max_length=60, blank=True)
    thing_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict)
    trace = models.CharField(max_length=32, blank=True)
    before = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects = AppendOnlyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.number} {self.action}"

    def save(self, *arguments: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(force_insert=True)

    def delete(self, *arguments: Any, **options: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly


class AuditHead(models.Model):
    """The newest event's number and hash, in one row that every append locks: a cut tail shows."""

    only = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)
    seal = models.CharField(max_length=64, blank=True)
    """HMAC of number and hash under the installation's secret key."""

    def __str__(self) -> str:
        return f"{self.number} {self.hash}"
