/* Loaded before the first paint: sets light or dark so that nothing flashes. "auto" follows the system. */
(function () {
  "use strict";
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try { return localStorage.getItem("finops-theme") || "auto"; } catch (error) { return "auto"; }
  }

  function apply() {
    var chosen = choice();
    var dark = chosen === "dark" || (chosen === "auto" && system.matches);
    root.setAttribute("data-bs-theme", dark ? "dark" : "light");
    document.querySelectorAll("[data-theme-choice]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
    });
    document.dispatchEvent(new CustomEvent("finops:theme"));
  }

  root.classList.add("js");
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try { localStorage.setItem("finops-theme", button.dataset.themeChoice); } catch (error) { /* private mode */ }
    apply();
  });
})();
