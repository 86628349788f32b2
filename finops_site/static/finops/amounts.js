/* The grid of amounts: arrow keys move, a block of cells is pasted, sums follow. It works without this file too. */
(function () {
  "use strict";

  var grid = document.querySelector(".amounts-grid");
  if (!grid) return;
  var rows = Array.from(grid.querySelectorAll("tr[data-row]"));

  /* The cells of a row by their months; a month that the budget does not count has none. */
  function cells(row) {
    return Array.from(row.querySelectorAll("td")).slice(0, -1).map(function (cell) { return cell.querySelector("input"); });
  }

  function place(input) {
    var row = input.closest("tr");
    return { row: rows.indexOf(row), column: cells(row).indexOf(input) };
  }

  /* The next cell in a direction, past those that a budget does not have. */
  function next(from, down, right) {
    var row = from.row + down, column = from.column + right;
    while (rows[row] && column >= 0 && column < 12) {
      var input = cells(rows[row])[column];
      if (input) return input;
      row += down;
      column += right;
    }
    return null;
  }

  var KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  grid.addEventListener("keydown", function (event) {
    var way = KEYS[event.key], input = event.target;
    if (!way || !input.matches(".grid-cell") || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    var all = input.selectionStart === 0 && input.selectionEnd === input.value.length;
    if (event.key === "ArrowLeft" && !all && input.selectionStart > 0) return;
    if (event.key === "ArrowRight" && !all && input.selectionEnd < input.value.length) return;
    var other = next(place(input), way[0], way[1]);
    event.preventDefault();
    if (!other) return;
    other.focus();
    other.select();
  });

  /* Cells of a spreadsheet come as lines of tabs. An empty one leaves the amount as it is. */
  grid.addEventListener("paste", function (event) {
    if (!event.target.matches(".grid-cell")) return;
    var text = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n$/, "");
    if (!/[\t\n]/.test(text)) return;
    event.preventDefault();
    var from = place(event.target), left = 0;
    text.split("\n").forEach(function (line, down) {
      line.split("\t").forEach(function (value, right) {
        if (!value.trim()) return;
        var row = rows[from.row + down], input = row && cells(row)[from.column + right];
        if (input) fill(input, value.trim()); else left += 1;
      });
    });
    var announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = left ? ngettext("{count} cell has no place here.", "{count} cells have no place here.", left).replace("{count}", left) : gettext("The cells are pasted.");
    follow();
  });

  function fill(input, value) {
    input.value = value;
    mark(input);
  }

  function mark(input) { input.classList.toggle("is-changed", input.value.trim() !== input.dataset.was); }

  /* Millionths of an amount that reads in one way; null for any other, which the server reads or asks about. */
  function exact(text) {
    text = marks.read(text.trim());
    if (!text) return null;
    if (!/^(\d+|\d{1,3}(,\d{3})+)(\.(\d{1,2}|\d{4,6}))?$/.test(text)) return undefined;
    var parts = text.replace(/,/g, "").split(".");
    return BigInt(parts[0] + ((parts[1] || "") + "000000").slice(0, 6));
  }

  /* As money: whole cents, or the whole units of a currency that has no smaller one, by what the server wrote. */
  function words(sum, shown) {
    var places = shown.dataset.places, unit = BigInt(10) ** BigInt(6 - Number(places)), whole = (sum + unit / BigInt(2)) / unit;
    var digits = String(whole).padStart(Number(places) + 1, "0"), cut = digits.length - Number(places);
    return marks.write(digits.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, ",") + (Number(places) ? "." + digits.slice(cut) : ""));
  }

  function add(values) {
    return values.reduce(function (sum, value) { return sum === undefined || value === undefined ? undefined : sum + (value || BigInt(0)); }, BigInt(0));
  }

  /* What stays where a cell is empty is its amount. */
  function amount(input) { return input && exact(input.value || input.dataset.was); }

  function show(output, sum) {
    if (output.dataset.places === undefined) output.dataset.places = (output.textContent.trim().split(marks.decimal)[1] || "").length;
    output.textContent = sum === undefined ? "—" : words(sum, output);
  }

  function follow() {
    rows.forEach(function (row) { show(row.querySelector("[data-sum]"), add(cells(row).map(amount))); });
    grid.querySelectorAll("tr[data-total]").forEach(function (total) {
      var own = rows.filter(function (row) { return row.dataset.row === total.dataset.total && !row.hasAttribute("data-part"); });
      var months = Array.from({ length: 12 }, function (_, month) { return add(own.map(function (row) { return amount(cells(row)[month]); })); });
      total.querySelectorAll("[data-sum]").forEach(function (output, month) { show(output, month < 12 ? months[month] : add(months)); });
    });
  }

  grid.addEventListener("input", function (event) {
    if (!event.target.matches(".grid-cell")) return;
    mark(event.target);
    follow();
  });

  grid.querySelectorAll(".grid-cell").forEach(mark);
  /* A year with typed amounts comes back with them. */
  if (grid.querySelector(".is-changed")) follow();
})();
