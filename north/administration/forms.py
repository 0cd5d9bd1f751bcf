"""What administrators fill in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from north.indexes.models import Generation
from north.reindexing.actions import LEAST, MOST, models_here
from north.workspaces.models import AuditEvent, UserManager, Workspace


class NewUserForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    is_admin = forms.BooleanField(label=_("Administrator of this installation"), required=False)

    def clean_email(self) -> str:
        return UserManager.normalise(self.cleaned_data["email"])


class OwnerForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))


class AuditFilter(forms.Form):
    """Which events are wanted; a field that makes no sense is said and filters nothing."""

    actor = forms.CharField(
        label=_("Who"), max_length=254, required=False, widget=forms.TextInput(attrs={"placeholder": _("E-mail address")})
    )
    action = forms.ChoiceField(label=_("What"), required=False)
    workspace = forms.ModelChoiceField(Workspace.objects.order_by("name"), label=_("Workspace"), required=False, empty_label=_("All"))
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        actions = AuditEvent.objects.order_by("action").values_list("action", flat=True).distinct()
        self.fields["action"].choices = [("", _("Everything")), *((action, action) for action in actions)]  # type: ignore[attr-defined]

    def events(self) -> QuerySet[AuditEvent]:
        """The events wanted, the newest first."""
        self.is_valid()
        wanted = {name: value for name, value in self.cleaned_data.items() if value}
        events = AuditEvent.objects.order_by("-number")
        if "workspace" in wanted:
            events = events.filter(workspace_id=wanted["workspace"].pk)
        lookups = {"actor": "actor__icontains", "action": "action", "since": "at__date__gte", "until": "at__date__lte"}
        return events.filter(**{lookup: wanted[name] for name, lookup in lookups.items() if name in wanted})


class IndexForm(forms.Form):
    """With what a new index is made."""

    model = forms.ChoiceField(label=_("Embedding model"))
    characters = forms.IntegerField(
        label=_("Characters of a chunk, at most"), min_value=LEAST, max_value=MOST, help_text=_("About 1,000 suits most documents.")
    )
    swaps_itself = forms.BooleanField(
        label=_("Use it as soon as it is built, unless it finds less"),
        required=False,
        help_text=_("Otherwise it waits for you. Either way you can go back for a day."),
    )

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        serving = Generation.objects.serving().model
        titles = {model.name: f"{model.title} ({model.name})" for model in models_here()}
        names = dict.fromkeys([serving, *titles])
        field = self.fields["model"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, titles.get(name, name)) for name in names]

    @classmethod
    def now(cls) -> IndexForm:
        serving = Generation.objects.serving()
        return cls(initial={"model": serving.model, "characters": serving.characters})
