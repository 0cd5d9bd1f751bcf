"""What people fill in about an agent. The form names its fields: nothing else of a request reaches a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.languages import NAMES
from north.threads.approving import EFFECTS, NAMED
from north.threads.configuring import INSTRUCTIONS, LIMITS
from north.threads.models import Agent
from north.workspaces.models import Membership

RULES = [("", _("As this workspace says")), ("ask", _("Ask first")), ("deny", _("Never"))]
LANGUAGES = [("", _("the question's")), *sorted(NAMES.items(), key=lambda one: one[1])]
LIMIT_WORDS = {"searches": _("Searches"), "steps": _("Uses of tools"), "seconds": _("Seconds")}


class AgentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    about = forms.CharField(label=_("What it is for"), max_length=200, required=False, help_text=_("Shown where people choose an agent."))
    instructions = forms.CharField(
        label=_("Instructions"), max_length=INSTRUCTIONS, required=False, widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("How it should answer, who asks, what matters. It answers from documents all the same."),
    )  # fmt: skip
    sources = forms.MultipleChoiceField(
        label=_("It knows only"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all documents that whoever asks may read. Nobody reads more by an agent than without it."),
    )  # fmt: skip
    language = forms.ChoiceField(
        label=_("Language of the answers"),
        required=False,
        choices=[("", _("the question's")), *sorted(NAMES.items(), key=lambda one: one[1])],
    )
    length = forms.ChoiceField(label=_("Length"), required=False, choices=Agent.Length.choices)
    form = forms.ChoiceField(label=_("Form"), required=False, choices=Agent.Form.choices)
    confirms = forms.ChoiceField(
        label=_("Show the plan before it runs"), required=False, choices=Agent.Confirms.choices,
        help_text=_("Larger questions get a plan of steps. Whoever asked can change it, agree to it, or go on without it."),
    )  # fmt: skip
    questions = forms.CharField(
        label=_("Starter questions"), required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=_("One a line, at most eight.")
    )
    shared = forms.BooleanField(label=_("Everybody in this workspace may ask it"), required=False, initial=True)

    def __init__(self, *arguments: Any, membership: Membership, is_new: bool, **options: Any) -> None:
        super().__init__(*arguments, **options)
        sources = [(str(one.pk), one.name) for one in membership.workspace.sources.order_by("name")]
        self.fields["sources"].choices = [("uploads", _("Uploads")), *sources]  # type: ignore[attr-defined]
        for tool in EFFECTS:
            self.fields[f"tool-{tool}"] = forms.ChoiceField(label=str(NAMED.get(tool, tool)), required=False, choices=RULES)
        for name, (least, most) in LIMITS.items():
            widget = forms.NumberInput(attrs={"placeholder": _("as the model allows")})
            self.fields[f"limit-{name}"] = forms.IntegerField(
                label=LIMIT_WORDS[name], required=False, min_value=least, max_value=most, widget=widget
            )
        if not is_new:
            del self.fields["shared"]

    @property
    def tools(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("tool-")]

    @property
    def limits(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("limit-")]

    def values(self) -> dict[str, Any]:
        """What an agent keeps of it, as `Agent.VALUES`."""
        said = self.cleaned_data
        return {
            **{name: said[name] for name in ("name", "about", "instructions", "language", "length", "form")},
            "confirms": said["confirms"] or Agent.Confirms.NEVER,
            "questions": said["questions"].splitlines(),
            "sources": ["" if one == "uploads" else one for one in said["sources"]],
            "rules": {tool: said[f"tool-{tool}"] for tool in EFFECTS},
            "limits": {name: said[f"limit-{name}"] for name in LIMITS},
        }


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The form's fields for what an agent keeps."""
    return {
        **values,
        "questions": "\n".join(values["questions"]),
        "sources": [one or "uploads" for one in values["sources"]],
        **{f"tool-{tool}": rule for tool, rule in values["rules"].items()},
        **{f"limit-{name}": value for name, value in values["limits"].items()},
    }
