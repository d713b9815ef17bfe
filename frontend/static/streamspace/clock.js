// Keeps "in 24 min" and "3 min ago" true, and shows warnings when their time has come.
const meta = document.querySelector('meta[name="server-now"]');
// Deadlines are the server's; this machine's clock may be wrong.
const offset = meta ? Number(meta.content) * 1000 - Date.now() : 0;

export const now = () => Date.now() + (Math.abs(offset) > 5000 ? offset : 0);

/** A span of milliseconds in words, as the server writes it. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

export function announce(text) {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function tick(root = document) {
  const time = now();
  for (const element of root.querySelectorAll("time[data-until]")) {
    write(element, span(Number(element.dataset.until) - time));
  }
  for (const element of root.querySelectorAll("time[data-since]")) {
    const passed = time - Number(element.dataset.since);
    write(element, passed < 10_000 ? "just now" : `${span(passed)} ago`);
  }
  for (const element of root.querySelectorAll("time[data-for]")) {
    write(element, span(time - Number(element.dataset.for)));
  }
  for (const element of root.querySelectorAll("[data-warn-at][hidden]")) {
    if (time < Number(element.dataset.warnAt) * 1000) continue;
    element.hidden = false;
    const name = element.closest("[data-card]")?.dataset.name ?? "A session";
    announce(`${name}: ${element.querySelector("p").textContent}`);
  }
}

export function startClock() {
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSwap", () => tick());
}
