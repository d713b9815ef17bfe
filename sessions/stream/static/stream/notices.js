/* One short message at a time in the corner, gone by itself; it never takes the focus. */

import { byId } from "./config.js";
import { el } from "./dom.js";

const STAYS_MS = 8000;
let timer = 0;

/** Show `text`, with a button when `action` is {label, run}. */
export function notice(text, action = null, tone = "") {
  clearTimeout(timer);
  const close = () => byId("notices").replaceChildren();
  byId("notices").replaceChildren(el("div", { className: `notice ${tone}` },
    el("p", {}, text),
    action && el("button", {
      type: "button", className: "button", onclick: () => { close(); action.run(); },
    }, action.label),
  ));
  timer = setTimeout(close, STAYS_MS);
}
