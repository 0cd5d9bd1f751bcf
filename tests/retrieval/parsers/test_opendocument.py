from __future__ import annotations

import pytest

from retrieval.errors import NoText, Unreadable
from retrieval.parsers.opendocument import parse
from tests.retrieval.files import archive, odt

BODY = (
    '<text:h text:outline-level="1">Leave <text:span>rules</text:span></text:h>'
    "<text:p>Thirty<text:s/>days<text:line-break/>a <text:span>year</text:span>.</text:p>"
    "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
    "<table:table><table:table-row><table:table-cell><text:p>Day</text:p></table:table-cell><table:table-cell>"
    "<text:list><text:list-item><text:p>a</text:p></text:list-item><text:list-item><text:p>b</text:p></text:list-item></text:list>"
    "</table:table-cell></table:table-row></table:table>"
    "<text:p>end<office:annotation><text:p>SECRET</text:p></office:annotation></text:p>"
)


def test_headings_spans_lists_and_tables_are_read() -> None:
    parsed = parse(odt(BODY))
    assert parsed.text == "Leave rules\n\nThirty days a year.\n\none\n\nDay | a b\n\nend\n"
    assert [(place.kind, place.label) for place in parsed.places] == [("heading", "Leave rules")]
    assert parsed.title == "Leave rules"


def test_an_empty_document_has_no_text() -> None:
    with pytest.raises(NoText):
        parse(odt("<text:p/>"))


@pytest.mark.parametrize("members", [{"a": "b"}, {"content.xml": "<broken"}])
def test_a_damaged_document_is_unreadable(members: dict[str, str]) -> None:
    with pytest.raises(Unreadable):
        parse(archive(members))


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    data = archive({"content.xml": bomb + '<d xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><text:p>a&f;b</text:p></d>'})
    assert "root:" not in parse(data).text
