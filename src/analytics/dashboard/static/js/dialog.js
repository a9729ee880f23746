// Opens a full list over the report instead of leaving it.
import { place, restore } from "./focus.js";
import { fetchPage, visit } from "./navigate.js";

// An open list has an entry of its own in the history, under the address of the list: going back
// closes it, and to load the page again shows the same list.
const loaded = location.pathname;
let dialog = null;
let home = "";
let opener = null;
let leaving = false;

const here = () => location.pathname + location.search;

function make() {
  dialog = document.createElement("dialog");
  dialog.className = "panel-dialog";
  dialog.setAttribute("aria-label", "Details");
  dialog.addEventListener("close", closed);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-swap]")) return;
    event.preventDefault();
    const url = new URL(event.target.action);
    url.search = new URLSearchParams(new FormData(event.target)).toString();
    show(url.href);
  });
  dialog.addEventListener("click", follow);
}

function closed() {
  dialog.remove();
  // Closed by its reader, not by going back: then its entry in the history goes, too.
  if (history.state?.list) {
    leaving = true;
    history.back();
  }
  if (opener?.isConnected) opener.focus({ preventScroll: true });
}

function follow(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(link.href);
  if (url.origin === location.origin && url.pathname === new URL(home, location).pathname) {
    history.replaceState(null, "", url.href);
    dialog.close();
    visit(url.href, { push: false });
  } else {
    show(url.href);
  }
}

async function show(url, { push = true } = {}) {
  const { url: address, page } = await fetchPage(url);
  const list = page.querySelector("[data-list]");
  if (!list) return location.assign(url);
  const first = !dialog?.isConnected;
  if (first) {
    home = push ? here() : history.state.home;
    opener = document.activeElement;
    make();
    document.body.append(dialog);
  }
  if (push) history[first ? "pushState" : "replaceState"]({ list: true, home }, "", address);
  const was = place(dialog);
  const close = document.createElement("button");
  close.className = "button quiet icon dialog-close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "✕";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, document.adoptNode(list));
  if (!dialog.open) dialog.showModal();
  restore(dialog, was);
}

// The page behind an open list is the one that going back leads to: only the list goes.
function wentBack(event) {
  const list = event.state?.list;
  if (leaving || dialog?.isConnected && !list) {
    event.stopImmediatePropagation();
    if (!leaving) dialog.close();
    leaving = false;
  } else if (list && location.pathname !== loaded) {
    event.stopImmediatePropagation();
    show(location.href, { push: false }).catch(() => location.reload());
  }
}

export function dialogs() {
  addEventListener("popstate", wentBack);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-dialog]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    show(link.href).catch(() => location.assign(link.href));
  });
}
