// Keys for walking through papers, quotes that light up in the text, and a total that follows.
"use strict";

(function () {
  const NAME = "gradeq_keys";
  const text = document.getElementById("text");
  const keys = document.getElementById("keys");
  const keysOn = document.getElementById("keys-on");
  const form = document.getElementById("grading");
  let leaving = false;

  // Quotes -----------------------------------------------------------------------------------

  const marks = Array.from(text.querySelectorAll("mark"));

  function light(line, follows) {
    const number = line && line.dataset.criterion;
    let first = null;
    for (const mark of marks) {
      const lit = Boolean(number) && mark.dataset.criteria.split(" ").includes(number);
      mark.classList.toggle("lit", lit);
      if (lit && first === null) first = mark;
    }
    if (first === null || text.scrollHeight <= text.clientHeight) return;
    const down = first.getBoundingClientRect().top - text.getBoundingClientRect().top;
    text.scrollTop += down - text.clientHeight / 4;
    // The page itself stays where it is under a pointer.
    if (follows) first.scrollIntoView({ block: "nearest" });
  }

  for (const line of document.querySelectorAll("[data-criterion]")) {
    line.addEventListener("mouseenter", function () { light(line, false); });
    line.addEventListener("focusin", function () { light(line, true); });
  }

  // The total --------------------------------------------------------------------------------

  function pointsOf(line) {
    const chosen = line.querySelector("input[type=radio]:checked");
    if (chosen === null) return 0;
    const told = "hand" in chosen.dataset ? line.querySelector(".points").value : chosen.dataset.points || "";
    return Number(told.replace(",", ".")) || 0;
  }

  function follow() {
    let sum = 0;
    for (const line of form.querySelectorAll("[data-line]")) sum += pointsOf(line);
    const most = Number(form.dataset.most);
    const total = Math.min(most, Math.max(Number(form.dataset.floor), sum));
    const shown = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
    document.getElementById("total").textContent = shown.format(total);
  }

  function typedInto(field) {
    const line = field.closest("[data-line]");
    if (line === null) return;
    if (field.type === "radio" && field.dataset.points) {
      line.querySelector(".points").value = String(Number(field.dataset.points)).replace(".", form.dataset.sign);
    } else if (field.classList.contains("points")) {
      const hand = line.querySelector("[data-hand]");
      if (hand !== null) hand.checked = true;
    }
  }

  if (form !== null) {
    let changed = "unsaved" in form.dataset;
    form.addEventListener("input", function (event) {
      changed = true;
      typedInto(event.target);
    });
    form.addEventListener("submit", function () { changed = false; });
    form.querySelector("[data-cancel]").addEventListener("click", function () { changed = false; });
    window.addEventListener("beforeunload", function (event) {
      if (changed) event.preventDefault();
    });
    if (form.dataset.most) {
      form.querySelector(".total").hidden = false;
      form.addEventListener("input", follow);
      follow();
    }
  }

  // Keys -------------------------------------------------------------------------------------

  function remembered() {
    try { return localStorage.getItem(NAME) !== "off"; } catch (error) { return true; }
  }

  function remember() {
    try { localStorage.setItem(NAME, keysOn.checked ? "on" : "off"); } catch (error) { return; }
  }

  function isTyping(element) {
    return element.closest("input, textarea, select, [contenteditable]") !== null;
  }

  function goTo(line) {
    const field = line.querySelector("input:checked") || line.querySelector("input");
    (field || line).focus();
  }

  function help() {
    keys.open = !keys.open;
    if (keys.open) keys.querySelector("summary").focus();
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || leaving) return;
    if (!keysOn.checked || isTyping(event.target)) return;
    const line = /^[1-9]$/.test(event.key) && document.getElementById("criterion-" + event.key);
    if (event.key === "?") {
      help();
    } else if (line) {
      goTo(line);
    } else {
      const wanted = Array.from(document.querySelectorAll("a[data-key], button[data-key]"));
      const found = wanted.find(function (one) { return one.dataset.key.split(" ").includes(event.key); });
      if (!found) return;
      found.click();
    }
    event.preventDefault();
  }

  keysOn.checked = remembered();
  keysOn.addEventListener("change", remember);
  keys.hidden = false;
  document.addEventListener("keydown", pressed);
  document.addEventListener("submit", function () { leaving = true; });
  window.addEventListener("pageshow", function () { leaving = false; });
})();
