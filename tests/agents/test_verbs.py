"""What kind of change a request asks for, and a tool makes, told by their verbs."""

from __future__ import annotations

import pytest

from agents import verbs


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Reassign all of Raj's leads to Sofia", {"alters"}),
        ("I need to move all of her customers to Raj. Can you make that change in the crm?", {"alters"}),
        ("Raj is taking over all of her customers", {"alters"}),
        ("Add Kim as a new lead and assign her to Raj", {"makes"}),
        ("Get rid of all mails from Bo", {"removes"}),
        ("Reply to the last email about the order", {"sends"}),
        ("Get back to Kim's last mail", {"sends"}),
        ("Book a room and tell Bo", {"makes", "sends"}),
        ("How many days of leave do I have?", set()),
    ],
)
def test_a_request_says_what_is_to_be_done(text: str, kinds: set[str]) -> None:
    assert verbs.kinds_in(text) == kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Creates a task", "makes"), ("update customer", "alters"), ("reply email", "sends"), ("Deletes", "removes"), ("Searches orders", "")],
)
def test_a_tool_says_what_it_does(text: str, kind: str) -> None:
    assert verbs.kind_of(text) == kind
    assert verbs.changes(text) == bool(kind)


def test_what_is_read_both_ways_changes_something_and_is_of_no_kind() -> None:
    assert verbs.changes("Assigns a task") and not verbs.kind_of("Assigns a task")
    assert not verbs.changes("Sender of a mail") and not verbs.changes("Bookings of a room")
