// Short notes in the corner: what the server says with an answer (HX-Trigger), and lost requests.
const LIFETIME = 8000;

export function toast(text, level = "success") {
  const place = document.getElementById("toasts");
  if (!place) return;
  const sprite = document.querySelector(".icon use")?.getAttribute("href")?.split("#")[0] ?? "";
  const note = document.createElement("div");
  note.className = `toast ${level}`;
  const drawing = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${sprite}#${name}`);
    svg.append(use);
    return svg;
  };
  const words = document.createElement("p");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  button.setAttribute("aria-label", "Dismiss");
  button.append(drawing("close"));
  button.addEventListener("click", () => note.remove());
  note.append(drawing(level === "error" ? "alert" : "check"), words, button);
  place.append(note);
  // Errors stay until they are read; the rest goes unless somebody is at it.
  if (level === "error") return;
  const fade = () => (note.matches(":hover, :focus-within") ? setTimeout(fade, 1000) : note.remove());
  setTimeout(fade, LIFETIME);
}

export function startToasts() {
  document.addEventListener("toast", (event) => toast(event.detail.text, event.detail.level));
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, target } = event.detail;
    if (xhr.getResponseHeader("HX-Trigger") || xhr.getResponseHeader("HX-Retarget")) return;
    if (xhr.status === 401 || event.detail.requestConfig?.verb === "get") return;
    const gone = xhr.status === 404 && target?.closest?.("[data-card]");
    toast(gone ? "This session is gone." : `That did not work (${xhr.status}). Load the page again.`, "error");
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.requestConfig?.verb === "get") return;
    toast("The portal cannot be reached. Try again in a moment.", "error");
  });
}
