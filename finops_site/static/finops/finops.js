/* What every page does: asks before what cannot be undone, keeps addresses short, makes long choices searchable. */
(function () {
  "use strict";

  /* Notices can be put away. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-dismiss]");
    if (button) button.closest(".notice").remove();
  });

  /* data-fill="id" data-value="text": a button or link that fills a field, as the demo people of the sign-in page do. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-fill]");
    var field = button && document.getElementById(button.dataset.fill);
    if (!field) return;
    event.preventDefault();
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    var password = document.querySelector("input[type=password]");
    (password || field).focus();
  });

  /* "Are you sure": form[data-confirm], button[data-confirm] and a[data-confirm]. */
  var asking = null;

  function ask(element) {
    var dialog = document.getElementById("confirm");
    dialog.querySelector("#confirm-title").textContent = element.dataset.confirmTitle || gettext("Are you sure?");
    dialog.querySelector("#confirm-text").textContent = element.dataset.confirm;
    var yes = dialog.querySelector("#confirm-yes");
    yes.textContent = element.dataset.confirmLabel || gettext("Continue");
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

  /* On a phone the rest of a row unfolds. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest(".row-more");
    if (button) button.setAttribute("aria-expanded", String(button.closest("tr").classList.toggle("open")));
  });

  /* input[data-pick-all="name"] ticks every box of that name in its form. */
  document.addEventListener("change", function (event) {
    var name = event.target.dataset && event.target.dataset.pickAll;
    if (!name) return;
    event.target.form.querySelectorAll('input[type="checkbox"][name="' + name + '"]').forEach(function (box) {
      box.checked = event.target.checked;
    });
  });

  /* Nothing empty stands in an address, but for a tag: there it asks for what lacks it. */
  function asks(name, value) { return value !== "" || name.startsWith("tag:"); }

  /* Filters: nothing empty in the address. */
  document.addEventListener("htmx:configRequest", function (event) {
    if (!event.detail.elt.closest("[data-filters]")) return;
    var given = event.detail.formData;
    Array.from(given.keys()).forEach(function (name) {
      var values = given.getAll(name).filter(function (value) { return asks(name, value); });
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
  function followAddress() { follow(window.location.search, document.activeElement); }

  function follow(search, typing) {
    document.querySelectorAll("form[data-filters]").forEach(function (form) {
      var wanted = new URLSearchParams(search);
      Array.from(form.elements).forEach(function (field) {
        if (!field.name || field === typing) return;
        var values = wanted.getAll(field.name);
        if (field instanceof HTMLSelectElement) {
          Array.from(field.options).forEach(function (option, place) {
            var first = !field.multiple && !values.length && place === 0;
            option.selected = first || values.includes(option.value);
          });
        } else if (field.type === "checkbox" || field.type === "radio") {
          field.checked = values.includes(field.value);
        } else if (field.type !== "hidden") {
          field.value = field.type === "date" ? wholeDay(values[0] || "", field.dataset.edge) : values[0] || "";
        }
      });
      form.querySelectorAll("select[multiple]").forEach(function (select) { if (select.tomselect) select.tomselect.sync(); });
    });
  }

  /* A month of the address, 2025-11, as the day that a calendar shows: its first, or its last. */
  function wholeDay(text, edge) {
    if (!/^\d{4}-\d{2}$/.test(text)) return text;
    var parts = text.split("-").map(Number);
    return text + "-" + String(edge === "last" ? new Date(Date.UTC(parts[0], parts[1], 0)).getUTCDate() : 1).padStart(2, "0");
  }

  /* [data-clears="from to"]: either this is asked or those. Before htmx hears of the change. */
  document.addEventListener("change", function (event) {
    var names = event.target.dataset && event.target.dataset.clears;
    if (!names || !event.target.form || !event.target.value) return;
    names.split(" ").forEach(function (name) {
      var other = event.target.form.elements[name];
      if (other) other.value = "";
    });
  }, true);

  document.addEventListener("htmx:pushedIntoHistory", followAddress);
  /* A question that failed (again.js): the bar says what the figures shown are for. */
  document.addEventListener("finops:follow", function (event) { follow(event.detail, null); });

  document.addEventListener("htmx:beforeRequest", function () { busy(true); });
  document.addEventListener("htmx:afterRequest", function () { busy(false); });
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

  /* select[multiple] becomes Tom Select: searchable, its list made of check boxes. The select stays the truth. */
  function pick(select) {
    if (select.tomselect) return;
    var picker = new TomSelect(select, {
      plugins: ["dropdown_input", "checkbox_options", "remove_button"],
      placeholder: gettext("Any"), hidePlaceholder: true, allowEmptyOption: false, maxOptions: 200, hideSelected: false, closeAfterSelect: false, refreshThrottle: 0
    });
    picker.control_input.placeholder = gettext("Search");
    select.setAttribute("aria-hidden", "true");
    /* The search box is no field of the form: what is typed into it changes no filter. */
    [picker.wrapper, picker.dropdown].forEach(function (part) {
      ["change", "input"].forEach(function (name) { part.addEventListener(name, function (event) { event.stopPropagation(); }); });
    });
  }

  /* Forms sent without htmx: empty fields stay out of the address too. */
  function shorten(form) {
    form.addEventListener("formdata", function (event) {
      Array.from(event.formData.keys()).forEach(function (name) {
        var values = event.formData.getAll(name).filter(function (value) { return asks(name, value); });
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
    root.querySelectorAll("select[multiple]").forEach(pick);
    root.querySelectorAll("form[data-filters]").forEach(shorten);
    root.querySelectorAll("[data-autosubmit]").forEach(function (field) {
      field.addEventListener("change", function () { (field.form || field).requestSubmit(); });
    });
  }

  /* Sidebar and tabs scroll by themselves to where somebody is; the page stays where it is. */
  document.querySelectorAll("[data-center-current]").forEach(function (box) {
    var current = box.querySelector("[aria-current]");
    if (!current) return;
    var inner = current.getBoundingClientRect();
    var outer = box.getBoundingClientRect();
    box.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
    if (inner.bottom > outer.bottom) box.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
  });

  begin(document);
  document.addEventListener("htmx:load", function (event) { if (event.target !== document.body) begin(event.target); });
})();
