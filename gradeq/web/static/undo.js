// A release can be taken back for a while; then the button for it goes.
"use strict";

(function () {
  const undo = document.querySelector(".undo");
  if (undo === null) return;
  setTimeout(function () {
    const button = undo.querySelector("button");
    const hadFocus = document.activeElement === button;
    button.hidden = true;
    if (hadFocus) undo.focus();
  }, undo.dataset.seconds * 1000);
})();
