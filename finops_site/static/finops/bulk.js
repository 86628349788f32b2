/* Rows that are ticked: how many, and their money, exact to the last digit; the bar stays in sight while there are some. */
(function () {
  "use strict";
  var SCALE = 18;

  /* Decimal text as a whole number of the smallest digit: no money goes through a float. */
  function units(text) {
    var parts = text.replace("-", "").split(".");
    var whole = BigInt(parts[0] + (parts[1] || "").padEnd(SCALE, "0").slice(0, SCALE));
    return text.startsWith("-") ? -whole : whole;
  }

  function words(sum, currency) {
    var cent = BigInt(10) ** BigInt(SCALE - 2), minus = sum < 0 ? "-" : "";
    var cents = ((sum < 0 ? -sum : sum) + cent / BigInt(2)) / cent;
    var whole = (cents / BigInt(100)).toString().replace(/\B(?=(\d{3})+$)/g, ",");
    return marks.write(minus + whole + "." + (cents % BigInt(100)).toString().padStart(2, "0")) + " " + currency;
  }

  function count(form) {
    var place = form.querySelector("[data-bulk-count]");
    if (!place) return;
    var every = form.querySelector("[data-pick-everything]");
    var boxes = Array.from(form.querySelectorAll('input[name="pick"]')), sums = {};
    var ticked = boxes.filter(function (box) { return box.checked; });
    ticked.forEach(function (box) {
      if (box.dataset.amount) sums[box.dataset.currency] = (sums[box.dataset.currency] || BigInt(0)) + units(box.dataset.amount);
    });
    var money = Object.keys(sums).sort().map(function (code) { return words(sums[code], code); }).join(", ");
    var said = ticked.length ? ngettext("{count} ticked", "{count} ticked", ticked.length).replace("{count}", ticked.length) + (money ? ", " + money : "") : gettext("Nothing ticked");
    if (every && every.checked) said = every.dataset.pickEverything;
    if (place.textContent !== said) place.textContent = said;
    var page = form.querySelector("[data-pick-all]");
    page.checked = ticked.length > 0 && ticked.length === boxes.length;
    page.indeterminate = ticked.length > 0 && ticked.length < boxes.length;
    form.querySelector(".bulk-bar").classList.toggle("busy", ticked.length > 0 || Boolean(every && every.checked));
  }

  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (form && form.querySelector(".bulk-bar")) count(form);
  });
  document.addEventListener("htmx:afterSettle", function () {
    document.querySelectorAll(".bulk-bar").forEach(function (bar) { count(bar.closest("form")); });
  });
  /* Of the forms in the bar one is open at a time. */
  document.addEventListener("toggle", function (event) {
    if (!event.target.matches || !event.target.matches(".bulk-action") || !event.target.open) return;
    event.target.parentElement.querySelectorAll(".bulk-action[open]").forEach(function (other) {
      if (other !== event.target) other.open = false;
    });
  }, true);
  /* Enter in a field of the bar presses the button beside it, not the first one of the bar. */
  document.addEventListener("keydown", function (event) {
    var box = event.target.closest(".bulk-action");
    if (event.key === "Escape" && box) { box.open = false; box.querySelector("summary").focus(); }
    if (event.key !== "Enter" || !box || !event.target.matches("input")) return;
    event.preventDefault();
    box.querySelector("button[type=submit]").click();
  });
})();
