// Comfort for the rubric editor: nothing typed is lost while a button's answer is on its way, and
// leaving with unsaved changes asks first.
"use strict";

(function () {
  const work = document.getElementById("work");
  let changed = "unsaved" in work.dataset;
  let isLeaving = false;

  function form() {
    return document.getElementById("rubric-form");
  }

  function isOfForm(event) {
    return event.detail.target && event.detail.target.id === "rubric-form";
  }

  work.addEventListener("input", function (event) {
    if (event.target.id !== "sample") changed = true;
    if (event.target.getAttribute("aria-invalid") !== "true" || event.target.id === "source") return;
    event.target.removeAttribute("aria-invalid");
    event.target.removeAttribute("aria-describedby");
    const flaw = document.getElementById(event.target.id + ".flaw");
    if (flaw) flaw.remove();
  });

  work.addEventListener("submit", function () {
    changed = false;
    isLeaving = true;
  });
  window.addEventListener("pageshow", function () { isLeaving = false; });

  // What is typed into a form that is about to be replaced would be gone.
  work.addEventListener("htmx:beforeRequest", function (event) {
    if (isLeaving) event.preventDefault();
    else if (isOfForm(event)) form().inert = true;
  });
  work.addEventListener("htmx:afterRequest", function (event) {
    if (!isOfForm(event) || event.detail.successful) return;
    form().inert = false;
    event.detail.elt.focus();
    // Whoever is not signed in any more is told how to go on, by a page that can be sent again.
    if (event.detail.xhr.status === 401) form().requestSubmit(event.detail.elt);
  });
  work.addEventListener("htmx:afterSettle", function (event) {
    if (event.target.id !== "rubric-form") return;
    changed = true;
    work.dispatchEvent(new CustomEvent("rubric:changed"));
  });

  work.addEventListener("click", function (event) {
    const place = event.target.dataset.goto && document.getElementById(event.target.dataset.goto);
    if (!place) return;
    event.preventDefault();
    place.scrollIntoView({ block: "center" });
    place.focus();
  });

  window.addEventListener("beforeunload", function (event) {
    if (changed) event.preventDefault();
  });
})();
