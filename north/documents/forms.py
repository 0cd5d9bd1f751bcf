"""What people fill in: who may read, and where a source lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from north.documents import ways
from north.documents.errors import Refused
from north.documents.models import Source
from north.documents.readers import Readers
from north.workspaces.models import Group, Workspace

EVERYONE, GROUPS, NOBODY = "everyone", "groups", "nobody"


class ReadersForm(forms.Form):
    """Everyone in the workspace, some groups, or nobody: one of them is always said."""

    readers = forms.ChoiceField(
        label=_("Who may read it"),
        widget=forms.RadioSelect,
        choices=[(EVERYONE, _("Everyone in the workspace")), (GROUPS, _("Only these groups")), (NOBODY, _("Nobody"))],
    )
    groups = forms.ModelMultipleChoiceField(
        label=_("Groups"), queryset=Group.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["groups"].queryset = Group.objects.filter(workspace=workspace)  # type: ignore[attr-defined]

    @staticmethod
    def initial_of(readers: Readers) -> dict[str, Any]:
        said = EVERYONE if readers.everyone else GROUPS if readers.groups else NOBODY
        return {"readers": said, "groups": [group.pk for group in readers.groups]}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("readers") == GROUPS and not values.get("groups"):
            self.add_error("groups", _("Choose at least one group, or say that nobody may read it."))
        return values

    def chosen(self) -> Readers:
        said = self.cleaned_data["readers"]
        return Readers(everyone=said == EVERYONE, groups=tuple(self.cleaned_data["groups"]) if said == GROUPS else ())


class WayForm(forms.Form):
    """How a file is to be read."""

    recognise = forms.ChoiceField(
        label=_("Text recognition"),
        choices=[("auto", _("for pages that are pictures of text")), ("always", _("for every page")), ("never", _("never"))],
    )
    language = forms.ChoiceField(label=_("Language on the pictures"), required=False)
    tables = forms.BooleanField(
        label=_("Tables"), required=False, help_text=_("Lines that are drawn on a page part its words into rows and columns.")
    )
    without = forms.CharField(
        label=_("Pages to leave out"), required=False, max_length=500, help_text=_("Such as 3, 5-7. No answer uses what stands on them.")
    )

    def __init__(self, *args: Any, languages: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("as in the workspace's other documents")), *languages]  # type: ignore[attr-defined]

    def clean_without(self) -> list[int]:
        try:
            return ways.pages_in(self.cleaned_data["without"])
        except Refused as refusal:
            raise forms.ValidationError(str(refusal)) from None

    @staticmethod
    def initial_of(way: dict[str, Any]) -> dict[str, Any]:
        pages = ways.pages_told(way.get("without", ()))
        return {"recognise": "auto", "tables": True, **way, "without": pages}


class UploadForm(ReadersForm):
    """Without a default of the workspace, the groups must be chosen."""

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, workspace=workspace, **kwargs)
        choices = [(GROUPS, _("Only these groups"))]
        if workspace.uploads_for_all:
            choices.insert(0, (EVERYONE, _("Everyone in the workspace")))
        self.fields["readers"].choices = choices  # type: ignore[attr-defined]
        self.fields["readers"].initial = choices[0][0]


class SourceForm(ReadersForm):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("As your colleagues know it."))
    path = forms.CharField(label=_("Folder on the server"), max_length=1000)
    schedule = forms.TypedChoiceField(label=_("Sync"), choices=Source.Schedule.choices, coerce=int, initial=Source.Schedule.HOUR)
    half_life = forms.IntegerField(
        label=_("Half-life in days"),
        min_value=0,
        max_value=36_500,
        initial=0,
        required=False,
        help_text=_("After so many days a document has lost half of what age can cost it in a search (30 %); 0: age does not count."),
    )
    field_order = ("name", "path", "schedule", "half_life", "readers", "groups")

    def clean_half_life(self) -> int:
        return self.cleaned_data["half_life"] or 0
