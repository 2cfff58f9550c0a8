"use strict";

// RapiDoc has this rule in a style element, which the policy of the page does not allow. A sheet made by a script is.
const sheet = new CSSStyleSheet();
sheet.replaceSync("*, ::before, ::after { box-sizing: border-box; }");

customElements.whenDefined("rapi-doc").then(() => {
  const { shadowRoot } = document.querySelector("rapi-doc");
  shadowRoot.adoptedStyleSheets = [...shadowRoot.adoptedStyleSheets, sheet];
});
