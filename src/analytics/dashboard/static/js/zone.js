// Fills in the time zone that the browser is in, where nobody has chosen one.
export function zone(root) {
  const field = root.querySelector("input[data-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (field && [...field.list.options].some((option) => option.value === here)) field.value = here;
}
