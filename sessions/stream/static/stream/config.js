/* What the server told this page about its session, read once and frozen. */

const data = document.body.dataset;

export const config = Object.freeze({
  name: data.session,
  kind: data.kind,
  path: data.path,
  role: data.role,
  viewOnly: data.role === "view",
  owner: data.role === "owner",
  portal: `${data.portal}/`,
  entry: data.entry,
  clipboard: data.clipboard,
  toSession: data.role !== "view" && ["both", "to_session"].includes(data.clipboard),
  fromSession: data.role !== "view" && ["both", "from_session"].includes(data.clipboard),
  pasteLimit: Number(data.pasteLimit),
  initial: JSON.parse(document.getElementById("state").textContent),
});

/** Address of a WebSocket of this session: `rfb` or `status`. */
export function socketUrl(name) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/_streamspace/${name}`;
}

/** The element with that id, or null where this kind of page has none. */
export const byId = (id) => document.getElementById(id);

/** Remember a choice of this browser for this session; storage may be forbidden. */
export function remember(key, value) {
  try {
    localStorage.setItem(`streamspace.${key}`, value);
  } catch {
    // Private modes forbid it; the choice then lasts as long as the page.
  }
}

export function recall(key, otherwise) {
  try {
    return localStorage.getItem(`streamspace.${key}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}
