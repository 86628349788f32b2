/* Fields that only some choices of another field need: data-needed-for="s3 gcs" data-needed-by="kind" on the control.
   data-label-s3="Bucket" says what it is called then. Without this file every field is shown. */
(function () {
  "use strict";

  document.querySelectorAll("[data-needed-by]").forEach(function (control) {
    var choice = control.form.elements[control.dataset.neededBy];
    var field = control.closest(".field");
    var label = field.querySelector(".form-label, .form-check-label");

    function follow() {
      field.hidden = !control.dataset.neededFor.split(" ").includes(choice.value);
      var name = control.getAttribute("data-label-" + choice.value);
      if (name) label.firstChild.textContent = name + " ";
    }

    choice.addEventListener("change", follow);
    follow();
  });
})();
