/* Draws the scene over the place of the picture.

   It is drawn anew only when its words change, so that a button which has the focus keeps it; the
   countdown is written into the drawing. When it appears the focus goes to its heading, not to a
   button: somebody who is typing must not wake a session by accident. */

import { byId } from "./config.js";
import { el, icon } from "./dom.js";
import { scene } from "./scene.js";

export class Overlay {
  #root = byId("overlay");
  #drawn = "";
  #kind = null;
  #until = null;
  #handlers;
  #onclear;

  /** `handlers`: what the buttons do, by their id. `onclear`: the picture may be seen again. */
  constructor(store, handlers, onclear) {
    this.#handlers = handlers;
    this.#onclear = onclear;
    store.subscribe((state) => this.#show(scene(state)));
    setInterval(() => this.#tick(), 250);
  }

  #show(next) {
    document.body.dataset.scene = next?.kind ?? "";
    if (!next) {
      if (this.#root.hidden) return;
      const focused = this.#root.contains(document.activeElement);
      this.#root.hidden = true;
      this.#root.replaceChildren();
      this.#drawn = "";
      this.#kind = this.#until = null;
      this.#onclear(focused);
      return;
    }
    this.#until = next.until ?? null;
    const words = JSON.stringify({ ...next, until: Boolean(next.until) });
    if (words !== this.#drawn) {
      this.#drawn = words;
      this.#draw(next);
    }
    this.#tick();
  }

  #draw(next) {
    const held = this.#root.contains(document.activeElement) && document.activeElement.dataset.action;
    const heading = el("h1", { tabIndex: -1 }, next.title);
    const card = el("div", { className: "card" },
      next.busy ? el("div", { className: "spinner", aria: { hidden: "true" } }) : null,
      next.icon && !next.busy ? icon(next.icon) : null,
      heading,
      next.step && el("p", { className: "step" }, next.step),
      next.text && el("p", {}, next.text),
      next.log?.length && el("pre", { className: "log", tabIndex: 0, aria: { label: "Last lines of its log" } }, next.log.join("\n")),
      next.until && el("p", { className: "hint" }, "Next try in ",
        el("span", { className: "countdown", aria: { live: "off" } }), "."),
      next.error && el("p", { className: "error", role: "alert" }, next.error),
      next.actions.length > 0 && el("p", { className: "actions" }, ...next.actions.map((a) => this.#action(a))),
    );
    this.#root.classList.toggle("dim", Boolean(next.dim));
    this.#root.replaceChildren(card);
    this.#root.hidden = false;
    if (held) this.#root.querySelector(`[data-action="${held}"]`)?.focus();
    else if (this.#kind !== next.kind && !byId("panel").contains(document.activeElement)) {
      heading.focus({ preventScroll: true });
    }
    this.#kind = next.kind;
  }

  #action({ id, label, primary, href, disabled }) {
    const className = primary ? "button primary" : "button";
    if (href) return el("a", { className, href, data: { action: id } }, label);
    return el("button", {
      type: "button", className, disabled: Boolean(disabled), data: { action: id },
      onclick: () => this.#handlers[id]?.(),
    }, label);
  }

  #tick() {
    const countdown = this.#until && this.#root.querySelector(".countdown");
    if (countdown) {
      const left = Math.max(0, Math.ceil((this.#until - Date.now()) / 1000));
      countdown.textContent = left === 1 ? "1 second" : `${left} seconds`;
    }
  }
}
