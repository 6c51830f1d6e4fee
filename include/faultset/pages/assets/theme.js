// Light or dark as Airflow has it (the page around this one, or what it stored), else as the system has it.
"use strict";
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const around = () => {
    try {
      const outer = window.parent !== window ? window.parent.document.documentElement : null;
      if (outer && outer.classList.contains("dark")) return "dark";
      if (outer && outer.classList.contains("light")) return "light";
      const stored = localStorage.getItem("theme");
      if (stored === "dark" || stored === "light") return stored;
    } catch { /* shown elsewhere */ }
    return system.matches ? "dark" : "light";
  };
  const follow = () => {
    const theme = around();
    if (root.dataset.theme !== theme) {
      root.dataset.theme = theme;
      document.dispatchEvent(new Event("faultset:theme"));
    }
  };
  follow();
  system.addEventListener("change", follow);
  addEventListener("storage", follow);
  try {
    if (window.parent !== window) {
      new MutationObserver(follow).observe(window.parent.document.documentElement, {attributeFilter: ["class"]});
      root.dataset.framed = "";
    }
  } catch { /* shown elsewhere */ }
})();
