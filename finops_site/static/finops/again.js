/* Nothing is lost: a request that failed can be tried again, what was typed before a new sign-in stands in its form, and a form is sent once. */
(function () {
  "use strict";

  /* One toast at a time; it stays until it is put away, or its request works. */
  function toast(text, label, act) {
    hide();
    var box = document.createElement("div"), words = document.createElement("span");
    box.className = "toast-note";
    box.id = "toast";
    box.setAttribute("role", "alert");
    words.textContent = text;
    box.append(words, button(label, "btn btn-sm btn-primary", act), button(gettext("Dismiss"), "btn btn-sm btn-ghost", hide));
    document.body.append(box);
  }

  function button(label, css, act) {
    var element = document.createElement("button");
    element.type = "button";
    element.className = css;
    element.textContent = label;
    element.addEventListener("click", act);
    return element;
  }

  function hide() {
    var box = document.getElementById("toast");
    if (box) box.remove();
  }

  /* A question that waits for a minute has no answer any more. What is sent may take its time. */
  document.addEventListener("htmx:configRequest", function (event) {
    if (event.detail.verb === "get" && !event.detail.timeout) event.detail.timeout = 60000;
  });

  function failed(text) {
    return function (event) {
      var detail = event.detail;
      /* The filter bar says again what the figures shown are for. */
      document.dispatchEvent(new CustomEvent("finops:follow", { detail: window.location.search }));
      /* What looks by itself every few seconds does so again. */
      if (/every /.test(detail.elt.getAttribute("hx-trigger") || "")) return;
      var status = detail.xhr ? detail.xhr.status : 0;
      if (status >= 400 && status < 500) {
        var why = status === 403 ? gettext("You may not do this, or the page is from before you signed in. Nothing changed.") : gettext("This was refused. Nothing changed.");
        toast(why, gettext("Reload"), function () { window.location.reload(); });
      } else {
        toast(text, gettext("Retry"), function () { hide(); again(detail); });
      }
    };
  }

  function again(detail) {
    var path = detail.pathInfo.finalRequestPath || detail.pathInfo.requestPath, form = detail.elt.closest("form[data-filters]");
    if (form) {
      document.dispatchEvent(new CustomEvent("finops:follow", { detail: path.split("?")[1] || "" }));
      form.dispatchEvent(new Event("change"));
    } else if (document.contains(detail.elt)) {
      window.htmx.ajax(detail.requestConfig.verb, detail.pathInfo.requestPath, { source: detail.elt, target: detail.target });
    } else {
      window.location.reload();
    }
  }

  document.addEventListener("htmx:sendError", failed(gettext("The site could not be reached: is this computer offline? What is shown did not change.")));
  document.addEventListener("htmx:timeout", failed(gettext("There was no answer for a minute. What is shown did not change.")));
  document.addEventListener("htmx:responseError", failed(gettext("Something went wrong on the site. What is shown did not change.")));
  document.addEventListener("htmx:afterRequest", function (event) { if (event.detail.successful) hide(); });

  /* What was typed before a new sign-in: json_script of ui/typed_text.py. Nothing is sent by itself. */
  function typedAgain(waiting) {
    var names = Array.from(new Set(waiting.fields.map(function (pair) { return pair[0]; })));
    var forms = Array.from(document.querySelectorAll("form")).filter(function (form) {
      /* By its attributes: a button may be called "action". */
      var url = new URL(form.getAttribute("action") || "", window.location.href);
      return sendsPost(form) && url.pathname === waiting.action;
    });
    /* Of several with one address the one that has the most of the fields. */
    forms.sort(function (a, b) { return has(b) - has(a); });
    function has(form) { return names.filter(function (name) { return form.elements[name]; }).length; }
    if (!forms.length || !has(forms[0])) return;
    Array.from(forms[0].elements).forEach(function (field) { put(field, waiting.fields); });
    for (var box = forms[0]; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    forms[0].scrollIntoView({ block: "nearest" });
  }

  function sendsPost(form) { return (form.getAttribute("method") || "").toLowerCase() === "post"; }

  function put(field, fields) {
    if (!field.name || field.name === "csrfmiddlewaretoken" || /^(password|file|submit|button)$/.test(field.type)) return;
    var values = fields.filter(function (pair) { return pair[0] === field.name; }).map(function (pair) { return pair[1]; });
    if (field.type === "checkbox" || field.type === "radio") field.checked = values.includes(field.value);
    else if (field instanceof HTMLSelectElement) {
      if (values.length || field.multiple) Array.from(field.options).forEach(function (option) { option.selected = values.includes(option.value); });
      if (field.tomselect) field.tomselect.sync();
    } else if (values.length) field.value = values[0];
    else return;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }

  var typed = document.getElementById("typed-text");
  if (typed) typedAgain(JSON.parse(typed.textContent));

  /* A second click on the button of a form that is on its way sends nothing more; the server knows it too: ui/sent_twice.py. */
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (event.defaultPrevented || !sendsPost(form)) return;
    if (form.dataset.onItsWay) { event.preventDefault(); return; }
    form.dataset.onItsWay = "yes";
    setTimeout(function () { delete form.dataset.onItsWay; }, 8000);
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-on-its-way]").forEach(function (form) { delete form.dataset.onItsWay; });
  });
})();
