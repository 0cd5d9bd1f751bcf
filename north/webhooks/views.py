"""Webhooks of a workspace and what became of their messages. Owners only."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.leases import OPEN
from north.webhooks import actions
from north.webhooks.forms import WebhookForm
from north.webhooks.models import Event, Webhook
from north.workspaces.access import inside
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Role
from north.workspaces.pages import refusals_shown

SHOWN = 50


@require_safe
@never_cache
@inside(Role.OWNER)
def webhooks(request: HttpRequest, membership: Membership) -> HttpResponse:
    return page(request, membership, WebhookForm())


def page(request: HttpRequest, membership: Membership, form: WebhookForm) -> HttpResponse:
    context = {"nav": "settings", "tab": "webhooks", "webhooks": membership.workspace.webhooks.all(), "form": form}
    return render(request, "webhooks/webhooks.html", context, status=422 if form.is_bound else 200)


@require_POST
@never_cache
@inside(Role.OWNER)
def new(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The one page that ever shows the secret."""
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            hook, secret = actions.create(form.cleaned_data["url"], form.cleaned_data["events"], actor=membership)
            return hook_page(request, membership, hook, secret=secret)
        except Refused as refusal:
            form.add_error("url", str(refusal))
    return page(request, membership, form)


def hook_of(membership: Membership, webhook: UUID) -> Webhook:
    return get_object_or_404(membership.workspace.webhooks, pk=webhook)


@require_safe
@never_cache
@inside(Role.OWNER)
def webhook(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    return hook_page(request, membership, hook_of(membership, webhook))


def hook_page(request: HttpRequest, membership: Membership, hook: Webhook, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "nav": "settings",
        "tab": "webhooks",
        "webhook": hook,
        "form": WebhookForm({"url": hook.url, "events": hook.events}),
        "events": [Event(event).label for event in hook.events],
        "deliveries": hook.deliveries.all()[:SHOWN],
        "waiting": hook.deliveries.filter(status__in=OPEN).count(),
        **more,
    }
    return render(request, "webhooks/webhook.html", context, status=status)


def shown(membership: Membership, hook: Webhook) -> HttpResponse:
    return redirect("webhooks:webhook", membership.workspace.slug, hook.pk)


@require_POST
@never_cache
@inside(Role.OWNER)
def change(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    hook, form = hook_of(membership, webhook), WebhookForm(request.POST)
    if form.is_valid():
        try:
            actions.change(hook, form.cleaned_data["url"], form.cleaned_data["events"], actor=membership)
            messages.success(request, _("The webhook was saved."))
            return shown(membership, hook)
        except Refused as refusal:
            form.add_error("url", str(refusal))
    return hook_page(request, membership, hook_of(membership, webhook), status=422, form=form)


@require_POST
@inside(Role.OWNER)
def test(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    hook = hook_of(membership, webhook)
    with refusals_shown(request):
        actions.test(hook, actor=membership)
        messages.success(request, _("A test message is on its way. Reload the page to see what became of it."))
    return shown(membership, hook)


@require_POST
@never_cache
@inside(Role.OWNER)
def secret(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    """The one page that ever shows the new secret."""
    hook = hook_of(membership, webhook)
    return hook_page(request, membership, hook, secret=actions.new_secret(hook, actor=membership))


@require_POST
@inside(Role.OWNER)
def switch(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    hook, on = hook_of(membership, webhook), request.POST.get("on") == "1"
    actions.switch(hook, on, actor=membership)
    messages.success(request, _("The webhook is switched on.") if on else _("The webhook is switched off: it is told nothing."))
    return shown(membership, hook)


@require_POST
@inside(Role.OWNER)
def delete(request: HttpRequest, membership: Membership, webhook: UUID) -> HttpResponse:
    actions.delete(hook_of(membership, webhook), actor=membership)
    messages.success(request, _("The webhook was deleted."))
    return redirect("webhooks:webhooks", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def again(request: HttpRequest, membership: Membership, webhook: UUID, delivery: UUID) -> HttpResponse:
    hook = hook_of(membership, webhook)
    found = get_object_or_404(hook.deliveries.select_related("webhook"), id=delivery)
    with refusals_shown(request):
        actions.again(found, actor=membership)
        messages.success(request, _("The message is sent once more."))
    return shown(membership, hook)
