"""What an agent can do: one file, one tool each, with its effect. A tool reaches the world through its Context only. Searching is no choice
of an agent's: every question is searched for."""

from __future__ import annotations

from collections.abc import Mapping

from agents.tool import Tool
from agents.tools.ask_user import ASK_USER
from agents.tools.calculate import CALCULATE
from agents.tools.compare_documents import COMPARE_DOCUMENTS
from agents.tools.create_chart import CREATE_CHART
from agents.tools.fetch_page import FETCH_PAGE
from agents.tools.query_table import QUERY_TABLE
from agents.tools.read_document import READ_DOCUMENT
from agents.tools.write_document import WRITE_DOCUMENT

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (CALCULATE, QUERY_TABLE, READ_DOCUMENT, COMPARE_DOCUMENTS, FETCH_PAGE, WRITE_DOCUMENT, CREATE_CHART, ASK_USER)
}
