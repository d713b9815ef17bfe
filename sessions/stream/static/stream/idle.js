/* The warning before a session hibernates by itself: a banner that leaves the picture usable, and
   the time left in the tab's title for those who look at another one.

   Input moves the deadline, but the server collects input in batches, so it may tell of it a while
   later. The banner goes at once, and comes back if the deadline has not moved by then. */

import { byId, config } from "./config.js";
import { clock } from "./dom.js";

const COLLECTED_MS = 75000;

/** What to warn of, or null. Pure. {left: seconds, extendable} */
export function warning({ session, skew, access, inputAt }, now) {
  if (access || session.display_state !== "running" || !session.idle_deadline) return null;
  const left = (Date.parse(session.idle_deadline) - (now - skew)) / 1000;
  if (left > session.idle_warning_seconds) return null;
  // Of a short clock, half the time to warn in must be left: waiting for what is collected would
  // let the session hibernate without a word.
  const believed = Math.min(COLLECTED_MS, session.idle_warning_seconds * 500);
  if (session.extendable && now - inputAt < believed) return null;
  return { left: Math.max(0, left), extendable: session.extendable };
}

export class IdleBanner {
  #store;
  #shown = "";

  constructor(store, onextend) {
    this.#store = store;
    byId("idle-extend").addEventListener("click", onextend);
    store.subscribe(() => this.#update());
    setInterval(() => this.#update(), 500);
  }

  #update() {
    const { state } = this.#store;
    const due = warning(state, Date.now());
    byId("idle").hidden = !due;
    document.body.classList.toggle("idle-due", Boolean(due));
    if (!due) {
      this.#shown = "";
      return;
    }
    byId("idle-left").textContent = clock(due.left);
    const words = JSON.stringify([due.extendable, state.asked, state.error]);
    if (words === this.#shown) return;
    this.#shown = words;
    byId("idle-text").textContent = "Hibernates in";
    byId("idle-after").textContent = after(due.extendable, state.error);
    const button = byId("idle-extend");
    button.hidden = !due.extendable || config.viewOnly;
    button.disabled = state.asked === "extend";
  }
}

function after(extendable, error) {
  if (error) return `– ${error}`;
  return extendable
    ? "without input"
    : "– it has run for the longest time that is allowed. Save your work; it can be woken again.";
}
