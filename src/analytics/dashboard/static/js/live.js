// Keeps the number of current visitors, and the figures, up to date.
import { visit } from "./navigate.js";

const REST_MS = 5000;
let source = null;
let address = "";
let last = 0;
let timer = null;

function busy() {
  const main = document.querySelector("main");
  return document.hidden || document.querySelector("dialog[open]") || main.querySelector("details[open]")
    || main.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
}

// Whether the reader must not be disturbed; then it is tried again a little later.
function held() {
  if (!busy()) return false;
  clearTimeout(timer);
  timer = setTimeout(refresh, REST_MS);
  return true;
}

function refresh() {
  if (held()) return;
  last = Date.now();
  visit(location.href, { push: false, unless: held });
}

function stored() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(0, last + REST_MS - Date.now()));
}

function show(message) {
  const { visitors, seen, stored: news } = JSON.parse(message.data);
  const line = document.querySelector("[data-live]");
  if (line) {
    line.classList.toggle("on", visitors > 0);
    line.querySelector("[data-current]").textContent = visitors.toLocaleString("en");
    line.querySelector("[data-current-noun]").textContent = visitors === 1 ? "current visitor" : "current visitors";
    if (news) stored();
  }
  if (seen) document.querySelector("[data-waiting]")?.classList.add("seen");
}

function listen(wanted) {
  if (wanted === address) return;
  source?.close();
  address = wanted;
  source = wanted ? new EventSource(wanted) : null;
  source?.addEventListener("now", show);
}

function wanted(root) {
  const line = root.querySelector("[data-live], [data-waiting]:not(.seen)");
  return line ? line.dataset.live ?? line.dataset.waiting : "";
}

export function live(root) { listen(document.hidden ? "" : wanted(root)); }

// A browser keeps only a few connections to a server: pages that nobody sees must not use them up.
document.addEventListener("visibilitychange", () => {
  live(document);
  if (!document.hidden && document.querySelector("[data-live]")) stored();
});
