// Conveniences for browsers that run scripts. Everything essential works without.
"use strict";

// Times are shown in this time zone, unless the visitor has chosen another.
document.cookie = "subusers-browser-time-zone=" + Intl.DateTimeFormat().resolvedOptions().timeZone
  + "; path=/; max-age=31536000; samesite=lax" + (location.protocol === "https:" ? "; secure" : "");

// The passwords are like those of the service: 25 of 31 characters, none of which looks like another (123 bits).
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";

function generatePassword() {
  const groups = [];
  while (groups.length < 5) {
    let group = "";
    while (group.length < 5) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < 256 - 256 % ALPHABET.length) group += ALPHABET[byte % ALPHABET.length];
    }
    groups.push(group);
  }
  return groups.join("-");
}

function setShown(field, shown) {
  const button = field.querySelector("[data-show]");
  field.querySelector("input").type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  button.textContent = shown ? button.dataset.whenShown : button.dataset.whenHidden;
}

for (const field of document.querySelectorAll("[data-password]")) {
  const input = field.querySelector("input");
  const show = field.querySelector("[data-show]");
  const generate = field.querySelector("[data-generate]");
  show.hidden = false;
  show.addEventListener("click", () => setShown(field, input.type === "password"));
  if (generate) {
    generate.hidden = false;
    generate.addEventListener("click", () => { input.value = generatePassword(); setShown(field, true); input.focus(); });
  }
  // Browsers only offer to store the value of a field of type password.
  input.form.addEventListener("submit", () => setShown(field, false));
}

// Submit each form only once, however often its button is pressed. Reload pages that the browser restores from its
// back-forward cache, because their forms count as sent.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// Parts of a page that htmx loads: say that they are being loaded, and if they could not be.
const failure = Object.assign(document.createElement("p"), { className: "notice wrong", role: "alert" });
failure.append(document.querySelector("[data-request-failed]").content);
addEventListener("htmx:beforeRequest", (event) => event.detail.target.setAttribute("aria-busy", "true"));
addEventListener("htmx:afterRequest", (event) => {
  event.detail.target.removeAttribute("aria-busy");
  if (event.detail.successful) failure.remove();
  else document.querySelector("main").prepend(failure);
});

// Questions before an action are pages of their own. Open them in a dialog over the page that asks.
const dialog = document.body.appendChild(document.createElement("dialog"));
addEventListener("click", async (event) => {
  const opener = event.target.closest("a, button");
  if (opener && dialog.contains(opener)) {
    if (!opener.matches("a.btn:not(.pri)")) return;
    event.preventDefault(); // the link Cancel leads to the page below
    dialog.close();
    return;
  }
  const area = opener?.closest("[data-dialog-for]");
  if (!area || !opener.matches(area.dataset.dialogFor) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(opener.href ?? (opener.hasAttribute("formaction") ? opener.formAction : opener.form.action));
  const back = opener.form?.elements.namedItem("back");
  if (back) url.searchParams.set("back", back.value);
  const response = await fetch(url).catch(() => null);
  const page = response && new DOMParser().parseFromString(await response.text(), "text/html");
  const question = page?.querySelector("main > .card.narrow");
  if (!question || !response.ok || response.redirected) {
    location = url;
    return;
  }
  dialog.replaceChildren(question);
  dialog.setAttribute("aria-label", question.querySelector("h1").textContent);
  dialog.showModal();
});

// Close menus with Escape and with a click elsewhere.
const openMenus = () => document.querySelectorAll("details.menu[open]");
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
