// Passkeys: asks the service for a challenge, the browser for the answer, and sends it with the form.
"use strict";

const ceremonies = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: (options) =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

function setValue(form, name, value) {
  const input = form.elements[name] ?? form.appendChild(document.createElement("input"));
  Object.assign(input, { type: "hidden", name, value });
}

async function answer(form) {
  const { csrf, next, options, passkey } = form.dataset;
  const response = await fetch(options, { method: "POST", body: new URLSearchParams({ csrf }) });
  if (!response.ok) throw new Error(response.statusText);
  const challenge = await response.json();
  const credential = await ceremonies[passkey](challenge.options);
  setValue(form, "csrf", csrf);
  setValue(form, "next", next);
  setValue(form, "challenge_id", challenge.challenge_id);
  setValue(form, "passkey", JSON.stringify(credential.toJSON()));
}

// Browsers let a page use the passkeys of its own host and of those above it, but not of an address.
const belongsTo = (host) => `.${location.hostname}`.endsWith(`.${host}`);

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential?.parseRequestOptionsFromJSON || !belongsTo(form.dataset.host);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = form.querySelector("[data-failed]");
    failed.hidden = true;
    try {
      await answer(form);
      form.submit(); // does not fire the event again
    } catch {
      failed.hidden = false;
      delete form.dataset.sent; // set by console.js
    }
  });
}
