// Tells the page that something happened, by events where they arrive, by polling where they do
// not. Whatever wants to be current listens for "gradeq:news" on the body.
"use strict";

(function () {
  const POLL_MS = 5000;
  const MOST_OFTEN_MS = 1000;
  const SILENT_MS = 45000;
  const STATES = ["pending", "processing", "paused", "completed", "completed_with_errors", "failed",
    "cancelled"];
  const KINDS = ["badges", "gap", "pool.parked", "pool.resumed"].concat(
    STATES.map((state) => "batch." + state));
  const body = document.body;
  const mark = document.getElementById("live");
  if (!body.dataset.events) {
    mark.hidden = true;
    return;
  }

  let source = null;
  let polling = null;
  let last = body.dataset.after;
  let heardAt = Date.now();
  let toldAt = 0;
  let telling = null;

  function say(state) {
    if (mark.dataset.state !== state) {
      mark.dataset.state = state;
      mark.textContent = mark.dataset[state];
    }
  }

  function tell() {
    clearTimeout(telling);
    telling = null;
    toldAt = Date.now();
    body.dispatchEvent(new CustomEvent("gradeq:news"));
  }

  function tellSoon() {
    if (telling === null) {
      telling = setTimeout(tell, Math.max(0, MOST_OFTEN_MS - (Date.now() - toldAt)));
    }
  }

  function startPolling() {
    if (polling !== null) return;
    say("polling");
    polling = setInterval(function () {
      if (window.EventSource && source.readyState === EventSource.CLOSED) listen();
      tell();
    }, POLL_MS);
  }

  function stopPolling() {
    clearInterval(polling);
    polling = null;
  }

  function heard(event) {
    heardAt = Date.now();
    if (event.lastEventId) last = event.lastEventId;
    tellSoon();
  }

  function listen() {
    if (source !== null) source.close();
    const joint = body.dataset.events.includes("?") ? "&" : "?";
    source = new EventSource(body.dataset.events + joint + "after=" + encodeURIComponent(last));
    source.addEventListener("open", function () {
      heardAt = Date.now();
      stopPolling();
      say("live");
      tellSoon();
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, heard);
    }
    source.addEventListener("error", startPolling);
  }

  function wakeUp() {
    if (document.visibilityState !== "visible") return;
    if (window.EventSource && Date.now() - heardAt > SILENT_MS) listen();
    tellSoon();
  }

  // A refresh that fails says so; the next one that works takes it back.
  body.addEventListener("htmx:sendError", function () { say("lost"); });
  body.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful && mark.dataset.state === "lost") {
      say(polling === null ? "live" : "polling");
    }
  });
  document.addEventListener("visibilitychange", wakeUp);
  window.addEventListener("online", wakeUp);
  window.addEventListener("pageshow", wakeUp);

  if (window.EventSource) {
    listen();
  } else {
    startPolling();
  }
})();
