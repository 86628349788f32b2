/* The words and the marks of the reader's language: {% script_words %} brings the words, <html data-group data-decimal> the marks.
   gettext and ngettext are found by make_catalogs, whose djangojs.po translates them. English needs neither. */
(function () {
  "use strict";
  var element = document.getElementById("words-of-scripts"), marks = document.documentElement.dataset;
  var words = element ? JSON.parse(element.textContent) : {};
  var one = new Intl.PluralRules(document.documentElement.lang || "en");

  window.gettext = function (text) { return typeof words[text] === "string" ? words[text] : text; };
  window.ngettext = function (single, many, count) {
    var forms = Array.isArray(words[single]) ? words[single] : [single, many];
    return forms[one.select(count) === "one" ? 0 : 1];
  };
  window.marks = {
    group: marks.group || ",",
    decimal: marks.decimal || ".",
    percent: marks.percent || "%",
    letters: (marks.letters || "|k|M|B|T").split("|"),
    /* "1,234.5" as the reader writes it. */
    write: function (figure) {
      return figure.replace(/[,.]/g, function (mark) { return mark === "," ? window.marks.group : window.marks.decimal; });
    },
    /* What the reader wrote, with commas and a point. */
    read: function (text) {
      return Array.from(text).map(function (sign) {
        if (sign === window.marks.group || (/\s/.test(window.marks.group) && /\s/.test(sign))) return ",";
        return sign === window.marks.decimal ? "." : sign;
      }).join("");
    }
  };
})();
