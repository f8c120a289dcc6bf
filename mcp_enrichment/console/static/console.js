"use strict";
// Loads the page anew when something was written, and replaces the parts that show data.
const state = document.getElementById("live");
const pause = document.createElement("button");
let isPaused = false;
let isLoading = false;
let events = null;

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
  if (isPaused || isLoading || document.hidden) return;
  isLoading = true;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) replace(region, fresh.getElementById(region.id));
  } catch {
    show("The server does not answer.");
  } finally {
    isLoading = false;
  }
}

// A browser opens six connections to a server: hidden tabs give theirs back.
function follow() {
  events?.close();
  if (document.hidden) return;
  events = new EventSource("/console/live");
  events.addEventListener("open", () => show("Updates live."));
  events.addEventListener("change", load);
  events.addEventListener("error", () => {
    show("The server does not answer.");
    if (events.readyState === EventSource.CLOSED) load();  // the session has ended: it leads to the sign-in
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
