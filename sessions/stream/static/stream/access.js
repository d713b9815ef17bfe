/* What a closed WebSocket means, and the way back in through the portal.

   The numbers are a contract with the server (sessions/stream/codes.py). */

import { config } from "./config.js";

const FINAL = { 1002: "protocol", 4401: "signin", 4403: "revoked", 4404: "gone" };
const LOOP_MS = 60000;
const MARK = "streamspace.entered";

/** Why the page may not go on after this close code, or null: then it reconnects. */
export function verdict(code) {
  return FINAL[code] ?? null;
}

/** Go to the portal for a new entry, which comes back here by itself where the person is still
    signed in. False when that was tried a moment ago: then a person has to look at it. */
export function enterAgain() {
  try {
    const last = Number(sessionStorage.getItem(MARK));
    if (Date.now() - last < LOOP_MS) return false;
    sessionStorage.setItem(MARK, String(Date.now()));
  } catch {
    return false; // without a memory it could go round for ever
  }
  location.replace(config.entry);
  return true;
}

/** A refused upgrade tells a script nothing but 1006. Ask the page's own address what is wrong:
    a verdict, or null when nothing is or nobody answers. */
export async function probe() {
  try {
    const answer = await fetch("/_streamspace/view", { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 401) return "signin";
    if (answer.status === 403) return "revoked";
    if (answer.status === 404 || answer.status === 410) return "gone";
  } catch {
    // The network is away; the next try tells.
  }
  return null;
}

/** Whether the address answers within `ms`; measures the way there and back. */
export async function roundTrip(ms) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ms);
  const started = performance.now();
  try {
    await fetch("/_streamspace/static/stream/icon.svg", {
      method: "HEAD", cache: "no-store", signal: abort.signal,
    });
    return performance.now() - started;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
