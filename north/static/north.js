// North's own script: small behaviours on top of pages that the server renders. Each is found by an attribute (data-...), so a
// page needs no script of its own; without this file links, forms and uploads still work. It knows no route and no text:
// addresses come from the markup, words from <template id="strings">.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const strings = $("#strings").dataset;
const wide = matchMedia("(min-width: 68.0625rem)");

/* ---------- what a screen reader hears ---------- */

function announce(text) {
  const line = document.createElement("p");
  line.textContent = text.trim().replace(/\s+/g, " ");
  $("#announcer").append(line);
  setTimeout(() => line.remove(), 20000);
}

function announceIn(root) {
  const marked = root.matches("[data-announce]") ? [root] : $$("[data-announce]", root);
  marked.forEach((element) => announce(element.dataset.announce || element.textContent));
}

/* ---------- errors in words ---------- */

const words = (status) =>
  status === 0 ? strings.unreachable : status === 413 ? strings.toolarge : status === 404 ? strings.missing
  : status === 401 || status === 403 ? strings.refused : strings.broken;

/** What the server said, if it said it for people: JSON's detail, plain text, or the first error of a fragment. */
function reason(request) {
  const type = request.getResponseHeader("content-type") || "";
  const body = request.responseText || "";
  if (type.includes("json")) {
    try { return String(JSON.parse(body).detail || words(request.status)); } catch { return words(request.status); }
  }
  if (type.startsWith("text/plain") && body.length < 500) return body;
  const page = new DOMParser().parseFromString(body, "text/html");
  return $(".error, .errorlist li, [role=alert] p, main .soft", page)?.textContent.trim() || words(request.status);
}

function complain(text) {
  const notice = $("#error-row").content.firstElementChild.cloneNode(true);
  $("p", notice).textContent = text;
  $("#messages").append(notice);
}

/* ---------- theme ---------- */

function theme(choice) {
  try {
    if (choice) localStorage.setItem("theme", choice);
    choice = localStorage.getItem("theme") || "auto";
  } catch { choice = choice || "auto"; }
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  $$("[data-theme-choice]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.themeChoice === choice));
}

/* ---------- times ---------- */

const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];

function relative(date) {
  const seconds = (date - Date.now()) / 1000;
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) || ["second", 1];
  return format.format(Math.round(seconds / length), unit);
}

/** <time datetime="..." data-format="relative | date | datetime">: the reader's own clock and language. */
function localTimes(root) {
  $$("time[data-format]", root).forEach((element) => {
    const date = new Date(element.dateTime);
    if (isNaN(date)) return;
    const full = date.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    element.title = full;
    element.textContent = element.dataset.format === "relative" ? relative(date)
      : element.dataset.format === "date" ? date.toLocaleDateString(document.documentElement.lang, { dateStyle: "medium" }) : full;
  });
}

/* ---------- dialogs and questions before an act ---------- */

async function sure(text, label) {
  const dialog = $("#confirm");
  const yes = $("[value=yes]", dialog);
  $("#confirm-text").textContent = text;
  yes.textContent = label || yes.dataset.label;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  return dialog.returnValue === "yes";
}

document.addEventListener("htmx:confirm", async (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  if (await sure(event.detail.question, event.detail.elt.dataset.confirmLabel)) event.detail.issueRequest(true);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.sure) return delete form.dataset.sure;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!(await sure(form.dataset.confirm, form.dataset.confirmLabel))) return;
  form.dataset.sure = "yes";
  form.requestSubmit(event.submitter);
}, true);

/* ---------- the pane beside the answer ---------- */

let opener = null;

function openPane(link) {
  $$("a.cite").forEach((cite) => cite.classList.toggle("open", cite.href === link.href));
  if (!$("#aside").contains(link)) opener = link;
  htmx.ajax("GET", link.href, { source: link, target: "#aside", swap: "innerHTML show:none" });
}

function closePane() {
  $("#aside").replaceChildren();
  $$(".cite.open").forEach((cite) => cite.classList.remove("open"));
  if (opener?.isConnected) opener.focus();
  opener = null;
}

/** The cited words come into view and get the focus, in the pane as on a page of its own. */
function showMark(root, pane) {
  const place = $(".page-picture rect, .document-text mark, .pdf-text mark, .sheet-table .marked", root);
  const target = $("mark, .marked", root) || $("h1, h2", root);
  if (place && pane) pane.scrollTop += place.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight * 0.35;
  else if (place && !location.hash) place.scrollIntoView({ block: "center" });
  if (!target || !pane) return;
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

/** A source lights up the words that rest on it, and the words their sources: both name them in data-sources="1 3". */
function light(event) {
  const element = event.target.closest?.(".cite, .source");
  const run = element?.closest(".run");
  $$(".lit").forEach((lit) => lit.classList.remove("lit"));
  if (!run) return;
  const numbers = (element.dataset.sources || "").split(" ");
  $$(element.matches(".cite") ? ".source" : ".cite", run)
    .filter((other) => (other.dataset.sources || "").split(" ").some((number) => number && numbers.includes(number)))
    .forEach((other) => other.classList.add("lit"));
}

/* ---------- clicks and keys ---------- */

async function copy(button) {
  const text = button.dataset.copy || $("code", button.parentElement).textContent;
  await navigator.clipboard.writeText(text);
  const use = $("use", button);
  const before = use?.getAttribute("href");
  use?.setAttribute("href", "#i-check");
  setTimeout(() => use?.setAttribute("href", before), 1500);
  announce(strings.copied);
}

document.addEventListener("click", (event) => {
  $$("details.menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  const hit = (selector) => event.target.closest?.(selector);
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  let element;
  if ((element = hit("[data-theme-choice]"))) theme(element.dataset.themeChoice);
  else if ((element = hit("[data-dialog]"))) document.getElementById(element.dataset.dialog).showModal();
  else if ((element = hit("[data-close]"))) element.closest("dialog").close();
  else if ((element = hit("[data-dismiss]"))) element.closest(".notice").remove();
  else if ((element = hit("[data-copy]"))) copy(element);
  else if (hit("[data-pane-close]")) closePane();
  else if ((element = hit("[data-question]"))) ask(element);
  else if ((element = hit("a[data-pane]")) && plain && wide.matches && $("#aside")) {
    event.preventDefault();
    openPane(element);
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    $("summary", menu).focus();
  } else if (event.key === "Escape" && event.target.closest?.("#aside")) closePane();
  else if (event.key === "Escape") event.target.closest?.(".unsupported")?.blur();
  const composing = event.target.closest?.("[data-composer] textarea");
  if (composing && event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches) {
    event.preventDefault();
    if (composing.value.trim() && !composing.form.matches(".htmx-request")) composing.form.requestSubmit();
  }
});

/** On a page with hits: / goes to the search box, j and k (or the arrows, from a hit) to the next and the one before, w says why. Elsewhere a key presses the button that names it. */
function byKey(event) {
  const hits = $$("[data-hits] [data-hit]");
  const at = hits.indexOf(event.target);
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || $("dialog[open]")) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const step = { j: 1, k: -1, ...(at < 0 ? {} : { ArrowDown: 1, ArrowUp: -1 }) }[event.key];
  const box = $("[data-slash]");
  const pressed = $(`[data-press="${CSS.escape(event.key)}"]`);
  if (pressed) return pressed.click();
  if (event.key === "/" && box) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (step && hits.length) {
    event.preventDefault();
    hits[Math.max(0, Math.min(hits.length - 1, at + step))].focus();
  } else if (event.key === "w" && at >= 0) {
    const reasons = hits[at].nextElementSibling;
    reasons.open = !reasons.open;
  }
}
document.addEventListener("keydown", byKey);

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});
["mouseover", "focusin"].forEach((name) => document.addEventListener(name, light));

/* ---------- composer and stream ---------- */

/** An example question: it is put into the composer and sent. */
function ask(button) {
  const textarea = $("[data-composer] textarea");
  textarea.value = button.dataset.question;
  textarea.form.requestSubmit();
}

function grow(event) {
  const area = event.target;
  if (CSS.supports("field-sizing", "content") || !area.matches?.("[data-composer] textarea")) return;
  area.style.blockSize = "auto";
  area.style.blockSize = `${area.scrollHeight}px`;
}
document.addEventListener("input", grow);

let pinned = true;
const bottom = () => document.documentElement.scrollHeight - innerHeight - scrollY;
addEventListener("scroll", () => { pinned = bottom() < 96; }, { passive: true });
const toEnd = () => scrollTo({ top: document.documentElement.scrollHeight });
const follow = () => { if (pinned && $("#stop, [sse-connect]")) toEnd(); };

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form");
  if (!form || !event.detail.successful) return;
  if (form.matches("[data-composer]")) {
    form.reset();
    pinned = true;
    toEnd();
  }
  if (form.matches("[data-close-dialog]")) form.closest("dialog").close();
});
// A whole page in answer to a request for a fragment: a redirect after a form, or the sign-in page of a session that has ended.
document.addEventListener("htmx:beforeSwap", (event) => {
  const request = event.detail.xhr;
  if (!/^\s*<!doctype html/i.test(request.responseText) || event.detail.requestConfig.elt.closest("[hx-select]") || request.status >= 300) return;
  event.detail.shouldSwap = false;
  if (request.responseText.includes('class="alone"')) location.reload();
  else location.assign(request.responseURL);
});
document.addEventListener("htmx:responseError", (event) => complain(reason(event.detail.xhr)));
document.addEventListener("htmx:sendError", () => complain(strings.unreachable));

/* ---------- a stream that is cut picks up where it was ---------- */

const seen = new Map();
let cut = 0;

function connected(yes) {
  clearTimeout(cut);
  if (yes) $("#offline").hidden = true;
  else cut = setTimeout(() => { $("#offline").hidden = false; }, 1500);
}

document.addEventListener("htmx:sseMessage", (event) => {
  const stream = event.target.closest("[sse-connect]");
  if (stream && event.detail.lastEventId) seen.set(stream.getAttribute("sse-connect"), event.detail.lastEventId);
  follow();
});
document.addEventListener("htmx:sseError", () => connected(false));
document.addEventListener("htmx:sseOpen", () => connected(true));
document.addEventListener("htmx:sseClose", () => connected(true));
addEventListener("offline", () => connected(false));
addEventListener("online", () => connected(true));

// The browser sends Last-Event-ID when it reconnects by itself; when the server had answered with an error the extension opens
// a new EventSource, which would start from the beginning: that one names the last id it saw in the query.
htmx.createEventSource = (url) => {
  const address = new URL(url, location.href);
  if (seen.has(url)) address.searchParams.set("last-event-id", seen.get(url));
  return new EventSource(address);
};

/* ---------- uploads: one request a file, three at a time ---------- */

const queue = [];
let sending = 0;

/** The files of a drop, those in dropped folders too. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const read = (entry) => new Promise((done, fail) => (entry.isFile ? entry.file((file) => done([file]), fail) : list(entry).then(done, fail)));
  async function list(folder) {
    const reader = folder.createReader();
    const found = [];
    for (;;) {
      const batch = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!batch.length) return found;
      for (const entry of batch) found.push(...(await read(entry)));
    }
  }
  return (await Promise.all(entries.map(read))).flat();
}

function enqueue(form, file) {
  const row = $("#upload-row").content.firstElementChild.cloneNode(true);
  $("[data-name]", row).textContent = file.name;
  $(".uploads", form).append(row);
  const job = { form, file, row };
  $(".retry", row).addEventListener("click", () => wait(job));
  wait(job);
}

function wait(job) {
  state(job, "queued", strings.waiting);
  queue.push(job);
  sendNext();
}

function state({ row }, status, text, why = "") {
  row.dataset.status = status;
  $("[data-state]", row).textContent = text;
  $(".why", row).textContent = why;
  $("use", row).setAttribute("href", { done: "#i-success", failed: "#i-danger" }[status] || "#i-document");
}

function sendNext() {
  while (sending < 3 && queue.length) send(queue.shift());
}

function send(job) {
  sending += 1;
  const input = $("input[type=file]", job.form);
  const data = new FormData(job.form);
  data.delete(input.name);
  data.append(input.name, job.file, job.file.name);
  const request = new XMLHttpRequest();
  request.open("POST", job.form.action);
  request.setRequestHeader("HX-Request", "true");
  request.upload.addEventListener("progress", (event) => {
    $("progress", job.row).value = event.loaded / event.total;
    const percent = Math.floor((100 * event.loaded) / event.total);
    state(job, "sending", percent < 100 ? `${percent} %` : strings.saving);
  });
  request.addEventListener("loadend", () => {
    sending -= 1;
    const moved = request.responseURL && request.responseURL !== job.form.action; // the sign-in page is no receipt
    const good = request.status >= 200 && request.status < 300 && !moved;
    if (good) state(job, "done", strings.sent);
    else state(job, "failed", strings.failed, moved ? strings.refused : request.status ? reason(request) : strings.unreachable);
    if (good) htmx.trigger(document.body, "uploaded");
    if (good && !sending && !queue.length) announce(`${strings.sent}: ${$$(".upload[data-status=done]").length}`);
    sendNext();
  });
  request.send(data);
}

function uploads(root) {
  const forms = root.matches("form[data-upload]") ? [root] : $$("form[data-upload]", root);
  forms.forEach((form) => {
    const input = $("input[type=file]", form);
    const add = (files) => files.forEach((file) => enqueue(form, file));
    input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
    form.addEventListener("dragleave", (event) => { if (!form.contains(event.relatedTarget)) form.classList.remove("over"); });
    form.addEventListener("drop", async (event) => {
      event.preventDefault();
      form.classList.remove("over");
      add(await filesOf(event.dataTransfer));
    });
  });
}
addEventListener("beforeunload", (event) => { if (sending || queue.length) event.preventDefault(); });

/* ---------- what refreshes itself keeps what a person does in it: the focus, what is typed there, what is open ---------- */

/** By what an element is found again; htmx itself gives the focus back to what has an id. */
function place(element) {
  const action = element.closest("form[action]")?.getAttribute("action");
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.matches("details > summary")) return `${place(element.parentElement)} > summary`;
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return action ? `form[action="${CSS.escape(action)}"] ${element.name ? `[name="${CSS.escape(element.name)}"]` : element.localName}` : "body";
}

const refreshes = ({ target, requestConfig }) => target === requestConfig.elt && target.matches("[hx-get]");
let held = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  if (!refreshes(event.detail)) return;
  const { target } = event.detail;
  const focused = target.contains(document.activeElement) ? document.activeElement : null;
  const typed = focused?.matches("input:not([type=checkbox]):not([type=radio]), textarea") ? focused.value : null;
  held = { focus: focused && place(focused), typed, open: $$("details[open][id]", target).map((details) => details.id) };
});
document.addEventListener("htmx:afterSwap", () => {
  const { focus, typed, open } = held || { open: [] };
  held = null;
  open.map((id) => document.getElementById(id)).forEach((details) => { if (details) details.open = true; });
  const again = focus && $(focus);
  if (!again) return;
  if (typed !== null) again.value = typed;
  if (again !== document.activeElement && again !== document.body) again.focus({ preventScroll: true });
});

/* ---------- fields that need another one's value; lines of a list that buttons add and take away ---------- */

/** data-needs="name value": shown only while that field of the form has that value. The server holds to it in any case. */
function needed(form) {
  $$("[data-needs]", form).forEach((field) => {
    const [name, ...value] = field.dataset.needs.split(" ");
    field.hidden = form.elements[name]?.value !== value.join(" ");
  });
}

const linesOf = (list) => list.value.split("\n").map((line) => line.trim()).filter(Boolean);

function pressed(root) {
  $$("[data-lines]", root).forEach((button) => {
    const there = linesOf(document.getElementById(button.dataset.list));
    button.setAttribute("aria-pressed", button.dataset.lines.split("\n").every((line) => there.includes(line)));
  });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-lines]");
  if (!button) return;
  const list = document.getElementById(button.dataset.list);
  const lines = button.dataset.lines.split("\n");
  const others = linesOf(list).filter((line) => !lines.includes(line));
  list.value = [...others, ...(button.getAttribute("aria-pressed") === "true" ? [] : lines)].join("\n");
  pressed(button.form);
});

document.addEventListener("input", (event) => {
  if (!event.target.form) return;
  needed(event.target.form);
  pressed(event.target.form);
});

/* ---------- on every page, and on every fragment that arrives ---------- */

document.addEventListener("htmx:load", (event) => {
  const root = event.detail.elt;
  if (root === document.body) return;
  ready(root);
  announceIn(root);
  const pane = $("#aside");
  if (!pane?.contains(root) || root.parentElement !== pane) return follow();
  showMark(pane, pane);
});

function ready(root) {
  $$("details[data-open-wide]", root).forEach((details) => { details.open = matchMedia("(min-width: 62.0625rem)").matches; });
  localTimes(root);
  uploads(root);
  $$("form:has([data-needs])", root).forEach(needed);
  pressed(root);
}

theme();
ready(document.body);
const viewer = $("main .viewer");
if (viewer) showMark(viewer, null);
$(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
$("dialog[data-open]")?.showModal();
$("main [aria-invalid=true]:not([type=hidden])")?.focus();
if ($(".runs .run") && !location.hash) $(".runs .run:last-child").scrollIntoView();
