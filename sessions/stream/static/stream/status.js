/* The status socket: what the session is, and what its viewer may ask for.

   Reconnects by itself for as long as the page may be here. States that are older than what is
   known are dropped, so two sockets that overlap do no harm. */

import { config, socketUrl } from "./config.js";
import { enterAgain, probe, verdict } from "./access.js";
import { notice } from "./notices.js";
import { Retry } from "./retry.js";

const ANSWER_MS = 10000;
const LOADED_AS = "streamspace.role";
const DOOR_MS = 2500; // pages are answered from what was known up to two seconds ago (access.py)
const HANDSHAKE_MS = 15000;

export class Status {
  #store;
  #socket = null;
  #retry = new Retry(() => this.#connect());
  #answerTimer = 0;

  constructor(store) {
    this.#store = store;
  }

  start() {
    this.#connect();
  }

  /** Give the socket up and make a new one, after sleep or a change of network. */
  restart() {
    if (this.#store.state.access) return;
    this.#drop();
    this.#retry.now();
  }

  /** Tell the server; false when nobody listens. */
  send(type) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify({ type }));
    return true;
  }

  /** Ask for `wake`, `hibernate` or `extend`; the answer is a new state or an error. */
  ask(type) {
    if (this.#store.state.asked) return;
    if (!this.send(type)) {
      this.#store.set({ error: "There is no connection right now. It is tried again by itself." });
      this.#retry.now();
      return;
    }
    this.#store.set({ asked: type, error: "" });
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => {
      this.#store.set({ asked: null, error: "The server has not answered. Please try again." });
    }, ANSWER_MS);
  }

  #connect() {
    if (this.#socket) return;
    const socket = new WebSocket(socketUrl("status"));
    let opened = false;
    const hanging = setTimeout(() => socket.close(), HANDSHAKE_MS);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      opened = true;
      clearTimeout(hanging);
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.#socket) this.#received(event.data);
    });
    socket.addEventListener("close", (event) => {
      clearTimeout(hanging);
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#closed(event.code, opened);
    });
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#store.set({ status: "waiting" });
  }

  async #closed(code, opened) {
    const used = opened && this.#store.state.link.phase === "connected";
    this.#store.set({ status: "waiting" });
    this.#retry.failed();
    const refused = code === 1006 && !opened && this.#retry.failures > 1;
    const reason = verdict(code) ?? (refused ? await probe() : null);
    if (!reason) return;
    this.#retry.stop();
    refuse(this.#store, reason, used);
  }

  #received(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // nothing that this version of the page understands
    }
    this.#retry.succeeded();
    if (message.type === "state" && message.session) this.#state(message);
    else if (message.type === "notice") notice(message.message, null, "bad");
    else if (message.type === "error") {
      clearTimeout(this.#answerTimer);
      this.#store.set({ asked: null, error: message.message || "That did not work." });
    }
  }

  #state({ session, now }) {
    const changes = { status: "open" };
    if (now) changes.skew = Date.now() - Date.parse(now);
    const known = this.#store.state.session.version ?? 0;
    if (session.version >= known) changes.session = session;
    if (session.version > known) {
      clearTimeout(this.#answerTimer);
      Object.assign(changes, { asked: null, error: "" });
    }
    this.#store.set(changes);
    if (session.role && session.role !== config.role) loadAs(session.role);
  }
}

/** The owner let this person do more, or less. The page is made for one role, so it is loaded
    again; once for each role, so that a server that disagrees with itself costs one load. */
function loadAs(role) {
  try {
    if (sessionStorage.getItem(LOADED_AS) === role) return;
    sessionStorage.setItem(LOADED_AS, role);
  } catch {
    return; // without a memory it could go round for ever
  }
  setTimeout(() => location.reload(), DOOR_MS);
}

/** Write down that the page may not go on. `wasUsed`: it was open and in use, so a person is told
    first; otherwise a lapsed entry is renewed on the way. */
export function refuse(store, reason, wasUsed) {
  if (reason === "signin" && !wasUsed && !store.state.access && enterAgain()) {
    store.set({ access: "entering" });
    return;
  }
  if (store.state.access !== "entering") store.set({ access: reason });
}
