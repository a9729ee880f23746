// Keeps the keyboard's place while a part of the page is exchanged.
const REACHABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary";

// Where the focus is inside *root*, so that it can be found again in what comes in its place.
export function place(root) {
  const focused = document.activeElement;
  if (!focused || focused === root || !root.contains(focused)) return null;
  const box = focused.closest("[id]:not(a, button, input, select, textarea, summary)");
  const inside = box && root.contains(box) ? box : root;
  return {
    id: focused.id,
    box: inside === root ? "" : inside.id,
    text: focused.textContent,
    index: [...inside.querySelectorAll(REACHABLE)].indexOf(focused),
    caret: focused.selectionStart ?? null,
  };
}

// The same element; or the one of the same text, or in the same place, of the same box; or *root*.
export function restore(root, was) {
  if (!was) return;
  const box = was.box ? document.getElementById(was.box) : root;
  const all = box ? [...box.querySelectorAll(REACHABLE)] : [];
  const found = (was.id && document.getElementById(was.id))
    || all.find((each) => was.text && each.textContent === was.text)
    || all[Math.min(was.index, all.length - 1)] || root;
  if (found === root) root.tabIndex = -1;
  found.focus({ preventScroll: true });
  // What lies in a menu that is closed now cannot have it; the menu's button can.
  if (document.activeElement !== found) found.closest("details")?.querySelector("summary")?.focus({ preventScroll: true });
  if (was.caret !== null && found.setSelectionRange) found.setSelectionRange(was.caret, was.caret);
}
