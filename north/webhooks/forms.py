"""What owners fill in about a webhook."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from north.webhooks.models import Event


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks/north", "autocomplete": "off"}),
        help_text=_("Of the program that is told. North posts to it, and to no other address that it redirects to."),
    )
    events = forms.MultipleChoiceField(label=_("It is told when"), choices=Event.choices, widget=forms.CheckboxSelectMultiple)
