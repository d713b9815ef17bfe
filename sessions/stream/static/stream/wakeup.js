/* Tells when this computer was asleep or changed its network: connections may then be dead without
   knowing it, and would stay so for minutes. */

import { roundTrip } from "./access.js";

const BEAT_MS = 10000;
const ASLEEP_MS = 100000; // hidden tabs beat once a minute; the server gives up after two pings
const ANSWER_MS = 5000;

export function onWakeup(restart) {
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - last > ASLEEP_MS) restart();
    last = now;
  }, BEAT_MS);
  window.addEventListener("online", async () => {
    // An answer over a new connection says nothing about the old ones, so they go either way.
    await roundTrip(ANSWER_MS);
    restart();
  });
}
