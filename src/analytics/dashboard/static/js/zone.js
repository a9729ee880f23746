// Selects the time zone that the browser is in.
export function zone(root) {
  const select = root.querySelector("select[data-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (select && [...select.options].some((option) => option.value === here)) select.value = here;
}
