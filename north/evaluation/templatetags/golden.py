"""What pages of search show of the golden set: which documents this person marked as the answers of a question."""

from __future__ import annotations

from typing import Any

from django import template

from north.evaluation.golden import marked

register = template.Library()


@register.simple_tag(takes_context=True)
def marked_for(context: dict[str, Any], question: str) -> set[str]:
    """One query."""
    return marked(context["membership"], [question]).get(question, set())
