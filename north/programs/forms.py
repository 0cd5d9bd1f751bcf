"""What people fill in about keys. Each form names its fields: nothing else of a request reaches a row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from north.workspaces.forms import NameForm
from north.workspaces.keys import GRACES, MOST_REQUESTS, MOST_TOKENS
from north.workspaces.models import KeyScope, Membership, Role, Workspace

LASTS = {30: _("30 days"), 90: _("90 days"), 365: _("a year"), 0: _("no end")}
GRACE_WORDS = {0: _("not at all: it dies now"), 1: _("an hour"), 24: _("a day"), 168: _("a week")}


class KeyForm(forms.Form):
    """A key of this member; an owner's may act as a service account."""

    name = forms.CharField(label=_("What it is for"), max_length=80)
    acts_as = forms.ChoiceField(label=_("Acts as"), required=False)
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=KeyScope.choices, widget=forms.CheckboxSelectMultiple, initial=[KeyScope.READ, KeyScope.INFER]
    )
    lasts = forms.TypedChoiceField(label=_("Valid for"), choices=list(LASTS.items()), coerce=int, initial=90)
    agents = forms.MultipleChoiceField(label=_("Only these agents"), required=False, widget=forms.CheckboxSelectMultiple)
    sources = forms.MultipleChoiceField(label=_("Only documents of these sources"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *arguments: Any, membership: Membership, **options: Any) -> None:
        super().__init__(*arguments, **options)
        workspace = membership.workspace
        accounts = workspace.service_accounts.filter(is_active=True).order_by("name") if membership.is_owner else []
        self.choose("acts_as", [("", _("me")), *((str(account.pk), account.name) for account in accounts)])
        self.choose("agents", [(str(agent.pk), agent.name) for agent in workspace.agents.all()])
        sources = workspace.sources.order_by("name") if membership.may_edit else []
        self.choose("sources", [(str(source.pk), source.name) for source in sources])

    def choose(self, field: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[field].choices = choices  # type: ignore[attr-defined]

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lasts"]
        return timezone.now() + timedelta(days=days) if days else None

    @property
    def narrows(self) -> bool:
        """Whether there is anything to choose among agents and sources."""
        return bool(self.fields["agents"].choices or self.fields["sources"].choices)  # type: ignore[attr-defined]


def number(label: Any, most: int) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"placeholder": _("no limit"), "inputmode": "numeric"})
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=most, widget=widget)


class AllowanceForm(forms.Form):
    """The fields of `workspaces.models.Allowance`; empty: no limit."""

    requests_per_minute = number(_("Requests a minute"), MOST_REQUESTS)
    tokens_per_day = number(_("Tokens a day"), MOST_TOKENS)
    tokens_per_month = number(_("Tokens a month"), MOST_TOKENS)
    refuses = forms.BooleanField(
        label=_("Refuse what is over the budget"),
        required=False,
        help_text=_("Without this, it is only warned of. Days and months are UTC."),
    )


class RotateForm(forms.Form):
    grace = forms.TypedChoiceField(
        label=_("The key so far stays valid for"), choices=[(hours, GRACE_WORDS[hours]) for hours in GRACES], coerce=int, initial=24
    )


class AccountForm(NameForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    role = forms.TypedChoiceField(label=_("Role"), choices=Role.choices, coerce=Role, initial=Role.READER)


def allowance_of(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in AllowanceForm.base_fields}


def allowance_form(workspace: Workspace) -> AllowanceForm:
    return AllowanceForm(initial=allowance_of(workspace), prefix="members")
