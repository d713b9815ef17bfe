/* When to try again: soon, then ever more rarely, never in step with everybody else.

   After a restart of the server all its viewers come back; jitter spreads them. */

const FIRST_MS = 400;
const LONGEST_MS = 15000;

/** Milliseconds before try number `failures` (from 0), between half and all of the step. */
export function delay(failures, random = Math.random) {
  const step = Math.min(FIRST_MS * 2 ** failures, LONGEST_MS);
  return Math.round(step * (0.5 + random() / 2));
}

/** Calls `attempt` again after each `failed()`; `onwait(at)` tells the moment of the next try. */
export class Retry {
  #attempt;
  #onwait;
  #timer = 0;
  #failures = 0;

  constructor(attempt, onwait = () => {}) {
    this.#attempt = attempt;
    this.#onwait = onwait;
  }

  get failures() {
    return this.#failures;
  }

  succeeded() {
    this.#failures = 0;
  }

  failed() {
    clearTimeout(this.#timer);
    const wait = delay(this.#failures++);
    this.#timer = setTimeout(() => this.now(), wait);
    this.#onwait(Date.now() + wait);
  }

  /** Try at once. */
  now() {
    this.stop();
    this.#attempt();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  get waiting() {
    return this.#timer !== 0;
  }
}
