/* What every page does: asks before what cannot be undone, keeps addresses short, makes long choices searchable. */
(function () {
  "use strict";

  /* Notices can be put away. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-dismiss]");
    if (button) button.closest(".notice").remove();
  });

  /* The demo people of the sign-in page fill in their address. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-fill]");
    if (!button) return;
    document.getElementById(button.dataset.fill).value = button.dataset.value;
    var password = document.querySelector("input[type=password]");
    if (password) password.focus();
  });

  /* "Are you sure": form[data-confirm], button[data-confirm] and a[data-confirm]. */
  var asking = null;

  function ask(element) {
    var dialog = document.getElementById("confirm");
    dialog.querySelector("#confirm-title").textContent = element.dataset.confirmTitle || "Are you sure?";
    dialog.querySelector("#confirm-text").textContent = element.dataset.confirm;
    var yes = dialog.querySelector("#confirm-yes");
    yes.textContent = element.dataset.confirmLabel || "Continue";
    yes.classList.toggle("btn-danger", element.hasAttribute("data-danger"));
    yes.classList.toggle("btn-primary", !element.hasAttribute("data-danger"));
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise(function (resolve) {
      dialog.addEventListener("close", function () { resolve(dialog.returnValue === "yes"); }, { once: true });
    });
  }

  document.addEventListener("submit", function (event) {
    var asker = event.submitter && event.submitter.hasAttribute("data-confirm") ? event.submitter : event.target;
    if (!asker.hasAttribute("data-confirm") || asking === event.target) { asking = null; return; }
    event.preventDefault();
    event.stopPropagation();
    ask(asker).then(function (yes) {
      if (!yes) return;
      asking = event.target;
      event.target.requestSubmit(event.submitter);
    });
  }, true);

  document.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-confirm]");
    if (!link) return;
    event.preventDefault();
    ask(link).then(function (yes) { if (yes) window.location.assign(link.href); });
  });

  document.addEventListener("htmx:confirm", function (event) {
    var element = event.target;
    if (!element.hasAttribute("data-confirm") || element.matches("form")) return;
    event.preventDefault();
    ask(element).then(function (yes) { if (yes) event.detail.issueRequest(true); });
  });

  /* input[data-pick-all="name"] ticks every box of that name in its form. */
  document.addEventListener("change", function (event) {
    var name = event.target.dataset && event.target.dataset.pickAll;
    if (!name) return;
    event.target.form.querySelectorAll('input[type="checkbox"][name="' + name + '"]').forEach(function (box) {
      box.checked = event.target.checked;
    });
  });

  /* Filters: nothing empty in the address. */
  document.addEventListener("htmx:configRequest", function (event) {
    if (!event.detail.elt.closest("[data-filters]")) return;
    var given = event.detail.formData;
    Array.from(given.keys()).forEach(function (name) {
      var values = given.getAll(name).filter(function (value) { return value !== ""; });
      given.delete(name);
      values.forEach(function (value) { given.append(name, value); });
    });
    given.delete("sort");
    var sort = new URLSearchParams(window.location.search).get("sort");
    if (sort) given.set("sort", sort);
    if (new URLSearchParams(given).toString() === shown()) event.preventDefault();
  });

  /* The state the list shows now, as the form would send it. */
  function shown() {
    var now = new URLSearchParams(window.location.search);
    ["page", "after", "before"].forEach(function (name) { now.delete(name); });
    return now.toString();
  }

  /* While somebody types, the list follows after a breath. */
  var breath = null;
  document.addEventListener("input", function (event) {
    var form = event.target.closest("form[data-filters]");
    if (!form || event.target.type !== "search") return;
    clearTimeout(breath);
    breath = setTimeout(function () { form.dispatchEvent(new Event("change")); }, 400);
  });

  /* Chips, sorting and paging are links: the filter bar follows the address they lead to. */
  function followAddress() {
    document.querySelectorAll("form[data-filters]").forEach(function (form) {
      var wanted = new URLSearchParams(window.location.search);
      Array.from(form.elements).forEach(function (field) {
        if (!field.name || field === document.activeElement) return;
        var values = wanted.getAll(field.name);
        if (field instanceof HTMLSelectElement) {
          Array.from(field.options).forEach(function (option, place) {
            var first = !field.multiple && !values.length && place === 0;
            option.selected = first || values.includes(option.value);
          });
        } else if (field.type === "checkbox" || field.type === "radio") {
          field.checked = values.includes(field.value);
        } else if (field.type !== "hidden") {
          field.value = values[0] || "";
        }
      });
      form.querySelectorAll("select[data-pick]").forEach(function (select) {
        select.dispatchEvent(new Event("finops:refresh"));
      });
    });
  }

  document.addEventListener("htmx:pushedIntoHistory", followAddress);

  document.addEventListener("htmx:beforeRequest", function () { busy(true); });
  document.addEventListener("htmx:afterRequest", function (event) {
    busy(false);
    if (event.detail.failed) announce("That did not work. Try again.");
  });
  document.addEventListener("htmx:afterSettle", function (event) {
    var told = event.target.querySelector("[data-announce]");
    if (told) announce(told.textContent.trim());
  });

  function busy(is) {
    var list = document.getElementById("list");
    if (list) list.setAttribute("aria-busy", String(is));
  }

  function announce(text) {
    var place = document.getElementById("announcer");
    if (place) place.textContent = text;
  }

  /* select[multiple][data-pick]: a button that opens a searchable list of check boxes. The select stays the truth. */
  var SHOWN = 200;

  function pick(select) {
    if (select.dataset.picked) return;
    select.dataset.picked = "yes";
    var label = document.querySelector('label[for="' + select.id + '"]');
    var words = label ? label.textContent.trim() : select.name;
    var box = build("div", "pick");
    var button = build("button", "form-select pick-button", { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false" });
    var panel = build("div", "pick-panel", { role: "dialog", "aria-label": words });
    var search = build("input", "form-control", { type: "search", placeholder: "Search", "aria-label": "Search " + words, autocomplete: "off" });
    var list = build("div", "pick-list", { role: "group", "aria-label": words });
    var foot = build("div", "pick-foot");
    var count = build("span", "pick-count", { role: "status" });
    var clear = build("button", "btn btn-sm btn-ghost", { type: "button" });
    clear.textContent = "Clear";
    foot.append(count, clear);
    panel.append(search, list, foot);
    panel.hidden = true;
    select.before(box);
    box.append(button, panel, select);
    select.classList.add("visually-hidden");
    select.tabIndex = -1;
    select.setAttribute("aria-hidden", "true");
    if (label) { label.id = label.id || select.id + "-label"; button.id = select.id + "-button"; label.htmlFor = button.id; }
    if (select.options.length < 8) search.classList.add("visually-hidden");

    function face() {
      var chosen = Array.from(select.selectedOptions);
      button.textContent = !chosen.length ? "Any" : chosen.length === 1 ? chosen[0].text : chosen.length + " chosen";
      button.classList.toggle("has-value", chosen.length > 0);
      button.setAttribute("aria-label", words + ": " + (chosen.map(function (one) { return one.text; }).join(", ") || "any"));
      clear.hidden = !chosen.length;
    }

    function draw() {
      var asked = search.value.trim().toLowerCase();
      var found = Array.from(select.options).filter(function (option) {
        return option.value !== "" && option.text.toLowerCase().includes(asked);
      });
      list.replaceChildren.apply(list, found.slice(0, SHOWN).map(row));
      count.textContent = !found.length ? "No match" : found.length > SHOWN ? "First " + SHOWN + " of " + found.length : found.length + " to choose from";
    }

    function row(option) {
      var line = build("label", "pick-row");
      var check = build("input", "form-check-input", { type: "checkbox" });
      check.checked = option.selected;
      check.option = option;
      check.addEventListener("change", function (event) {
        event.stopPropagation();
        option.selected = check.checked;
        changed();
      });
      var text = build("span", "");
      text.textContent = option.text;
      line.append(check, text);
      return line;
    }

    function changed() {
      face();
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }

    function open() {
      panel.hidden = false;
      button.setAttribute("aria-expanded", "true");
      search.value = "";
      draw();
      panel.classList.toggle("to-left", panel.getBoundingClientRect().right > document.documentElement.clientWidth - 8);
      (select.options.length < 8 ? list.querySelector("input") || search : search).focus();
    }

    function close(refocus) {
      if (panel.hidden) return;
      panel.hidden = true;
      button.setAttribute("aria-expanded", "false");
      if (refocus) button.focus();
    }

    button.addEventListener("click", function () { if (panel.hidden) open(); else close(true); });
    search.addEventListener("input", function (event) { event.stopPropagation(); draw(); });
    search.addEventListener("change", function (event) { event.stopPropagation(); });
    clear.addEventListener("click", function () {
      Array.from(select.options).forEach(function (option) { option.selected = false; });
      draw();
      changed();
      search.focus();
    });
    box.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && !panel.hidden) { event.stopPropagation(); close(true); }
      if (event.key === "Enter" && event.target === search) event.preventDefault();
      if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event);
    });
    box.addEventListener("focusout", function (event) { if (event.relatedTarget && !box.contains(event.relatedTarget)) close(false); });
    document.addEventListener("click", function (event) { if (!box.contains(event.target)) close(false); });
    select.addEventListener("finops:refresh", function () {
      face();
      list.querySelectorAll("input").forEach(function (check) { check.checked = check.option.selected; });
    });

    function move(event) {
      if (panel.hidden) { if (event.target === button) { event.preventDefault(); open(); } return; }
      var stops = [search].concat(Array.from(list.querySelectorAll("input")));
      var next = stops[stops.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    }

    face();
  }

  function build(tag, css, attributes) {
    var element = document.createElement(tag);
    element.className = css;
    Object.entries(attributes || {}).forEach(function (pair) { element.setAttribute(pair[0], pair[1]); });
    return element;
  }

  /* Forms sent without htmx: empty fields stay out of the address too. */
  function shorten(form) {
    form.addEventListener("formdata", function (event) {
      Array.from(event.formData.keys()).forEach(function (name) {
        var values = event.formData.getAll(name).filter(function (value) { return value !== ""; });
        event.formData.delete(name);
        values.forEach(function (value) { event.formData.append(name, value); });
      });
    });
  }

  /* A table that fits its box needs no scrolling box: see .fits in the css. */
  var widths = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) {
      var box = entry.target;
      box.classList.remove("fits");
      var fits = box.scrollWidth <= box.clientWidth;
      box.classList.toggle("fits", fits);
      if (fits) box.removeAttribute("tabindex"); else box.tabIndex = 0;
    });
  });

  function begin(root) {
    root.querySelectorAll(".table-wrap").forEach(function (box) { widths.observe(box); });
    root.querySelectorAll("select[data-pick]").forEach(pick);
    root.querySelectorAll("form[data-filters]").forEach(shorten);
    root.querySelectorAll("[data-autosubmit]").forEach(function (field) {
      field.addEventListener("change", function () { (field.form || field).requestSubmit(); });
    });
  }

  /* Groups of the sidebar stay as somebody left them; the one she is in is open. */
  function remembered(details) {
    var key = "finops-" + details.dataset.remember;
    try {
      var left = localStorage.getItem(key);
      if (left && !details.querySelector("[aria-current]")) details.open = left === "open";
    } catch (error) { return; }
    details.querySelector("summary").addEventListener("click", function () {
      try { localStorage.setItem(key, details.open ? "closed" : "open"); } catch (error) { /* private mode */ }
    });
  }

  document.querySelectorAll("details[data-remember]").forEach(remembered);
  begin(document);
  document.addEventListener("htmx:load", function (event) { if (event.target !== document.body) begin(event.target); });
})();
