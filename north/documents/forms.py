"""What people fill in: who may read, and where a source lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from north.documents import configuring, ways
from north.documents.errors import Refused
from north.documents.models import Source
from north.documents.readers import Readers
from north.workspaces.models import Group, Workspace
from retrieval.connectors.contract import Setting

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


AS_SOURCE = "source"
PREFIX = "of_"
"""Before the names of a connector's own settings, so that none is taken for one of North's."""
KEPT = "••••••••"


def field_of(setting: Setting, *, kept: bool = False) -> forms.Field:
    """The form field of one setting. `kept`: a secret is there already, and stays if nothing is written."""
    told = {"label": setting.label, "help_text": setting.help, "required": False, "initial": initial_of(setting)}
    match setting.kind:
        case "switch":
            return forms.BooleanField(**told)
        case "number":
            return forms.IntegerField(**told, min_value=setting.least, max_value=setting.most)
        case "choice":
            return forms.ChoiceField(**told, choices=setting.choices)
        case "list" | "long":
            return forms.CharField(**told, widget=forms.Textarea(attrs={"rows": 3}))
        case "secret":
            shown = {"autocomplete": "new-password", **({"placeholder": KEPT} if kept else {})}
            return forms.CharField(**told, widget=forms.PasswordInput(attrs=shown, render_value=True), strip=True)
    return forms.CharField(**told, max_length=10_000)


def initial_of(setting: Setting) -> Any:
    return "\n".join(setting.default) if isinstance(setting.default, tuple) else setting.default


class SourceForm(ReadersForm):
    """The fields of every source, and those that the connector's schema asks for, which judges them, too."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("As your colleagues know it."))
    include = forms.CharField(
        label=_("Only these"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Patterns of paths, one a line, such as *.pdf, hr/*.docx or handbook/ for all in that folder. Empty: everything."),
    )
    exclude = forms.CharField(
        label=_("But not these"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Patterns of the same kind, such as drafts/ or *.tmp."),
    )
    schedule = forms.TypedChoiceField(label=_("Sync"), choices=Source.Schedule.choices, coerce=int, initial=Source.Schedule.HOUR)
    half_life = forms.IntegerField(
        label=_("Half-life in days"),
        min_value=0,
        max_value=36_500,
        initial=0,
        required=False,
        help_text=_("After so many days a document has lost half of what age can cost it in a search (30 %); 0: age does not count."),
    )

    def __init__(
        self, *args: Any, workspace: Workspace, connector: str = configuring.FOLDER, source: Source | None = None, **kwargs: Any
    ) -> None:
        kwargs["initial"] = {**({} if source is None else self.shown(source)), **(kwargs.get("initial") or {})}
        super().__init__(*args, workspace=workspace, **kwargs)
        self.connector, self.source = configuring.connector(connector), source
        self.kind = connector
        kept = configuring.secrets_of(source) if source else {}
        for setting in self.connector.settings:
            self.fields[PREFIX + setting.name] = field_of(setting, kept=setting.name in kept)
        if self.connector.rights:
            choices = [(AS_SOURCE, _("Whoever may see it in the source")), *self.fields["readers"].choices]  # type: ignore[attr-defined]
            self.fields["readers"].choices = choices  # type: ignore[attr-defined]

    @staticmethod
    def shown(source: Source) -> dict[str, Any]:
        said = {PREFIX + name: "\n".join(value) if isinstance(value, list) else value for name, value in source.config.items()}
        scope = {"include": "\n".join(source.include), "exclude": "\n".join(source.exclude)}
        return {"name": source.name, "schedule": source.schedule, "half_life": source.half_life, **scope, **said}

    @property
    def own(self) -> list[forms.BoundField]:
        return [self[PREFIX + setting.name] for setting in self.connector.settings]

    @property
    def browses(self) -> bool:
        return self.connector.browse is not None

    @property
    def asked(self) -> list[tuple[forms.BoundField, str]]:
        """Its own fields, each with what it depends on: "name value" of another field, or nothing."""
        needs = [" ".join([PREFIX + one.when[0], one.when[1]]) if one.when else "" for one in self.connector.settings]
        return list(zip(self.own, needs, strict=True))

    def clean_half_life(self) -> int:
        return self.cleaned_data["half_life"] or 0

    def clean_include(self) -> list[str]:
        return self.cleaned_data["include"].splitlines()

    def clean_exclude(self) -> list[str]:
        return self.cleaned_data["exclude"].splitlines()

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        for name in self.not_asked():
            self.errors.pop(name, None)
        given = self.given()
        wrong = {**configuring.unreachable(self.kind, given), **configuring.judged(self.kind, given, self.source).wrong}
        for name, words in wrong.items():
            if PREFIX + name not in self.errors:
                self.add_error(PREFIX + name, words)
        return values

    def not_asked(self) -> list[str]:
        """The fields that depend on another one's having another value: what stands in them counts for nothing."""
        depending = [one for one in self.connector.settings if one.when]
        return [PREFIX + one.name for one in depending if one.when and self.cleaned_data.get(PREFIX + one.when[0]) not in ("", one.when[1])]

    def given(self) -> dict[str, Any]:
        names = [setting.name for setting in self.connector.settings]
        return {name: self.cleaned_data[PREFIX + name] for name in names if self.cleaned_data.get(PREFIX + name) not in (None, "")}

    def values(self) -> dict[str, Any]:
        """As the verbs take them."""
        plain = {name: self.cleaned_data[name] for name in ("name", "schedule", "half_life", "include", "exclude")}
        return {**plain, "given": self.given(), "as_source": self.cleaned_data["readers"] == AS_SOURCE, "readers": self.chosen()}

    def refuse(self, field: str, words: str) -> None:
        """A refusal beside the field that it is about."""
        named = next((name for name in (field, PREFIX + field) if name in self.fields), None)
        self.add_error(named, words)
