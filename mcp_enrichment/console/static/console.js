"use strict";
// Loads the page anew when something was written, and replaces the parts that show data.
const state = document.getElementById("live");
const pause = document.createElement("button");
let isPaused = false;
let isLoading = false;

function show() {
  state.textContent = isPaused ? "Updates are paused." : "Updates live.";
  pause.textContent = isPaused ? "Go on" : "Pause";
}

async function load() {
  if (isPaused || isLoading || document.hidden) return;
  isLoading = true;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(region.id);
      // A part in use stays: replacing it would take the focus, or close what is open.
      const inUse = region.contains(document.activeElement) || region.querySelector("details[open]");
      if (!next || inUse) continue;
      region.toggleAttribute("data-running", next.hasAttribute("data-running"));
      region.replaceChildren(...next.childNodes);
    }
  } catch {
    state.textContent = "The server does not answer.";
  } finally {
    isLoading = false;
  }
}

if (document.querySelector("[data-live]")) {
  pause.type = "button";
  pause.className = "quiet";
  pause.addEventListener("click", () => { isPaused = !isPaused; show(); load(); });
  state.after(pause);
  show();
  const events = new EventSource("/console/live");
  events.addEventListener("change", load);
  events.addEventListener("open", show);
  events.addEventListener("error", () => { state.textContent = "The server does not answer."; });
  document.addEventListener("visibilitychange", load);
  addEventListener("pagehide", () => events.close());
}

// An import tells how far it is without writing anything.
setInterval(() => { if (document.querySelector("[data-running]")) load(); }, 2000);
