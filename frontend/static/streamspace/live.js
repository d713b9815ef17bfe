// Follows the user's sessions over /ws/sessions. A message says "this session, this version"; the
// part of the page that shows it is then loaded again, as the server renders it.
import { announce } from "./clock.js";

const GRACE = 3000; // a break this short is nobody's business
const POLL = 15000; // without a socket the page asks by itself
const FIRST = 500;
const LONGEST = 30000;

const cards = () => document.querySelectorAll("[data-card][data-session]");
const cardOf = (id) => document.querySelector(`[data-card][data-session="${CSS.escape(id)}"]`);
const shelf = () => document.getElementById("sessions");

const timers = new Map(); // coalesces changes of one card
const wanted = new Map(); // newest known version of a card that is to be loaded
const foreign = new Set(); // sessions that the shelf does not show even when it is loaded again
let socket = null;
let attempts = 0;
let lostAt = 0;
let poll = 0;
let retry = 0;

/** Somebody is at work in there: typing, confirming, or waiting for an answer. */
function busy(element) {
  const active = document.activeElement;
  return (
    document.querySelector("dialog[open]") ||
    element.matches(".htmx-request") ||
    element.querySelector(".htmx-request") ||
    (element.contains(active) && active.matches("input:not([type=radio]), textarea, select"))
  );
}

function later(key, action, delay = 120) {
  if (timers.has(key)) return;
  timers.set(key, setTimeout(() => {
    timers.delete(key);
    action();
  }, delay));
}

function refreshCard(id, version) {
  // The newest version counts: one that arrives while an older one waits must not be forgotten.
  wanted.set(id, Math.max(version, wanted.get(id) ?? 0));
  later(id, () => loadCard(id));
}

async function loadCard(id) {
  const version = wanted.get(id);
  const card = cardOf(id);
  if (!card || Number(card.dataset.version) >= version) {
    wanted.delete(id);
    return;
  }
  if (busy(card)) {
    later(id, () => loadCard(id), 800);
    return;
  }
  wanted.delete(id);
  const before = card.dataset.state;
  await htmx.ajax("GET", card.dataset.url, { target: card, source: card, swap: "outerHTML" }).catch(() => {});
  const after = cardOf(id);
  if (after && after.dataset.state !== before) announce(`${after.dataset.name}: ${after.dataset.state}`);
  // The answer to a button may have replaced the card meanwhile, and this one with it.
  if (after && Number.isFinite(version)) refreshCard(id, version);
  if (shelf() && !shelf().querySelector(".cards li > [data-card]")) refreshShelf();
}

function refreshShelf(id) {
  later("shelf", async () => {
    const place = shelf();
    if (!place) return;
    if (busy(place)) {
      later("shelf", () => refreshShelf(id), 800);
      return;
    }
    await htmx.ajax("GET", place.dataset.url, { target: place, source: place, swap: "outerHTML" }).catch(() => {});
    if (id && !cardOf(id)) foreign.add(id);
  });
}

function removed(id) {
  const card = cardOf(id);
  if (!card) return;
  if (card.id === "session-detail" || card.id === "enter") refreshCard(id, Infinity);
  else refreshShelf();
}

function changed({ id, version }) {
  if (cardOf(id)) refreshCard(id, version);
  else if (shelf() && !foreign.has(id)) refreshShelf(id);
}

function receive(event) {
  const message = JSON.parse(event.data);
  if (message.type === "changed") changed(message.session);
  else if (message.type === "removed") removed(message.id);
  else if (message.type === "snapshot") {
    const present = new Set(message.sessions.map((session) => session.id));
    for (const session of message.sessions) changed(session);
    for (const card of cards()) if (!present.has(card.dataset.session)) removed(card.dataset.session);
  }
}

function connectionNotice() {
  const notice = document.getElementById("connection");
  if (notice) notice.hidden = !lostAt || Date.now() - lostAt < GRACE;
}

function lost(event) {
  socket = null;
  // The sign-in ended: loading the page again leads to the sign-in page.
  if (event.code === 4401) {
    location.reload();
    return;
  }
  lostAt ||= Date.now();
  setTimeout(connectionNotice, GRACE + 50);
  const ceiling = Math.min(LONGEST, FIRST * 2 ** attempts++);
  retry = setTimeout(connect, ceiling / 2 + (Math.random() * ceiling) / 2);
  poll ||= setInterval(() => (shelf() ? refreshShelf() : cards().forEach((c) => refreshCard(c.dataset.session, Infinity))), POLL);
}

function connect() {
  clearTimeout(retry);
  if (socket) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  // The page itself is the snapshot: only what changed since it was rendered is asked for.
  socket = new WebSocket(`${scheme}://${location.host}/ws/sessions?resume=1`);
  socket.addEventListener("open", () => {
    const known = Object.fromEntries([...cards()].map((c) => [c.dataset.session, Number(c.dataset.version)]));
    socket.send(JSON.stringify({ type: "resume", known }));
    attempts = 0;
    lostAt = 0;
    clearInterval(poll);
    poll = 0;
    connectionNotice();
  });
  socket.addEventListener("message", receive);
  socket.addEventListener("close", lost);
}

/** Connect when the page shows sessions; come back at once when the machine does. */
export function startLive() {
  if (!document.querySelector("[data-live]") || !window.htmx) return;
  connect();
  addEventListener("online", connect);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) connect();
  });
}
