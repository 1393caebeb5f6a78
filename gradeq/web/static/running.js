// What a person has opened and where the keyboard stands outlive a refresh of the page's parts.
"use strict";

(function () {
  let open = new Set();
  let focused = "";
  let scrolled = new Map();

  document.body.addEventListener("htmx:beforeSwap", function () {
    open = new Set(Array.from(document.querySelectorAll("details[open][id]"), (one) => one.id));
    scrolled = new Map();
    for (const one of document.querySelectorAll(".scroll[id]")) {
      scrolled.set(one.id, one.scrollLeft);
    }
    focused = document.activeElement ? document.activeElement.id : "";
  });

  document.body.addEventListener("htmx:afterSettle", function () {
    for (const id of open) {
      const one = document.getElementById(id);
      if (one) one.open = true;
    }
    for (const [id, left] of scrolled) {
      const one = document.getElementById(id);
      if (one) one.scrollLeft = left;
    }
    const lost = document.activeElement === document.body || document.activeElement === null;
    const again = focused && lost ? document.getElementById(focused) : null;
    if (again) again.focus({ preventScroll: true });
  });
})();
