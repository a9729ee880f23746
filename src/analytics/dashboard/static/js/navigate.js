// Follows links and forms of the same page by exchanging <main>, with history.
let swapped = () => {};
let running = null;

export function onSwap(enhance) { swapped = enhance; }

export async function fetchPage(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "text/html" } });
  // A parsed document is inert: scripts in it never run.
  return { url: answer.url, page: new DOMParser().parseFromString(await answer.text(), "text/html") };
}

// With *unless* the reader need not notice: it is left undone when that says so once the page is here.
export async function visit(url, { push = true, unless = null } = {}) {
  const quiet = unless !== null;
  running?.abort();
  const mine = running = new AbortController();
  const main = document.querySelector("main");
  if (!quiet) main.setAttribute("aria-busy", "true");
  let found;
  try {
    found = await fetchPage(url, mine.signal);
  } catch {
    if (mine.signal.aborted) return;
    main.removeAttribute("aria-busy");
    if (!quiet) location.assign(url);
    return;
  }
  if (unless?.()) return;
  const { page } = found;
  const next = page.querySelector("main");
  const same = page.documentElement.dataset.version === document.documentElement.dataset.version;
  if (!next || !same || new URL(found.url).pathname !== location.pathname) {
    if (!quiet || !same) location.assign(found.url);
    return;
  }
  const focused = main.contains(document.activeElement) ? document.activeElement.id : "";
  if (push) history.pushState(null, "", found.url);
  document.title = page.title;
  main.replaceWith(document.adoptNode(next));
  swapped(next);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (!quiet) document.getElementById("status").textContent = "The page was updated.";
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
  addEventListener("popstate", () => visit(location.href, { push: false }));
}
