// Sends dropped or chosen files one by one, each with its progress and its outcome. Without this
// the form sends all of them at once.
"use strict";

(function () {
  const form = document.getElementById("add");
  const zone = form.querySelector(".drop");
  const input = document.getElementById("files");
  const outcome = document.getElementById("outcome");
  const list = document.getElementById("taken");
  const progress = document.getElementById("progress");
  const words = form.dataset;
  const waiting = [];
  let whole = 0;
  let done = 0;
  let isSending = false;

  function element(tag, text) {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    return made;
  }

  function count() {
    progress.textContent = words.progress.replace("{done}", done).replace("{whole}", whole);
  }

  function line(name) {
    const item = element("li");
    item.className = "waits";
    item.append(element("h3", name));
    return item;
  }

  function tell(item, name, text, retry) {
    item.className = "flawed";
    item.replaceChildren(element("h3", name), element("p", text));
    if (retry) {
      const button = element("button", words.retry);
      button.type = "button";
      button.addEventListener("click", function () {
        done -= 1;
        const again = line(name);
        item.replaceWith(again);
        again.tabIndex = -1;
        again.focus();
        retry(again);
      });
      item.append(button);
    }
  }

  function read(text) {
    return new DOMParser().parseFromString(text, "text/html");
  }

  function answered(item, file, request, retry) {
    const page = read(request.responseText);
    if (request.status === 200) {
      item.replaceWith(...page.querySelectorAll("li.taken"));
    } else {
      const problem = page.querySelector(".problem");
      tell(item, file.name, problem ? problem.textContent : words.lost, retry);
    }
  }

  function send(item, file, then) {
    const request = new XMLHttpRequest();
    const bar = element("progress");
    const state = element("p", words.sending);
    const retry = function (again) { queue(again, file); };
    bar.setAttribute("aria-label", words.sending + ": " + file.name);
    item.replaceChildren(element("h3", file.name), state, bar);
    request.upload.addEventListener("progress", function (event) {
      bar.max = event.total;
      bar.value = event.loaded;
    });
    request.upload.addEventListener("load", function () { state.textContent = words.reading; });
    request.addEventListener("load", function () { answered(item, file, request, retry); });
    request.addEventListener("error", function () { tell(item, file.name, words.lost, retry); });
    request.addEventListener("loadend", then);
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    const body = new FormData();
    body.append("files", file);
    if (document.getElementById("lenient").checked) body.append("lenient", "1");
    request.send(body);
  }

  function next() {
    isSending = waiting.length > 0;
    count();
    if (isSending) {
      const job = waiting.shift();
      send(job.item, job.file, function () {
        done += 1;
        next();
      });
    }
  }

  function queue(item, file) {
    waiting.push({ item: item, file: file });
    if (!isSending) next();
  }

  // What the server reads as the id of a paper must not come twice at once: one would replace
  // the other.
  function id(file) {
    return /\.(txt|md)$/i.test(file.name) ? file.name.replace(/\.[^.]*$/, "").trim() : null;
  }

  function take(files) {
    const seen = new Set();
    outcome.hidden = files.length === 0 && outcome.hidden;
    for (const file of files) {
      const item = line(file.name);
      list.append(item);
      whole += 1;
      const own = id(file);
      if (file.size > Number(words.most)) {
        done += 1;
        tell(item, file.name, words.large);
      } else if (own !== null && seen.has(own)) {
        done += 1;
        tell(item, file.name, words.twin);
      } else {
        seen.add(own);
        queue(item, file);
      }
    }
    count();
  }

  document.getElementById("drop").hidden = false;
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, function (event) {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    zone.addEventListener(kind, function () { zone.classList.remove("over"); });
  }
  zone.addEventListener("drop", function (event) {
    event.preventDefault();
    take(Array.from(event.dataTransfer.files));
  });
  form.addEventListener("submit", function (event) {
    if (input.files.length === 0) return;
    event.preventDefault();
    take(Array.from(input.files));
    input.value = "";
  });
  window.addEventListener("beforeunload", function (event) {
    if (isSending) event.preventDefault();
  });
})();
