// Files of a run go to the server one by one, straight from the disk; then its validation is started.
"use strict";
(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const progress = form.querySelector("progress"), problem = form.querySelector(".problem"), name = form.elements.name, files = form.elements.files;
  function suggestName() {
    if (name.value || !files.files.length) return;
    name.value = files.files[0].name.toLowerCase().replace(/(\.tar)?\.[a-z0-9]+$/, "").replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  }
  files.addEventListener("change", suggestName);
  suggestName();  // a file may have been chosen before this ran
  const sendFile = (address, file, onProgress) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", address);
    request.setRequestHeader("x-faultset-token", document.body.dataset.token ?? "");
    request.setRequestHeader("accept", "application/json");
    request.upload.addEventListener("progress", event => onProgress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) { resolve(); return; }
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* no words */ }
      reject(new Error([told.detail, told.remedy].filter(Boolean).join(" ") || `${file.name}: the server answered ${request.status}.`));
    });
    request.addEventListener("error", () => reject(new Error(`${file.name} did not arrive: is Airflow's API server up? Upload again.`)));
    request.send(file);
  });
  form.addEventListener("submit", async event => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    problem.hidden = true;
    progress.hidden = false;
    try {
      const {upload} = await Faultset.send(form.action, new URLSearchParams({name: name.value}));
      const all = [...files.files], total = all.reduce((sum, file) => sum + file.size, 0) || 1;
      let done = 0;
      for (const file of all) {
        Faultset.say(`Uploading ${file.name} …`);
        await sendFile(`${form.action}/${upload}?file=${encodeURIComponent(file.name)}`, file, sent => { progress.value = (done + sent) / total; });
        done += file.size;
      }
      const told = await Faultset.send(`${form.action}/${upload}/finish`, new URLSearchParams({name: name.value}));
      location.assign(told.next);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      problem.focus();
      button.disabled = false;
      progress.hidden = true;
      Faultset.say("");
    }
  });
})();
