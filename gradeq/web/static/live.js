// Tells the page that something happened, by events where they arrive, by polling where they do
// not. Whatever wants to be current listens for "gradeq:news" on the body.
"use strict";

(function () {
  const PULSE_MS = 5000;
  const MOST_OFTEN_MS = 1000;
  const ASLEEP_MS = 20000;
  const SILENT_MS = 45000;
  const KINDS = [
    "badges", "gap", "pool.parked", "pool.resumed", "batch.pending", "batch.processing",
    "batch.paused", "batch.posted", "batch.went_live", "batch.cancelled", "batch.completed",
    "batch.completed_with_errors", "batch.failed",
  ];
  // What a page tells of an act it tells once: not again after a reload the next morning.
  const address = new URL(location.href);
  if (address.searchParams.has("told")) {
    address.searchParams.delete("told");
    address.searchParams.delete("seal");
    history.replaceState(history.state, "", address);
  }

  const body = document.body;
  const mark = document.getElementById("live");
  if (!body.dataset.events) {
    mark.hidden = true;
    return;
  }

  let source = null;
  let isPolling = false;
  let wasOpen = false;
  let last = body.dataset.after;
  let heardAt = Date.now();
  let pulsedAt = Date.now();
  let toldAt = 0;
  let telling = null;

  function isHidden() {
    return document.visibilityState !== "visible";
  }

  function say(state) {
    if (mark.dataset.state !== state) {
      mark.dataset.state = state;
      mark.textContent = mark.dataset[state];
    }
  }

  function isStale() {
    return mark.dataset.state === "lost" || mark.dataset.state === "out";
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

  function heard(event) {
    heardAt = Date.now();
    // The badges that every line begins with: nothing has happened since the page was made.
    if (!event.lastEventId) return;
    last = event.lastEventId;
    tellSoon();
  }

  function opened() {
    heardAt = Date.now();
    isPolling = false;
    say("live");
    // What happened since the page was made is replayed; what failed meanwhile is not.
    if (wasOpen) tellSoon();
    wasOpen = true;
  }

  function poll() {
    isPolling = true;
    if (!isStale()) say("polling");
  }

  function hush() {
    if (source !== null) source.close();
    source = null;
  }

  function listen() {
    hush();
    heardAt = Date.now();
    if (!window.EventSource) {
      poll();
      return;
    }
    const joint = body.dataset.events.includes("?") ? "&" : "?";
    source = new EventSource(body.dataset.events + joint + "after=" + encodeURIComponent(last));
    source.addEventListener("open", opened);
    source.addEventListener("error", poll);
    for (const kind of KINDS) source.addEventListener(kind, heard);
  }

  // The server's signs of life do not reach a script: a line that was silent for long, or that
  // this machine slept through, may be dead and is made anew.
  function pulse() {
    const now = Date.now();
    const slept = now - pulsedAt > ASLEEP_MS;
    pulsedAt = now;
    if (isHidden()) return;
    const isClosed = source === null || source.readyState === EventSource.CLOSED;
    if (slept || isClosed || now - heardAt > SILENT_MS) listen();
    if (isPolling) tell();
  }

  // Browsers allow six connections to one host: a tab that nobody sees holds none of them.
  function turn() {
    if (isHidden()) {
      hush();
    } else {
      pulsedAt = Date.now();
      listen();
      tellSoon();
    }
  }

  // A refresh that fails says so; the next one that works takes it back.
  for (const kind of ["htmx:sendError", "htmx:responseError"]) {
    body.addEventListener(kind, function (event) {
      say(event.detail.xhr.status === 401 ? "out" : "lost");
    });
  }
  body.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful && isStale()) {
      say(isPolling ? "polling" : "live");
    }
  });
  document.addEventListener("visibilitychange", turn);
  document.addEventListener("resume", turn);
  window.addEventListener("online", turn);
  window.addEventListener("pageshow", function (event) { if (event.persisted) turn(); });
  setInterval(pulse, PULSE_MS);
  if (!isHidden()) listen();
})();
