// Keeps the number of current visitors, and the figures, up to date.
import { visit } from "./navigate.js";

const REST_MS = 5000;
const SPREAD_MS = 1000;
const LONGEST_MS = 300_000;
let source = null;
let address = "";
let timer = null;
let earliest = 0;
let refused = 0;
let hangups = 0;

function busy() {
  const main = document.querySelector("main");
  return document.hidden || document.querySelector("dialog[open]") || main.querySelector("details[open]")
    || main.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
}

// A pause that doubles with each failure in a row, of another length on each page.
function pause(failures) {
  return Math.min(REST_MS * 2 ** (failures - 1), LONGEST_MS) * (0.5 + Math.random());
}

// Every open page hears of a change at the same moment: they must not all ask at that moment.
function soon() {
  timer ??= setTimeout(refresh, Math.max(0, earliest - Date.now()) + Math.random() * SPREAD_MS);
}

// Whatever is not a page of figures changes nothing on the screen: it is asked for again later.
async function refresh() {
  timer = null;
  earliest = Date.now() + REST_MS;
  if (busy()) return soon();
  const line = document.querySelector("[data-refresh]");
  const { outcome, retryAfterMs = 0 } = await visit(line?.dataset.refresh || location.href, { push: false, unless: busy });
  if (outcome === "failed") {
    refused += 1;
    earliest = Date.now() + Math.max(pause(refused), retryAfterMs);
  } else if (outcome === "shown") {
    refused = 0;
  }
  if (outcome !== "shown" && document.querySelector("[data-live]")) soon();
}

function show(message) {
  const { visitors, seen, machine, elsewhere, stored: news } = JSON.parse(message.data);
  hangups = 0;
  const line = document.querySelector("[data-live]");
  if (line) {
    line.classList.toggle("on", visitors > 0);
    line.querySelector("[data-current]").textContent = visitors.toLocaleString("en");
    line.querySelector("[data-current-noun]").textContent = visitors === 1 ? "current visitor" : "current visitors";
    if (news) soon();
  }
  const waiting = document.querySelector("[data-waiting]");
  if (seen) waiting?.classList.add("seen");
  if (elsewhere) waiting?.classList.add("elsewhere");
  if (waiting && machine) {
    waiting.classList.add("machine");
    waiting.querySelector("[data-machine]").textContent = machine;
  }
}

// A browser comes back by itself when the connection ends, and not when the answer was no stream.
function hungUp() {
  if (source?.readyState !== EventSource.CLOSED) return;
  listen("");
  hangups += 1;
  setTimeout(() => live(document), pause(hangups));
}

function listen(wanted) {
  if (wanted === address) return;
  source?.close();
  address = wanted;
  source = wanted ? new EventSource(wanted) : null;
  source?.addEventListener("now", show);
  source?.addEventListener("error", hungUp);
}

function wanted(root) {
  const line = root.querySelector("[data-live], [data-waiting]:not(.seen)");
  return line ? line.dataset.live ?? line.dataset.waiting : "";
}

export function live(root) { listen(document.hidden ? "" : wanted(root)); }

// A browser keeps only a few connections to a server: pages that nobody sees must not use them up.
document.addEventListener("visibilitychange", () => {
  live(document);
  if (!document.hidden && document.querySelector("[data-live]")) soon();
});
