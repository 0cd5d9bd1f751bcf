"""WorkBench (Styles et al. 2024, github.com/olly-styles/WorkBench, MIT): its workplace of five tables, its tools, and its rule: the state
after the actions equals the state after the wanted ones. What else was changed is a side effect.

Written anew from the set's description, so that a workplace is an object and many can stand side by side.
"""

from __future__ import annotations

import ast
import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

Row = dict[str, str]
Call = tuple[str, Mapping[str, Any]]

TODAY = (
    "Today is Thursday, 2023-11-30, 00:00. Meetings are between 09:00 and 18:00. The person who asks is Sam; people's addresses are found "
    "in the company directory."
)
NOW = "2023-11-30 00:00:00"
MOST = 5
TABLES = {
    "email": "emails.csv", "calendar": "calendar_events.csv", "analytics": "analytics_data.csv", "project_management": "project_tasks.csv",
    "customer_relationship_manager": "customer_relationship_manager_data.csv",
}  # fmt: skip
IDS = {"email": "email_id", "calendar": "event_id", "project_management": "task_id", "customer_relationship_manager": "customer_id"}
STATUSES = ["Qualified", "Won", "Lost", "Lead", "Proposal"]
PRODUCTS = ["Software", "Hardware", "Services", "Consulting", "Training"]
LISTS, BOARDS = ["Backlog", "In Progress", "In Review", "Completed"], ["Back end", "Front end", "Design"]
SOURCES = ["direct", "referral", "search engine", "social media"]
PLOTTED = [
    "total_visits", "session_duration_seconds", "user_engaged", "visits_direct", "visits_referral", "visits_search_engine",
    "visits_social_media",
]  # fmt: skip


def load(folder: Path) -> dict[str, list[Row]]:
    return {name: list(csv.DictReader(Path(folder, "data", file).open(encoding="utf-8"))) for name, file in TABLES.items()}


class Workplace:
    """One person's mails, calendar, customers, tasks and figures; `changes` is what was done to them."""

    def __init__(self, tables: Mapping[str, list[Row]], people: Sequence[str]) -> None:
        self.tables, self.people = deepcopy(dict(tables)), people
        self.plots: list[str] = []

    @property
    def state(self) -> Any:
        """All that is compared, without regard to case or order."""
        rows = {name: Counter(json.dumps(row, sort_keys=True).lower() for row in rows) for name, rows in self.tables.items()}
        return rows, Counter(self.plots)

    def use(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What the tool of this name says; words, never an exception, as in the set."""
        given = {key: str(value).replace("\\n", "\n") for key, value in arguments.items() if value not in (None, "")}
        domain, _, verb = name.partition(".")
        found = getattr(self, f"{verb}", None)
        if name not in SPECS or found is None:
            return f"There is no tool {name}."
        lacking = [one for one in SPECS[name]["required"] if one not in given]
        if lacking:
            return f"{', '.join(lacking)} not provided."
        said = found(domain, given)
        return said if isinstance(said, str) else json.dumps(said)

    # --- what only reads ---

    def find_email_address(self, domain: str, given: Row) -> Any:
        return [one for one in self.people if given["name"].lower().replace(" ", ".") in one] or "No employee found with that name."

    def _by_id(self, domain: str, given: Row) -> Any:
        key = IDS.get(domain, "visitor_id")
        found = next((row for row in self.tables[domain] if row[key] == given[key]), None)
        field = given.get("field")
        return "Not found." if found is None else {field: found.get(field, "no such field")} if field else found

    get_email_information_by_id = get_event_information_by_id = get_task_information_by_id = get_visitor_information_by_id = _by_id

    def search_emails(self, domain: str, given: Row) -> Any:
        words = given.get("query", "").lower().split()
        found = [row for row in self.tables[domain] if all(word in _all(row, "subject", "body", "sender/recipient") for word in words)
                 and _within(row["sent_datetime"][:10], given, "date_min", "date_max")]  # fmt: skip
        return sorted(found, key=lambda row: row["sent_datetime"], reverse=True)[:MOST] or "No emails found."

    def search_events(self, domain: str, given: Row) -> Any:
        query = given.get("query", "").lower()
        found = [row for row in self.tables[domain] if query in _all(row, "event_name", "participant_email")
                 and _within(row["event_start"], given, "time_min", "time_max")]  # fmt: skip
        return sorted(found, key=lambda row: row["event_start"])[:MOST] or "No events found."

    def search_tasks(self, domain: str, given: Row) -> Any:
        return self._matching(domain, given) or "No tasks found."

    def search_customers(self, domain: str, given: Row) -> Any:
        bounds = {key for key in given if key.endswith(("_min", "_max"))}
        found = self._matching(domain, {key: value for key, value in given.items() if key not in bounds})
        for key in ("last_contact_date", "follow_up_by"):
            found = [row for row in found if _within(row[key], given, f"{key}_min", f"{key}_max")]
        return found[:MOST] or "No customers found."

    def _matching(self, domain: str, given: Row) -> list[Row]:
        return [row for row in self.tables[domain] if all(value.lower() in row.get(key, "").lower() for key, value in given.items())]

    def _visits(self, given: Row) -> list[Row]:
        return [row for row in self.tables["analytics"] if _within(row["date_of_visit"], given, "time_min", "time_max")]

    def total_visits_count(self, domain: str, given: Row) -> Any:
        return dict(sorted(Counter(row["date_of_visit"] for row in self._visits(given)).items()))

    def engaged_users_count(self, domain: str, given: Row) -> Any:
        return dict(sorted(Counter(row["date_of_visit"] for row in self._visits(given) if row["user_engaged"] == "True").items()))

    def traffic_source_count(self, domain: str, given: Row) -> Any:
        wanted = given.get("traffic_source")
        found = [row["date_of_visit"] for row in self._visits(given) if wanted in (None, row["traffic_source"])]
        return dict(sorted(Counter(found).items()))

    def get_average_session_duration(self, domain: str, given: Row) -> Any:
        days: dict[str, list[float]] = {}
        for row in self._visits(given):
            days.setdefault(row["date_of_visit"], []).append(float(row["session_duration_seconds"]))
        return {day: round(sum(values) / len(values), 2) for day, values in sorted(days.items())}

    # --- what changes something ---

    def create_plot(self, domain: str, given: Row) -> str:
        if given["value_to_plot"] not in PLOTTED or given["plot_type"] not in {"bar", "line", "scatter", "histogram"}:
            return "There is no such value or type of plot."
        self.plots.append("_".join(given[key] for key in ("time_min", "time_max", "value_to_plot", "plot_type")))
        return f"plots/{self.plots[-1]}.png"

    def send_email(self, domain: str, given: Row) -> str:
        if "@" not in given["recipient"]:
            return "Invalid recipient email address."
        self._add("email", {"inbox/outbox": "outbox", "sender/recipient": given["recipient"], "subject": given["subject"],
                            "sent_datetime": NOW, "body": given["body"]})  # fmt: skip
        return "Email sent successfully."

    def forward_email(self, domain: str, given: Row) -> str:
        mail = self._row(domain, given)
        return self.send_email(domain, {**given, "subject": f"FW: {mail['subject']}", "body": mail["body"]}) if mail else "Email not found."

    def reply_email(self, domain: str, given: Row) -> str:
        mail = self._row(domain, given)
        said = {"recipient": mail["sender/recipient"], "subject": mail["subject"], "body": given["body"]} if mail else {}
        return self.send_email(domain, said) if mail else "Email not found."

    def create_event(self, domain: str, given: Row) -> str:
        return self._add(domain, {name: given[name] for name in ("event_name", "participant_email", "event_start", "duration")})

    def create_task(self, domain: str, given: Row) -> str:
        if given["list_name"] not in LISTS or given["board"] not in BOARDS or given["assigned_to_email"] not in self.people:
            return "There is no such list, board or person."
        return self._add(domain, {name: given[name] for name in ("task_name", "assigned_to_email", "list_name", "due_date", "board")})

    def add_customer(self, domain: str, given: Row) -> str:
        return self._add(domain, {name: given.get(name, "") for name in self.tables[domain][0] if name != IDS[domain]})

    def _delete(self, domain: str, given: Row) -> str:
        row = self._row(domain, given)
        if row is None:
            return "Not found."
        self.tables[domain].remove(row)
        return "Deleted successfully."

    delete_email = delete_event = delete_task = delete_customer = _delete

    def _update(self, domain: str, given: Row) -> str:
        row = self._row(domain, given)
        if row is None or given["field"] not in row:
            return "Not found." if row is None else "There is no such field."
        known = {"status": STATUSES, "product_interest": PRODUCTS, "list_name": LISTS, "board": BOARDS}.get(given["field"])
        if known and given["new_value"] not in known:
            return f"It must be one of {', '.join(known)}."
        row[given["field"]] = given["new_value"]
        return "Updated successfully."

    update_event = update_task = update_customer = _update

    def _row(self, domain: str, given: Row) -> Row | None:
        return next((row for row in self.tables[domain] if row[IDS[domain]] == given[IDS[domain]]), None)

    def _add(self, domain: str, row: Row) -> str:
        number = f"{max(int(one[IDS[domain]]) for one in self.tables[domain]) + 1:08}"
        self.tables[domain].append({IDS[domain]: number, **row})
        return number


def _all(row: Row, *names: str) -> str:
    return " ".join(row[name] for name in names).lower()


def _within(value: str, given: Row, least: str, most: str) -> bool:
    return value[: len(given.get(least, ""))] >= given.get(least, "") and (most not in given or value[: len(given[most])] <= given[most])


def text(about: str, *known: str) -> dict[str, Any]:
    return {"type": "string", "description": about, **({"enum": list(known)} if known else {})}


DAY, MOMENT = 'Format: "YYYY-MM-DD"', 'Format: "YYYY-MM-DD HH:MM:SS"'
SPAN = {"time_min": text(f"First day, inclusive. {DAY}"), "time_max": text(f"Last day, inclusive. {DAY}")}
CUSTOMER = {
    "customer_name": text("Name of the customer"), "assigned_to_email": text("Address of the employee it is assigned to"),
    "status": text("Status of the customer", *STATUSES), "customer_email": text("Address of the customer"),
    "customer_phone": text("Phone number"), "last_contact_date": text(f"Last contact. {DAY}"),
    "product_interest": text("Product of interest", *PRODUCTS), "notes": text("Notes"), "follow_up_by": text(f"Follow up by. {DAY}"),
}  # fmt: skip
TASK = {
    "task_name": text("Name of the task"), "assigned_to_email": text("Address of the employee it is assigned to"),
    "list_name": text("List of the board", *LISTS), "due_date": text(f"Due date. {DAY}"), "board": text("Board", *BOARDS),
}  # fmt: skip


def spec(about: str, needed: Sequence[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"about": about, "properties": properties, "required": list(properties if needed is None else needed)}


SPECS: Mapping[str, dict[str, Any]] = {
    "email.get_email_information_by_id": spec("Retrieves details of an email by its id.", email_id=text("8-digit id of the email"),
        field=text("Field to return", "sender/recipient", "subject", "sent_datetime", "body", "inbox/outbox")),
    "email.search_emails": spec("Searches emails by words in subject, body or sender. Newest first, at most 5.", [],
        query=text("Words to search for"), date_min=text(f"First day. {DAY}"), date_max=text(f"Last day. {DAY}")),
    "email.send_email": spec("Sends an email to a recipient.", recipient=text("Email address of the recipient"),
        subject=text("Subject line"), body=text("Body of the email")),
    "email.delete_email": spec("Deletes an email by its id.", email_id=text("8-digit id of the email")),
    "email.forward_email": spec("Forwards an email to a recipient.", email_id=text("8-digit id of the email"),
        recipient=text("Email address of the recipient")),
    "email.reply_email": spec("Replies to an email by its id.", email_id=text("8-digit id of the email"), body=text("Body of the reply")),
    "calendar.get_event_information_by_id": spec("Retrieves details of an event by its id.", event_id=text("8-digit id of the event"),
        field=text("Field to return", "event_name", "participant_email", "event_start", "duration")),
    "calendar.search_events": spec("Searches events and meetings by name or participant. Earliest first, at most 5.", [],
        query=text("Words in the name or address of the participant"), time_min=text(f"Not before. {MOMENT}"),
        time_max=text(f"Not after. {MOMENT}")),
    "calendar.create_event": spec("Creates a new event or meeting.", event_name=text("Name of the event"),
        participant_email=text("Address of the participant"), event_start=text(f"Start. {MOMENT}"), duration=text("Duration in minutes")),
    "calendar.delete_event": spec("Deletes (cancels) an event.", event_id=text("8-digit id of the event")),
    "calendar.update_event": spec("Updates an event (rename, move, change).", event_id=text("8-digit id of the event"),
        field=text("Field to update", "event_name", "participant_email", "event_start", "duration"), new_value=text("New value")),
    "analytics.get_visitor_information_by_id": spec("Returns the analytics data of a visitor.", visitor_id=text("Id of the visitor")),
    "analytics.create_plot": spec("Plots a value over a time range.", **SPAN, value_to_plot=text("Value to plot", *PLOTTED),
        plot_type=text("Type of plot", "bar", "line", "scatter", "histogram")),
    "analytics.total_visits_count": spec("Total number of website visits, by day.", [], **SPAN),
    "analytics.engaged_users_count": spec("Number of engaged users, by day.", [], **SPAN),
    "analytics.traffic_source_count": spec("Number of visits from a traffic source, by day.", [], **SPAN,
        traffic_source=text("Source of the visits", *SOURCES)),
    "analytics.get_average_session_duration": spec("Average session duration in seconds, by day.", [], **SPAN),
    "project_management.get_task_information_by_id": spec("Retrieves details of a task by its id.", task_id=text("8-digit id of the task"),
        field=text("Field to return", *TASK)),
    "project_management.search_tasks": spec("Searches project tasks by what is known of them.", [], **TASK),
    "project_management.create_task": spec("Creates a new project task.", **TASK),
    "project_management.delete_task": spec("Deletes a project task.", task_id=text("8-digit id of the task")),
    "project_management.update_task": spec("Updates a project task (move, reassign, rename).", task_id=text("8-digit id of the task"),
        field=text("Field to update", *TASK), new_value=text("New value")),
    "customer_relationship_manager.search_customers": spec("Searches customers (leads) in the CRM. At most 5.", [],
        **{name: CUSTOMER[name] for name in ("customer_name", "customer_email", "product_interest", "status", "assigned_to_email")},
        last_contact_date_min=text(DAY), last_contact_date_max=text(DAY), follow_up_by_min=text(DAY), follow_up_by_max=text(DAY)),
    "customer_relationship_manager.update_customer": spec("Updates a customer in the CRM.", customer_id=text("8-digit id of the customer"),
        field=text("Field to update", *CUSTOMER), new_value=text("New value")),
    "customer_relationship_manager.add_customer": spec("Adds a new customer to the CRM.",
        ["customer_name", "assigned_to_email", "status"], **CUSTOMER),
    "customer_relationship_manager.delete_customer": spec("Deletes a customer from the CRM.",
        customer_id=text("8-digit id of the customer")),
    "company_directory.find_email_address": spec("Finds the email address of an employee by name.", name=text("Name of the employee")),
}  # fmt: skip


def schema_of(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": SPECS[name]["properties"], "required": SPECS[name]["required"]}


def wanted(calls: Sequence[str]) -> list[Call]:
    """The set's own calls: `email.send_email.func(recipient="...")`."""
    found = []
    for call in calls:
        tree = ast.parse(call, mode="eval").body
        assert isinstance(tree, ast.Call)
        name = ast.unparse(tree.func).removesuffix(".func")
        found.append((name, {one.arg: ast.literal_eval(one.value) for one in tree.keywords if one.arg}))
    return found


def judged(new: Callable[[], Workplace], wanted_calls: Sequence[Call], made: Sequence[Call]) -> tuple[bool, bool]:
    """Whether the state is the wanted one; and whether something was changed that should not have been."""
    before, aim, end = new(), new(), new()
    for name, arguments in wanted_calls:
        aim.use(name, arguments)
    for name, arguments in made:
        end.use(name, arguments)
    right = aim.state == end.state
    return right, not right and end.state != before.state
