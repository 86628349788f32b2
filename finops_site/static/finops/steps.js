/* Steps of a provider: [data-steps-for="s3"] is shown for the kind that is chosen, and what is typed into a field stands in
   [data-fill="bucket"], or the text of its data-empty while nothing is typed. Without this file all steps are shown. */
(function () {
  "use strict";

  var steps = document.querySelectorAll("[data-steps-for]");
  if (!steps.length) return;
  var form = document.querySelector("form.card-form");

  function follow() {
    steps.forEach(function (part) {
      part.hidden = part.dataset.stepsFor !== form.elements.kind.value;
    });
    document.querySelectorAll("[data-fill]").forEach(function (place) {
      var field = form.elements[place.dataset.fill];
      if (field) place.textContent = field.value || place.dataset.empty || "";
    });
  }

  form.addEventListener("input", follow);
  form.addEventListener("change", follow);
  follow();
})();
