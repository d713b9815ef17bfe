/* The tab's title: the session's or the application's name, and what needs attention first. */

import { clock } from "./dom.js";
import { warning } from "./idle.js";
import { scene } from "./scene.js";

export class Title {
  #store;
  #name = "";

  constructor(store) {
    this.#store = store;
    store.subscribe(() => this.#update());
    setInterval(() => this.#update(), 1000);
  }

  /** The application's own title, or empty for the session's name. */
  set name(name) {
    this.#name = name;
    this.#update();
  }

  #update() {
    const { state } = this.#store;
    const title = compose(state, this.#name, Date.now());
    if (document.title !== title) document.title = title;
  }
}

/** Pure. */
export function compose(state, application, now) {
  const name = application || `${state.session.display_name} – StreamSpace`;
  const due = warning(state, now);
  if (due) return `(${clock(due.left)}) Hibernates soon – ${state.session.display_name}`;
  const shown = scene(state);
  return shown ? `${shown.title.split(" – ")[0]} – ${state.session.display_name}` : name;
}
