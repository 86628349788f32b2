/* The search window: opened by its button or by shortcuts (shortcuts.js); arrows walk through what was found. */
(function () {
  "use strict";
  var overlay = document.getElementById("search-window");
  if (!overlay || !overlay.showModal) return;
  var text = document.getElementById("search-text");

  function open() {
    if (!overlay.open) overlay.showModal();
    text.select();
  }

  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-open-search]")) { event.preventDefault(); open(); }
    /* A click beside the window falls on the dialog itself. */
    if (event.target.closest("[data-close-search]") || event.target === overlay) overlay.close();
  });

  overlay.addEventListener("keydown", function (event) {
    var hits = Array.from(overlay.querySelectorAll(".search-hit"));
    var here = hits.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      var next = here + (event.key === "ArrowDown" ? 1 : -1);
      (hits[next] || (next < 0 ? text : document.activeElement)).focus();
    } else if (event.key === "Enter" && document.activeElement === text && hits.length) {
      event.preventDefault();
      hits[0].click();
    }
  });
})();
