from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import Encrypted, ParseError, Unreadable
from retrieval.parsers.cleaning import clean
from retrieval.parsers.mail import parse
from tests.retrieval import files


def mail(body: str = "Dear all,\nthe office is closed on Monday.", subject: str = "Büro geschlossen") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@acme.example>"
    message["To"] = "Bob <bob@acme.example>, carl@acme.example"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0100"
    message["Subject"] = subject
    message["X-Spam"] = "SECRET"
    message.set_content(body)
    return message


def test_a_mail_is_its_lines_and_its_body() -> None:
    parsed = parse(mail().as_bytes())
    assert parsed.text == (
        "From: Ann <ann@acme.example>\nTo: Bob <bob@acme.example>, carl@acme.example\nDate: Mon, 02 Nov 2026 10:00:00 +0100\n"
        "Subject: Büro geschlossen\n\nDear all,\nthe office is closed on Monday.\n"
    )
    assert parsed.title == "Büro geschlossen"


def test_html_is_read_where_plain_text_says_little() -> None:
    message = mail("See the HTML part.")
    message.add_alternative("<h1>News</h1><p>We moved to a larger house in Bonn.</p><script>SECRET</script>", subtype="html")
    text = parse(message.as_bytes()).text
    assert "We moved" in text and "SECRET" not in text


def test_attachments_are_named_and_come_as_files_of_their_own() -> None:
    message = mail()
    rules = files.docx([("Heading 1", "Rules"), ("Normal", "No smoking.")])
    message.add_attachment(rules, "application", "octet-stream", filename="../rules.docx")
    message.add_attachment(b"", "text", "csv", filename="empty.csv")
    parsed = parse(message.as_bytes())
    assert "Attachment: rules.docx\n" in parsed.text and "Attachment: empty.csv\n" in parsed.text and "No smoking" not in parsed.text
    assert [(one.name, one.data, one.folder) for one in parsed.attached] == [("rules.docx", rules, "")]


def test_a_signatures_logo_is_no_attachment() -> None:
    message = mail()
    message.add_attachment(files.picture("Acme"), "image", "png", filename="logo.png", cid="<logo>")
    message.add_attachment(files.picture("Plan"), "image", "png", filename="plan.png")
    assert [one.name for one in parse(message.as_bytes()).attached] == ["plan.png"]


def test_a_forwarded_mail_is_read() -> None:
    message = mail("See below.", "Fwd")
    message.add_attachment(mail("The old one.", "Old news"))
    text = parse(message.as_bytes()).text
    assert "Attached message: Old news" in text and "The old one." in text


def test_a_mail_in_a_mail_in_a_mail_comes_to_an_end() -> None:
    message = mail("innermost")
    for level in range(30):
        outer = mail(f"level {level}")
        outer.add_attachment(message)
        message = outer
    assert "level 29" in parse(message.as_bytes()).text


def test_a_sealed_mail_is_encrypted() -> None:
    sealed = b"From: a@b\nSubject: s\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA"
    with pytest.raises(Encrypted):
        parse(sealed)


def test_what_is_no_mail_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="e-mail"):
        parse(b"just words")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_mail_saved_as_utf_16_is_read(encoding: str) -> None:
    assert "closed on Monday" in parse(mail().as_bytes().decode("ascii").encode(encoding)).text


BROKEN_LINES = [
    "From: =?utf-8?q?J=C3=BCrgen?= <a@b>",
    "Subject: =?no-such?q?x?=",
    "Subject: =?utf-8?b?!!!!?=",
    "Content-Type: multipart/mixed; boundary=x",
    "Content-Type: text/html; charset=nope",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename*=nope''x",
    "Date: never",
    "To: a\x80b",
    "",
    "--x",
    "--x--",
    "<p>body",
    "a=ff=",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(BROKEN_LINES), max_size=12))
def test_any_broken_mail_is_read_or_refused(lines: list[str]) -> None:
    try:
        parsed = parse("\n".join(["MIME-Version: 1.0", *lines]).encode("latin-1"))
    except ParseError:
        return
    assert clean(parsed.text) == parsed.text
    assert all(0 <= place.start < place.end <= len(parsed.text) for place in parsed.places)
