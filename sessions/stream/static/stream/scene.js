/* What stands in place of the picture, if anything. Pure: the store's state in, words out.

   A picture that does not live any more is never left standing: people type into it and lose what
   they typed. The order is the promise: no access before session state before connection. */

import { config } from "./config.js";

const PORTAL = { id: "portal", label: "Back to the portal", href: config.portal };
const RELOAD = { id: "reload", label: "Load it again", primary: true, href: "/_streamspace/view" };

const NO_ACCESS = {
  entering: { icon: "lock", title: "Checking your access", busy: true, actions: [] },
  signin: {
    icon: "lock",
    title: "You have been signed out",
    text: "The session goes on. Sign in again to come back to it.",
    actions: [{ id: "signin", label: "Sign in again", primary: true, href: config.entry }],
  },
  revoked: {
    icon: "lock",
    title: "You no longer have access",
    text: "The owner has stopped sharing this session with you, or your account was changed.",
    actions: [{ ...PORTAL, primary: true }],
  },
  gone: {
    icon: "end",
    title: "This session has ended",
    text: "It was terminated. What is in your home is kept.",
    actions: [{ ...PORTAL, primary: true }],
  },
  protocol: {
    icon: "alert",
    title: "The connection was refused",
    text: "This page and the server do not understand each other, most likely after an update.",
    actions: [RELOAD, PORTAL],
  },
};

const WHY_HIBERNATED = {
  idle: "There was no input for a while. ",
  max_duration: "It ran for the longest time that is allowed. ",
  closed: "The application was closed. ",
  operator: "An operator asked for it. ",
};

/** The scene for a state of the store, or null when the picture may be seen.

    {kind, icon, title, text?, step?, log?, error?, busy?, dim?, until?, actions: [{id, label,
    primary?, href?, disabled?}]} */
export function scene({ session, link, access, asked, error, status }) {
  if (access) return { kind: access, ...NO_ACCESS[access] };
  const say = (words) => ({ kind: session.display_state, error, actions: [PORTAL], ...words });
  const can = (action) => session.actions.includes(action);
  const ask = (id, label, primary = true) => ({
    id, label: asked === id ? "One moment …" : label, primary, disabled: asked === id,
  });
  // Without the status socket nothing below would change by itself.
  const offline = status === "waiting" ? "The connection is lost and is tried again by itself." : "";

  switch (session.display_state) {
    case "terminating":
    case "terminated":
      return { kind: "gone", ...NO_ACCESS.gone };
    case "hibernating":
      return say({
        icon: "moon", busy: true, title: "Hibernating", error: error || offline,
        text: `${WHY_HIBERNATED[session.stop_reason] ?? ""}Your files are kept.`,
        actions: [...(can("wake") ? [ask("wake", "Wake it again", false)] : []), PORTAL],
      });
    case "hibernated":
      return say({
        icon: "moon", title: "Hibernated – your files are kept", error: error || offline,
        text: (WHY_HIBERNATED[session.stop_reason] ?? "")
          + (can("wake") ? "Wake it to go on." : "Its owner can wake it."),
        actions: [...(can("wake") ? [ask("wake", "Wake")] : []), PORTAL],
      });
    case "starting":
    case "waking":
      return say({
        busy: true, error: error || offline,
        title: session.display_state === "waking" ? "Waking" : "Starting",
        step: session.step || "Waiting for a worker",
        text: session.explanation?.message,
        actions: [
          ...(can("hibernate") ? [ask("hibernate", "Stop and hibernate", false)] : []), PORTAL,
        ],
      });
    case "failed":
      return say({
        icon: "alert", title: "It could not be started", error: error || offline,
        text: session.explanation?.message || "Nobody could tell why.",
        log: lines(session.explanation?.log),
        actions: [...(can("retry") ? [ask("wake", "Try again")] : []), PORTAL],
      });
    default:
      return connection(link);
  }
}

/** The scene of a running session whose picture is not there. */
function connection(link) {
  if (link.phase === "connecting" && !link.dim) {
    return { kind: "connecting", busy: true, title: "Connecting", step: link.step, actions: [PORTAL] };
  }
  if (link.phase === "waiting" || link.phase === "connecting") {
    return {
      kind: "reconnecting", icon: "link", dim: Boolean(link.dim), until: link.retryAt,
      title: link.dim ? "The connection was lost" : "The session does not answer",
      text: link.reason || "It is made again by itself. Nothing in the session is lost.",
      actions: [{ id: "retry", label: "Try now", primary: true }, PORTAL],
    };
  }
  return null;
}

function lines(log) {
  return (Array.isArray(log) ? log : (log ?? "").split("\n")).filter(Boolean).slice(-12);
}
