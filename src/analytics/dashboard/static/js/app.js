// Starts what a page needs; without this file every page still works.
import { copyButtons } from "./copy.js";
import { dialogs } from "./dialog.js";
import { flags } from "./flags.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { menus } from "./menus.js";
import { links, onSwap } from "./navigate.js";
import { plot } from "./plot.js";
import { switcher } from "./switcher.js";
import { toggle } from "./toggle.js";
import { zone } from "./zone.js";

function enhance(root) {
  plot(root);
  live(root);
  copyButtons(root);
  zone(root);
}

flags();
switcher();
toggle();
menus();
keys();
dialogs();
links();
onSwap(enhance);
// The whole page is here by now; browsers without :has() would keep showing it.
document.querySelector(".waiting-page")?.remove();
enhance(document);
