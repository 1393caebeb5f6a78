// Keeps the counts of the page current: by events where they arrive, by polling where they do not.
"use strict";

(function () {
  const KINDS = ["in_progress", "submitted", "grading", "graded", "released"];
  const POLL_MS = 5000;
  const state = document.getElementById("state");
  const table = document.getElementById("badges");
  const body = table.tBodies[0];
  const template = document.getElementById("row");
  let source = null;
  let polling = null;
  let polls = 0;

  function say(name, text) {
    if (state.dataset.state !== name) {
      state.dataset.state = name;
      state.textContent = text;
    }
  }

  function key(course, assignment) {
    return JSON.stringify([course, assignment]);
  }

  const rows = new Map();
  for (const row of body.rows) {
    rows.set(key(row.dataset.course, row.dataset.assignment), row);
  }

  function newRow(course, assignment) {
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.course = course;
    row.dataset.assignment = assignment;
    row.querySelector(".course").textContent = course;
    row.querySelector(".assignment").textContent = assignment;
    return row;
  }

  function rowOf(course, assignment) {
    const wanted = key(course, assignment);
    if (!rows.has(wanted)) {
      const row = newRow(course, assignment);
      const after = Array.from(body.rows).find(function (one) {
        const other = one.dataset;
        return other.course > course || (other.course === course && other.assignment > assignment);
      });
      body.insertBefore(row, after || null);
      rows.set(wanted, row);
      table.hidden = false;
      document.getElementById("empty").hidden = true;
    }
    return rows.get(wanted);
  }

  function show(course, assignment, badges) {
    const row = rowOf(course, assignment);
    for (const kind of KINDS) {
      const badge = row.querySelector('[data-count="' + kind + '"]');
      badge.textContent = badges[kind];
      badge.dataset.value = badges[kind];
    }
    const done = badges.graded + badges.released;
    const bar = row.querySelector("progress");
    bar.max = Math.max(1, done + badges.submitted);
    bar.value = done;
  }

  async function poll() {
    const round = ++polls;
    let after = null;
    try {
      do {
        const query = after === null ? "" : "&after=" + encodeURIComponent(after);
        const answer = await fetch("api/courses?limit=100" + query);
        if (!answer.ok) throw new Error(String(answer.status));
        const page = await answer.json();
        if (round !== polls) return; // a newer round, or the stream, knows better by now
        for (const course of page.courses) {
          for (const one of course.assignments) show(course.course, one.assignment, one.badges);
        }
        after = page.next;
      } while (after !== null);
      if (polling !== null) say("polling", "Updated every few seconds");
    } catch (error) {
      if (polling !== null) say("lost", "No answer from gradeq; these counts may be old");
    }
  }

  function startPolling() {
    if (polling === null) {
      polling = setInterval(function () {
        if (window.EventSource && source.readyState === EventSource.CLOSED) listen();
        poll();
      }, POLL_MS);
      poll();
    }
  }

  function stopPolling() {
    clearInterval(polling);
    polling = null;
    polls += 1;
  }

  let last = document.body.dataset.after;

  function listen() {
    source = new EventSource("api/events?after=" + encodeURIComponent(last));
    source.addEventListener("open", function () {
      stopPolling();
      say("live", "Live");
    });
    source.addEventListener("badges", function (event) {
      if (event.lastEventId) last = event.lastEventId;
      const told = JSON.parse(event.data);
      show(told.course, told.assignment, told);
    });
    source.addEventListener("gap", poll);
    source.addEventListener("error", startPolling);
  }

  if (window.EventSource) {
    listen();
  } else {
    startPolling();
  }
})();
