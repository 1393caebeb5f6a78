// Keeps what was ticked, tab by tab, over live refreshes, from page to page of the list and for the
// way back from where it led, until something is done; ticks whole pages and ranges. Without it
// every tick counts for the page that is seen.
"use strict";

(function () {
  const shelf = "gradeq.ticked " + location.pathname;
  const ticked = new Map();
  const whole = new Set();
  const open = new Set();
  let last = null;

  function form() { return document.getElementById("papers"); }
  function boxes() { return Array.from(form().querySelectorAll('input[name="paper"]')); }

  function ids() {
    const list = form().dataset.list;
    if (!ticked.has(list)) ticked.set(list, new Set());
    return ticked.get(list);
  }

  // A browser may refuse to keep anything; then a page that is left forgets.
  function keep() {
    try {
      const lists = Array.from(ticked, function (one) { return [one[0], Array.from(one[1])]; });
      sessionStorage.setItem(shelf, JSON.stringify([lists, Array.from(whole)]));
    } catch (error) { return; }
  }

  // What the page tells of an act was done with what was ticked.
  function recall() {
    try {
      if (document.getElementById("told")) sessionStorage.removeItem(shelf);
      const kept = JSON.parse(sessionStorage.getItem(shelf) || "[[], []]");
      for (const one of kept[0]) ticked.set(one[0], new Set(one[1]));
      for (const one of kept[1]) whole.add(one);
    } catch (error) { return; }
  }

  function listed() { return JSON.stringify([form().dataset.list, form().dataset.find]); }

  function note(box) {
    if (box.checked) ids().add(box.value);
    else ids().delete(box.value);
  }

  // Spoken by screen readers, once: what a refresh replaces would be spoken again and again.
  function announce() {
    const said = document.getElementById("said");
    const parts = Array.from(document.querySelectorAll(".found span, #chosen"));
    const text = parts.map(function (one) { return one.textContent; }).join(" ").trim();
    if (said && said.textContent !== text) said.textContent = text;
  }

  function say() {
    const all = document.getElementById("all").checked;
    const total = Number(form().dataset.total);
    const count = all ? total : ids().size;
    const text = count === 0 ? "" : form().dataset.said.replace(
      "{n}", count.toLocaleString(document.documentElement.lang));
    document.getElementById("chosen").textContent = text;
    keep();
    const here = boxes();
    const page = document.getElementById("page");
    page.checked = here.every(function (box) { return box.checked; });
    page.indeterminate = !page.checked && here.some(function (box) { return box.checked; });
    announce();
  }

  function restore() {
    for (const id of open) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    if (!form()) {
      announce();
      return;
    }
    const page = document.getElementById("page");
    const all = whole.has(listed());
    document.getElementById("all").checked = all;
    page.hidden = false;
    page.disabled = all;
    for (const box of boxes()) {
      box.checked = all || ids().has(box.value);
      box.disabled = all;
    }
    say();
  }

  function range(to) {
    const here = boxes();
    const from = here.findIndex(function (box) { return box.value === last; });
    if (from < 0) return;
    const end = here.indexOf(to);
    for (const box of here.slice(Math.min(from, end), Math.max(from, end) + 1)) {
      box.checked = to.checked;
      note(box);
    }
  }

  document.addEventListener("click", function (event) {
    const box = event.target;
    if (!(box instanceof HTMLInputElement) || box.name !== "paper") return;
    note(box);
    if (event.shiftKey) range(box);
    last = box.value;
    say();
  });

  document.addEventListener("change", function (event) {
    if (event.target.id === "page") {
      for (const box of boxes()) {
        box.checked = event.target.checked;
        note(box);
      }
      say();
    } else if (event.target.id === "all") {
      if (event.target.checked) whole.add(listed());
      else whole.delete(listed());
      restore();
    }
  });

  document.addEventListener("toggle", function (event) {
    if (!event.target.id || !event.target.isConnected) return;
    if (event.target.open) open.add(event.target.id);
    else open.delete(event.target.id);
  }, true);

  document.addEventListener("submit", function (event) {
    if (event.target === form()) {
      document.getElementById("elsewhere").value = Array.from(ids()).join(" ");
    }
  });

  document.body.addEventListener("htmx:afterSwap", restore);
  recall();
  restore();
})();
