// Passkeys: asks the service for a challenge, the browser for the answer, and sends it with the form.
"use strict";

const ceremonies = {
  create: async (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: async (options) =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

async function answer(form) {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value });
  const response = await fetch(form.dataset.options, { method: "POST", body });
  if (!response.ok) throw new Error(response.statusText);
  const challenge = await response.json();
  const credential = await ceremonies[form.dataset.passkey](challenge.options);
  form.elements.challenge_id.value = challenge.challenge_id;
  form.elements.passkey.value = JSON.stringify(credential.toJSON());
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !window.PublicKeyCredential?.parseRequestOptionsFromJSON;
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
