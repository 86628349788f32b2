/* Shortcuts: ? opens their list, and what is in the list is all there is: each [data-keys] of it is pressed by its keys. */
(function () {
  "use strict";
  var list = document.getElementById("shortcuts");
  if (!list || !list.showModal) return;
  var choice = document.getElementById("shortcuts-on");
  var pressed = "";
  var patience = null;

  /* Letters and signs alone may be switched off, for those whose speech or hands press them by accident. */
  function works() {
    try { return localStorage.getItem("finops-shortcuts") !== "off"; } catch (error) { return true; }
  }

  /* Whether keys are somebody's text or choice: then / is a letter. */
  function types(element) {
    return element.isContentEditable || element.matches("input:not([type=checkbox]), textarea, select");
  }

  function nameOf(event) {
    var key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    return event.ctrlKey || event.metaKey ? "Ctrl+" + key : key;
  }

  function forget() {
    clearTimeout(patience);
    pressed = "";
  }

  /* The key alone, or together with those just before it. */
  function follow(name) {
    var sequences = Array.from(list.querySelectorAll("[data-keys]"));
    var typed = [pressed + name, name].find(function (keys) {
      return sequences.some(function (one) { return (one.dataset.keys + " ").startsWith(keys + " "); });
    });
    forget();
    if (!typed) return null;
    var whole = sequences.find(function (one) { return one.dataset.keys === typed; });
    if (!whole) {
      pressed = typed + " ";
      patience = setTimeout(forget, 1500);
    }
    return whole;
  }

  document.addEventListener("keydown", function (event) {
    if (event.defaultPrevented || event.isComposing || event.altKey || ["Shift", "Control", "Meta"].includes(event.key)) return;
    var alone = !event.ctrlKey && !event.metaKey;
    if (alone && (types(event.target) || !works())) return forget();
    /* A question that waits for its answer stays on top. */
    if (document.querySelector("dialog[open]:not(#shortcuts, #search-window)")) return;
    var found = follow(nameOf(event));
    if (!found) return;
    event.preventDefault();
    list.close();
    found.click();
  });

  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-open-shortcuts]")) { choice.checked = works(); list.showModal(); }
    /* A click beside the window falls on the dialog itself. */
    if (event.target.closest("[data-close-shortcuts], [data-open-search]") || event.target === list) list.close();
  });

  choice.addEventListener("change", function () {
    try { localStorage.setItem("finops-shortcuts", choice.checked ? "on" : "off"); } catch (error) { /* private mode */ }
  });
})();
