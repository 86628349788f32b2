/* button[data-copy="#id"]: puts the text of an element on the clipboard and says so. */
document.addEventListener("click", function (event) {
  var button = event.target.closest("[data-copy]");
  if (!button) return;
  var source = document.querySelector(button.getAttribute("data-copy"));
  var word = button.querySelector("[data-copy-word]");
  navigator.clipboard.writeText(source.textContent).then(
    function () { word.textContent = gettext("Copied"); },
    function () { word.textContent = gettext("Select and copy it"); }
  );
});
