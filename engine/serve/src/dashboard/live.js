// Keeps a page as it would be if it were loaded again. All that is shown comes from the server; pages work without this.
"use strict";

const byId = (id) => document.getElementById(id);
const live = () => byId("live");

// Makes an element like another one, and touches only what differs: focus, selections and what is open stay.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  // What somebody is filling in stays as it is, for as long as it is the same form.
  if (old.dataset?.keep && old.dataset.keep === fresh.dataset?.keep) return;
  // What comes in parts is told in parts: what is missing has not changed.
  if (partial && "parts" in old.dataset) return;
  attributes(old, fresh);
  if (holding && "hold" in old.dataset) held(old, fresh);
  else children(old, fresh);
}

// While somebody looks, nothing moves by itself: in a list that holds, what is new waits to be asked for unless there
// is room for it at the end, and what is gone keeps its place.
let holding = true;

// Whether the server has sent only what has changed.
let partial = false;

function held(old, fresh) {
  const wanted = new Map([...fresh.children].filter((child) => child.id).map((child) => [child.id, child]));
  for (const child of [...old.children]) {
    const want = wanted.get(child.id);
    if (want) morph(child, want);
    child.toggleAttribute("data-gone", !want);
    child.inert = !want && "keep" in child.dataset;
  }
  const room = Number(old.dataset.room ?? 0);
  const coming = [...wanted.values()].filter((want) => !byId(want.id));
  for (const want of coming.slice(0, Math.max(0, room - old.children.length))) old.append(document.importNode(want, true));
}

// Says how much waits to be asked for.
function tellNews(root, fresh) {
  for (const told of root.querySelectorAll("[data-news]")) {
    const list = fresh.querySelector(`#${CSS.escape(told.dataset.news)}`);
    const all = [...(list?.children ?? [])].filter((child) => child.id);
    const coming = all.filter((child) => !byId(child.id)).length;
    const more = coming > 1 && coming === all.length ? " or more" : "";
    set(told, coming ? `Show ${coming}${more} new ${coming === 1 ? told.dataset.one : told.dataset.many}` : "");
    told.toggleAttribute("data-some", coming > 0);
  }
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    const isOpen = name === "open" && old.nodeName === "DETAILS";
    if (!isOpen && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const same = want.id ? known.get(want.id) : undefined;
    if (same && same !== at) old.insertBefore(same, at);
    const now = same ?? at;
    if (!now || (!same && now.id && now.id !== want.id)) {
      old.insertBefore(document.importNode(want, true), at);
      continue;
    }
    at = now.nextSibling;
    morph(now, want);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// Puts what the server has sent into the page; all of it when somebody has asked for it.
function apply(fresh, isAsked = false) {
  const root = live();
  if (!root || !fresh) return;
  holding = !isAsked;
  partial = "partial" in fresh.dataset;
  const sticky = [...root.querySelectorAll("[data-stick]")].filter(atEnd).map((log) => log.id);
  if (partial) {
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = byId(part.id);
      if (old) morph(old, part);
      else if (part.dataset.after && byId(part.dataset.after)) byId(part.dataset.after).after(document.importNode(part, true));
      else if (part.parentElement?.id) byId(part.parentElement.id)?.prepend(document.importNode(part, true));
    }
    for (const name of ["data-since", "data-from"]) root.setAttribute(name, fresh.getAttribute(name) ?? "");
  } else {
    morph(root, fresh);
    tellNews(root, fresh);
  }
  for (const id of sticky) toEnd(byId(id));
  dress();
}

const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
const toEnd = (log) => log && (log.scrollTop = log.scrollHeight);

async function fetched(address) {
  const answer = await fetch(address, { headers: { "aa-live": "1", accept: "text/html" }, credentials: "same-origin" });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// What changes often is asked for at most so often, and less often when the answer takes long.
const pace = { due: false, busy: false, asked: false, wait: 250, last: Date.now() };

// Where the page is as it would be now, with what it has in its place already.
function whereNow(isAsked) {
  const address = new URL(live().dataset.from || location.href, location.href);
  const rows = [...document.querySelectorAll("[data-tell] > [id]")].map((row) => row.id);
  if (rows.length && !isAsked) address.searchParams.set("held", rows.join(","));
  return address;
}

function refresh(isAsked = false) {
  pace.asked ||= isAsked === true;
  if (pace.busy || pace.due) {
    pace.due = true;
    return;
  }
  pace.due = true;
  setTimeout(load, pace.wait);
}

// How often somebody has gone elsewhere within the page: an answer about what they looked at before comes too late.
let turn = 0;

async function load() {
  const now = turn;
  const isAsked = pace.asked;
  Object.assign(pace, { due: false, busy: true, asked: false });
  const began = performance.now();
  const isIn = await loaded(isAsked, now);
  Object.assign(pace, { busy: false, last: Date.now(), wait: waitAfter(isIn, performance.now() - began) });
  if (now !== turn) pace.wait = 250;
  else if (!isIn) pace.asked ||= isAsked;
  if (pace.due || !isIn) {
    pace.due = false;
    refresh();
  }
}

function waitAfter(isIn, took) {
  return isIn ? Math.min(5000, Math.max(250, 4 * took)) : Math.min(60000, 2 * Math.max(pace.wait, 1000));
}

// Whether the page is as it was when it was asked for; what could not be had is asked for again.
async function loaded(isAsked, now) {
  try {
    const page = await fetched(whereNow(isAsked));
    if (now !== turn) return false;
    apply(page.getElementById("live"), isAsked);
    return true;
  } catch (error) {
    console.debug("the page is not new:", error.message);
    return false;
  }
}

let source = null;

// Listens while somebody looks: browsers have few connections to spare.
function listen() {
  const root = live();
  if (!root || source || document.hidden) return;
  const query = new URLSearchParams({ since: root.dataset.since });
  if (root.dataset.of) query.set("run", root.dataset.of);
  source = new EventSource(`/ui/events?${query}`);
  const kinds = "skill_started step_started step_completed step_skipped skill_completed skill_failed workspace_updated confirmation_required confirmation_answered confirmation_expired step_progress step_retrying heal_started heal_finished cancel_requested run_resumed step_resolved undo_started undo_finished";
  for (const kind of kinds.split(" ")) source.addEventListener(kind, () => refresh());
  for (const kind of ["closing", "lagging", "broken"]) source.addEventListener(kind, again);
  source.addEventListener("open", () => document.documentElement.toggleAttribute("data-lost", false));
  source.addEventListener("error", () => {
    document.documentElement.toggleAttribute("data-lost", true);
    if (source?.readyState === EventSource.CLOSED) again();
  });
}

function hush() {
  source?.close();
  source = null;
}

function again() {
  hush();
  setTimeout(() => {
    refresh();
    listen();
  }, 2000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return hush();
  // Nobody has looked: what waits need wait no longer.
  if (live() && !source) refresh(true);
  listen();
});

// Times: how long ago, how long already, what the clock here shows.
const units = [[86400 * 2, 86400, "days"], [3600, 3600, "h"], [60, 60, "min"], [5, 1, "s"]];

function distance(seconds) {
  const far = Math.abs(seconds);
  const unit = units.find(([from]) => far >= from);
  if (!unit) return "now";
  const text = `${Math.floor(far / unit[1])} ${unit[2]}`;
  return seconds < 0 ? `${text} ago` : `in ${text}`;
}

function lasting(ms) {
  const s = Math.floor(ms / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (s < 60) return `${s}.${Math.floor((ms % 1000) / 100)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    set(time, distance((Date.parse(time.dateTime) - Date.now()) / 1000));
  }
  for (const span of document.querySelectorAll("[data-since]:not(#live)")) {
    set(span, lasting(Math.max(0, Date.now() - Number(span.dataset.since))));
  }
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

function dress() {
  tick();
  for (const time of document.querySelectorAll("time[datetime]")) {
    time.title = local.format(Date.parse(time.dateTime));
    if ("clock" in time.dataset) set(time, clock.format(Date.parse(time.dateTime)));
  }
}

// Links within a page change only what differs.
async function swap(address, isBack) {
  const now = (turn += 1);
  const page = await fetched(address).catch(() => null);
  if (now !== turn) return;
  // What was asked for while this was under way is about the old page too.
  turn += 1;
  const fresh = page?.getElementById("live");
  if (!fresh) return location.assign(address);
  if (!isBack) history.pushState(null, "", address);
  document.title = page.title;
  apply(fresh, true);
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (target && !isBack && getComputedStyle(target).position !== "sticky") target.scrollIntoView({ block: "start" });
  if (target && !isBack) target.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const link = event.target.closest?.("a");
  if (link && isPlain && live() && ("swap" in link.dataset || link.closest("#graph"))) {
    event.preventDefault();
    swap(link.getAttribute("href"), false);
  }
  if (event.target.closest?.("[data-news]")) {
    pace.wait = 0;
    refresh(true);
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

addEventListener("popstate", () => live() && swap(location.href, true));

// A button sends once.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
  setTimeout(() => delete event.target.dataset.sent, 3000);
});

// Lists are narrowed while one types. What is folded opens for what was found, and is as it was when nothing is wanted.
document.addEventListener("input", (event) => {
  const list = byId(event.target.dataset?.narrow ?? "");
  if (!list) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const part of list.querySelectorAll("details")) {
    part.dataset.was ??= part.open ? "open" : "shut";
    part.open = wanted ? true : part.dataset.was === "open";
    if (!wanted) delete part.dataset.was;
  }
  for (const row of list.querySelectorAll("li")) {
    const whole = `${row.textContent} ${row.closest("details")?.querySelector("h2").textContent ?? ""}`;
    row.hidden = !whole.toLowerCase().includes(wanted);
  }
  for (const part of list.querySelectorAll("details")) part.hidden = !part.querySelector("li:not([hidden])");
});

// The keyboard.
let gone = 0;

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog")) return;
  const isGo = Date.now() - gone < 1000;
  gone = event.key === "g" ? Date.now() : 0;
  const place = isGo && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
  if (place) return place.click();
  if (event.key === "?") return byId("keys")?.showModal();
  if (event.key === "/") {
    event.preventDefault();
    return document.querySelector("[data-search]")?.focus();
  }
  if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    if (byId("open-menu")) byId("open-menu").checked = false;
  }
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.checkVisibility());
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

document.addEventListener("keydown", key);

// Whoever has followed a link from elsewhere has come without their cookie, and has it now.
async function comeBack(main) {
  const answer = await fetch(main.dataset.back, { headers: { "aa-live": "1" }, credentials: "same-origin" });
  if (answer.ok) location.replace(main.dataset.back);
}

const form = document.querySelector("main.login[data-back]");
if (form && document.referrer && !document.referrer.startsWith(location.origin)) comeBack(form);

dress();
for (const graph of document.querySelectorAll(".graph")) graph.scrollLeft = (graph.scrollWidth - graph.clientWidth) / 2;
for (const log of document.querySelectorAll("[data-stick]")) toEnd(log);
listen();
setInterval(() => {
  if (document.hidden) return;
  tick();
  // Some of what is shown changes without a word.
  const every = Number(live()?.dataset.every);
  if (every && Date.now() - pace.last > every * 1000) refresh();
}, 1000);
