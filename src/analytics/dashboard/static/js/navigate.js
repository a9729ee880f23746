// Follows links and forms of the same page by exchanging <main>, with history.
import { place, restore } from "./focus.js";

let swapped = () => {};
let running = null;
const loaded = location.pathname;

export function onSwap(enhance) { swapped = enhance; }

export async function fetchPage(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "text/html" } });
  // A parsed document is inert: scripts in it never run.
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // A page whose frame was on its way when its figures failed has the status of a good one.
  const ok = answer.ok && !page.querySelector("[data-error]");
  return { url: answer.url, page, ok, retryAfterMs: 1000 * (Number(answer.headers.get("Retry-After")) || 0) };
}

// With *unless* the exchange is quiet: only a good page is shown, and none if *unless* is true when it has come.
// What came of it: shown, held back, failed, or gone elsewhere.
export async function visit(url, { push = true, unless = null } = {}) {
  const quiet = unless !== null;
  if (quiet && running && !running.quiet) return { outcome: "held" };
  running?.abort.abort();
  const mine = running = { abort: new AbortController(), quiet };
  try {
    return await exchange(url, mine.abort.signal, push, unless);
  } finally {
    if (running === mine) running = null;
  }
}

async function exchange(url, signal, push, unless) {
  const quiet = unless !== null;
  const main = document.querySelector("main");
  if (!quiet) main.setAttribute("aria-busy", "true");
  let found;
  try {
    found = await fetchPage(url, signal);
  } catch {
    if (signal.aborted) return { outcome: "elsewhere" };
    main.removeAttribute("aria-busy");
    if (!quiet) location.assign(url);
    return { outcome: "failed" };
  }
  const { page, ok, retryAfterMs } = found;
  const next = page.querySelector("main");
  const samePath = new URL(found.url).pathname === location.pathname;
  if (quiet && !(ok && next && samePath)) return { outcome: "failed", retryAfterMs };
  if (unless?.()) return { outcome: "held" };
  const same = page.documentElement.dataset.version === document.documentElement.dataset.version;
  if (!next || !same || !samePath) {
    if (quiet) location.reload();
    else location.assign(found.url);
    return { outcome: "elsewhere" };
  }
  const was = place(main);
  if (push) history.pushState(null, "", found.url);
  document.title = page.title;
  main.replaceWith(document.adoptNode(next));
  swapped(next);
  restore(next, was);
  if (!quiet) document.getElementById("status").textContent = "The page was updated.";
  return { outcome: "shown" };
}

export function samePage(url) {
  return url.origin === location.origin && url.pathname === location.pathname;
}

export function links() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("main a[href]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (!samePage(url) || url.hash) return;
    event.preventDefault();
    visit(url.href);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.matches("main form[data-swap]")) return;
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form)).toString();
    event.preventDefault();
    visit(url.href);
  });
  addEventListener("popstate", () => {
    // After a reload of another page of the same history, this one lacks what that one needs.
    if (location.pathname === loaded) visit(location.href, { push: false });
    else location.reload();
  });
}
