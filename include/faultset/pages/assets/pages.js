// What every page needs: changes are sent with the page's token, and what became of them is said.
"use strict";
const Faultset = (() => {
  const body = document.body;
  const base = body.dataset.base ?? "";

  function say(text) {
    const place = document.getElementById("said");
    place.textContent = text;
    clearTimeout(say.later);
    say.later = setTimeout(() => { place.textContent = ""; }, 12000);
  }

  async function answered(response) {
    const told = await response.json().catch(() => ({}));
    if (!response.ok) {
      if (response.status === 401) throw new Error("Your login has ended: log in to Airflow again, then repeat it.");
      throw new Error([told.detail, told.remedy].filter(text => typeof text === "string").join(" ") || `The server answered ${response.status}.`);
    }
    return told;
  }

  // Sends a change; returns what the server said, or throws an error with a sentence for people.
  async function send(address, content, options = {}) {
    const headers = {"x-faultset-token": body.dataset.token ?? "", "accept": "application/json", ...options.headers};
    let response;
    try {
      response = await fetch(address, {method: "POST", ...options, headers, body: content});
    } catch {
      throw new Error("The server cannot be reached: is Airflow's API server up? Then repeat it.");
    }
    return answered(response);
  }

  async function ask(address, signal) {
    let response;
    try {
      response = await fetch(address, {headers: {accept: "application/json"}, signal});
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server cannot be reached: is Airflow's API server up?");
    }
    return answered(response);
  }

  // A form of class "act" is sent in the background; then the page that the answer names is opened.
  document.addEventListener("submit", async event => {
    const form = event.target;
    if (!form.classList.contains("act")) return;
    event.preventDefault();
    const content = new URLSearchParams(new FormData(form, event.submitter));
    const buttons = [...form.querySelectorAll("button")];
    const problem = form.querySelector(".problem");
    buttons.forEach(button => { button.disabled = true; });
    if (problem) problem.hidden = true;
    say(form.dataset.busy ?? "Working …");
    try {
      const told = await send(form.action, content);
      say(told.said ?? "Done.");
      if (told.next) { location.assign(told.next); return; }
      buttons.forEach(button => { button.disabled = false; });
      if (problem && told.intact === false) { problem.textContent = told.said; problem.hidden = false; }
    } catch (error) {
      say("");
      if (problem) { problem.textContent = error.message; problem.hidden = false; problem.focus(); } else say(error.message);
      buttons.forEach(button => { button.disabled = false; });
    }
  });

  // An element with data-progress asks again and again until there is an end, then opens the page that is named.
  for (const place of document.querySelectorAll("[data-progress]")) {
    const look = async () => {
      try {
        const told = await ask(place.dataset.progress);
        if (place.textContent !== told.said) place.textContent = told.said;
        if (told.next) { location.assign(told.next); return; }
        if (told.over) { place.closest("[aria-busy]")?.setAttribute("aria-busy", "false"); return; }
      } catch (error) { place.textContent = error.message; }
      setTimeout(look, 1500);
    };
    look();
  }

  // Chosen pictures replace the one that is shown large.
  for (const link of document.querySelectorAll("a[data-picture]")) {
    link.addEventListener("click", event => {
      event.preventDefault();
      const shown = document.getElementById("picture");
      shown.src = link.href;
      shown.alt = link.dataset.picture;
      document.querySelectorAll("a[data-picture]").forEach(other => other.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
    });
  }
  return {base, say, send, ask};
})();
