"use strict";
// Loads the page anew when something was written, and replaces the parts that show data.
const state = document.getElementById("live");
const pause = document.createElement("button");
let isPaused = false;
let isLoading = false;
let isMissed = false;
let isCutOff = false;
let events = null;
let again = 0;

function show(text) {
  state.textContent = isPaused ? "Updates are paused." : text;
  pause.textContent = isPaused ? "Go on" : "Pause";
}

function replace(region, next) {
  // A part in use stays: replacing it would take the focus, or close what is open.
  if (!next || region.contains(document.activeElement) || region.querySelector("details[open]")) return;
  region.toggleAttribute("data-running", next.hasAttribute("data-running"));
  region.replaceChildren(...next.childNodes);
}

async function load() {
  if (isPaused || document.hidden) return;
  if (isLoading) return void (isMissed = true);
  isLoading = true;
  try {
    const answer = await fetch(location.href);
    if (answer.status >= 500) return show("The server does not answer.");  // what is shown stays
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) replace(region, fresh.getElementById(region.id));
    if (events?.readyState === EventSource.OPEN) show("Updates live.");
  } catch {
    show("The server does not answer.");
  } finally {
    isLoading = false;
    const isStale = isMissed;  // something was written meanwhile
    isMissed = false;
    if (isStale) load();
  }
}

// A browser opens six connections to a server: hidden tabs give theirs back.
function follow() {
  events?.close();
  clearTimeout(again);
  if (document.hidden) return;
  events = new EventSource("/console/live");
  events.addEventListener("open", () => {
    show("Updates live.");
    if (isCutOff) load();  // nobody told what was written meanwhile
    isCutOff = false;
  });
  events.addEventListener("change", load);
  events.addEventListener("error", () => {
    show("The server does not answer.");
    isCutOff = true;
    if (events.readyState !== EventSource.CLOSED) return;
    load();  // if the session has ended this leads to the sign-in
    again = setTimeout(follow, 5000);  // a browser does not try again after an error page
  });
}

if (document.querySelector("[data-live]")) {
  pause.type = "button";
  pause.className = "quiet";
  pause.addEventListener("click", () => { isPaused = !isPaused; show("Updates live."); load(); });
  state.after(pause);
  show("");
  follow();
  document.addEventListener("visibilitychange", () => { follow(); load(); });
  addEventListener("pagehide", () => events?.close());
  // An import says how far it is, which nothing that is written tells.
  setInterval(() => { if (document.querySelector("[data-running]")) load(); }, 2000);
}
