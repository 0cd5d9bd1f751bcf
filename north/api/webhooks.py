"""Webhooks by REST: who is told what happens in the workspace, and what became of each message. Owners only, with the scope admin."""

from __future__ import annotations

import json
import uuid

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import Key
from north.api.paging import Paging, page
from north.api.people import owner
from north.api.router import answers, router
from north.api.schemas.programs import DeliveryOut, DeliveryPage, WebhookChange, WebhookIn, WebhookMade, WebhookOut, WebhookPage
from north.api.tags import held, tagged
from north.webhooks import actions
from north.webhooks.models import Delivery, Webhook
from north.workspaces.models import Membership

routes = router()
ADMIN = Key("admin")


def all_of(actor: Membership) -> QuerySet[Webhook]:
    return Webhook.objects.filter(workspace=actor.workspace)


def one(webhook_id: uuid.UUID, actor: Membership) -> Webhook:
    return get_object_or_404(all_of(actor), pk=webhook_id)


def delivery(delivery_id: uuid.UUID, webhook_id: uuid.UUID, actor: Membership) -> Delivery:
    return get_object_or_404(Delivery.objects.filter(webhook=one(webhook_id, actor)).select_related("webhook"), id=delivery_id)


def webhook_out(hook: Webhook) -> WebhookOut:
    same = ("url", "events", "state", "failing_since", "created_at")
    return WebhookOut(id=hook.pk, why=hook.disabled_why, **{name: getattr(hook, name) for name in same})


def webhook_made(hook: Webhook, secret: str) -> WebhookMade:
    return WebhookMade(**webhook_out(hook).model_dump(), secret=secret)


def delivery_out(delivery: Delivery) -> DeliveryOut:
    same = ("id", "event", "status", "attempts", "answered", "answer", "milliseconds", "error", "created_at", "tried_at", "ended_at")
    return DeliveryOut(
        message=delivery.message_id,
        body=json.loads(delivery.body),
        next_at=None if delivery.over else delivery.try_at,
        **{name: getattr(delivery, name) for name in same},
    )


@routes.get("", auth=ADMIN, response=answers(200, WebhookPage), summary="List webhooks")
def list_webhooks(request: HttpRequest, paging: Query[Paging]) -> WebhookPage:
    actor = owner(request)
    found, following = page(all_of(actor), paging, by="created_at", within=actor.workspace_id)
    return WebhookPage(items=[webhook_out(hook) for hook in found], next=following)


@routes.post("", auth=ADMIN, response=answers(201, WebhookMade, 409), summary="Add a webhook")
def create_webhook(request: HttpRequest, body: WebhookIn) -> Status[WebhookMade]:
    """Its secret is shown in this answer only."""
    return Status(201, webhook_made(*actions.create(body.url, body.events, actor=owner(request))))


@routes.get("/{uuid:webhook_id}", auth=ADMIN, response=answers(200, WebhookOut, 304), summary="One webhook")
def get_webhook(request: HttpRequest, response: HttpResponse, webhook_id: uuid.UUID) -> WebhookOut:
    return tagged(request, response, webhook_out(one(webhook_id, owner(request))))


@routes.patch("/{uuid:webhook_id}", auth=ADMIN, response=answers(200, WebhookOut, 409, 412), summary="Change a webhook, or switch it")
def change_webhook(request: HttpRequest, response: HttpResponse, webhook_id: uuid.UUID, body: WebhookChange) -> WebhookOut:
    """What is left out or null stays as it is. Switched on again it gets what waited; what happened meanwhile is not told."""
    actor = owner(request)
    if body.url and body.url != one(webhook_id, actor).url:
        actions.allowed(body.url)
    with held(request, all_of(actor).filter(pk=webhook_id), webhook_out) as hook:
        if body.url is not None or body.events is not None:
            actions.change(hook, body.url or hook.url, body.events or hook.events, actor=actor, looked_up=body.url or "")
        if body.enabled is not None:
            actions.switch(hook, body.enabled, actor=actor)
    return tagged(request, response, webhook_out(hook))


@routes.delete("/{uuid:webhook_id}", auth=ADMIN, response=answers(204, None, 409, 412), summary="Delete a webhook and its log")
def delete_webhook(request: HttpRequest, webhook_id: uuid.UUID) -> Status[None]:
    actor = owner(request)
    with held(request, all_of(actor).filter(pk=webhook_id), webhook_out) as hook:
        actions.delete(hook, actor=actor)
    return Status(204, None)


@routes.post("/{uuid:webhook_id}/secret", auth=ADMIN, response=answers(200, WebhookMade, 409), summary="Give a webhook a new secret")
def renew_secret(request: HttpRequest, webhook_id: uuid.UUID) -> WebhookMade:
    """It is shown in this answer only; for a day the one so far signs as well."""
    actor = owner(request)
    hook = one(webhook_id, actor)
    return webhook_made(hook, actions.new_secret(hook, actor=actor))


@routes.post("/{uuid:webhook_id}/test", auth=ADMIN, response=answers(202, DeliveryOut, 409), summary="Send a test")
def send_test(request: HttpRequest, webhook_id: uuid.UUID) -> Status[DeliveryOut]:
    """Its delivery says what became of it. 409 where the webhook is switched off."""
    actor = owner(request)
    return Status(202, delivery_out(actions.test(one(webhook_id, actor), actor=actor)))


# --- deliveries -----------------------------------------------------------------------------------------------------------------------
@routes.get("/{uuid:webhook_id}/deliveries", auth=ADMIN, response=answers(200, DeliveryPage), summary="A webhook's messages, newest first")
def list_deliveries(request: HttpRequest, webhook_id: uuid.UUID, paging: Query[Paging]) -> DeliveryPage:
    """Of the last 30 days."""
    actor = owner(request)
    rows = Delivery.objects.filter(webhook=one(webhook_id, actor))
    found, following = page(rows, paging, by="-number", within=actor.workspace_id)
    return DeliveryPage(items=[delivery_out(one) for one in found], next=following)


@routes.get("/{uuid:webhook_id}/deliveries/{uuid:delivery_id}", auth=ADMIN, response=answers(200, DeliveryOut, 304), summary="One message")
def get_delivery(request: HttpRequest, response: HttpResponse, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> DeliveryOut:
    return tagged(request, response, delivery_out(delivery(delivery_id, webhook_id, owner(request))))


@routes.post(
    "/{uuid:webhook_id}/deliveries/{uuid:delivery_id}/again",
    auth=ADMIN,
    response=answers(202, DeliveryOut, 409),
    summary="Send a message again",
)
def send_again(request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Status[DeliveryOut]:
    """The same, now, whatever became of it. 409 where the webhook is switched off, or it is being sent at this moment."""
    actor = owner(request)
    actions.again(delivery(delivery_id, webhook_id, actor), actor=actor)
    return Status(202, delivery_out(delivery(delivery_id, webhook_id, actor)))
