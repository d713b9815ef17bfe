/* One object that holds what the page knows; everything visible is drawn from it.

   `session`   the server's last word about the session
   `link`      the data path: {phase: off | connecting | connected | waiting, retryAt, reason, steps}
   `status`    the status socket: connecting | open | waiting
   `access`    null, or why this page may not go on: signin | revoked | gone | protocol
   `asked`     what was asked of the server and is not answered yet: wake | hibernate | extend | null
   `error`     the server's refusal of it
   `inputAt`   when the person last gave input that the server sees
   `skew`      milliseconds that this computer's clock is ahead of the server's */

export class Store {
  #listeners = new Set();
  #queued = false;

  constructor(initial) {
    this.state = {
      session: initial,
      link: { phase: "off" },
      status: "connecting",
      access: null,
      asked: null,
      error: "",
      inputAt: 0,
      skew: 0,
    };
  }

  /** Change some of it; listeners run once for all changes of the same turn. */
  set(changes) {
    Object.assign(this.state, changes);
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      for (const listener of this.#listeners) listener(this.state);
    });
  }

  /** Call `listener` with the state now and after each change. */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.state);
  }

  /** Whether the session runs as far as anybody knows. */
  get running() {
    return this.state.session.display_state === "running" && !this.state.access;
  }
}
