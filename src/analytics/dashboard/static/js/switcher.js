// Finds a site in a long list of them.
export function switcher() {
  const field = document.querySelector("[data-find]");
  if (!field) return;
  field.hidden = false;
  const links = [...field.parentElement.querySelectorAll("[data-site]")];
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const link of links) link.hidden = !link.textContent.toLowerCase().includes(wanted);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    links.find((link) => !link.hidden)?.click();
  });
}
