/* form[data-upload]: drop files, see each of them and how far the upload is. Without this file the form works as it is. */
(function () {
  "use strict";

  document.querySelectorAll("form[data-upload]").forEach(function (form) {
    var zone = form.querySelector("[data-dropzone]");
    var input = zone.querySelector("input[type=file]");
    var list = zone.querySelector("[data-files]");
    var progress = zone.querySelector("[data-progress]");
    var errors = zone.querySelector("[data-errors]");
    var chosen = [];

    input.addEventListener("change", function () { take(input.files); });
    ["dragenter", "dragover"].forEach(function (name) {
      zone.addEventListener(name, function (event) { event.preventDefault(); zone.classList.add("over"); });
    });
    ["dragleave", "drop"].forEach(function (name) {
      zone.addEventListener(name, function (event) {
        event.preventDefault();
        if (name === "drop" || !zone.contains(event.relatedTarget)) zone.classList.remove("over");
      });
    });
    zone.addEventListener("drop", function (event) { take(event.dataTransfer.files); });
    form.addEventListener("submit", function (event) { event.preventDefault(); send(event.submitter); });

    function take(files) {
      Array.from(files).forEach(function (file) {
        var known = chosen.some(function (one) { return one.name === file.name && one.size === file.size; });
        if (!known) chosen = input.multiple ? chosen.concat(file) : [file];
      });
      keep();
    }

    /* The list is put back into the field, so that "required" and plain sending see what is shown. */
    function keep() {
      var transfer = new DataTransfer();
      chosen.forEach(function (file) { transfer.items.add(file); });
      input.files = transfer.files;
      list.replaceChildren.apply(list, chosen.map(line));
      zone.classList.toggle("filled", chosen.length > 0);
      errors.replaceChildren();
      if (tooBig()) refuse();
    }

    function tooBig() {
      var size = chosen.reduce(function (sum, file) { return sum + file.size; }, 0);
      return input.dataset.maxBytes && size > Number(input.dataset.maxBytes);
    }

    function refuse() {
      fail([gettext("At most {size} can be uploaded at once. Deliver a bigger bill as CSV.gz or Parquet, or load it on the server with load_bill.").replace("{size}", input.dataset.maxText)]);
    }

    function line(file) {
      var item = document.createElement("li");
      var name = document.createElement("span");
      var size = document.createElement("span");
      var remove = document.createElement("button");
      name.className = "file-name";
      name.textContent = file.name;
      size.className = "file-size";
      size.textContent = bytes(file.size);
      remove.type = "button";
      remove.className = "btn btn-sm btn-ghost";
      remove.textContent = gettext("Remove");
      remove.setAttribute("aria-label", gettext("Remove {name}").replace("{name}", file.name));
      remove.addEventListener("click", function () {
        chosen = chosen.filter(function (one) { return one !== file; });
        keep();
        input.focus();
      });
      item.append(name, size, remove);
      return item;
    }

    function send(submitter) {
      var request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
      request.setRequestHeader("Accept", "application/json, text/html");
      request.upload.addEventListener("progress", function (event) {
        if (event.lengthComputable) show(event.loaded / event.total);
      });
      request.upload.addEventListener("load", function () { show(1, gettext("Received, checking")); });
      request.addEventListener("load", function () { answered(request); });
      request.addEventListener("error", function () { fail([gettext("The connection broke before the file was received. Try again.")]); });
      busy(true);
      show(0);
      errors.replaceChildren();
      request.send(new FormData(form, submitter));
    }

    function answered(request) {
      var answer = null;
      try { answer = JSON.parse(request.responseText); } catch (error) { /* a page */ }
      if (answer && answer.redirect) return window.location.assign(answer.redirect);
      if (answer && answer.errors) return fail(Object.values(answer.errors).flat());
      if (answer && answer.detail) return fail([answer.detail]);
      if (request.status >= 200 && request.status < 300) {
        if (request.responseURL !== form.action && request.responseURL !== window.location.href) return window.location.assign(request.responseURL);
        return pageErrors(request.responseText);
      }
      if (request.status === 413) return fail([gettext("The server takes no files of this size.")]);
      pageErrors(request.responseText) || fail([gettext("The upload failed ({status}). Nothing was taken over.").replace("{status}", request.status)]);
    }

    /* The server drew the form again: its errors are ours. */
    function pageErrors(text) {
      var page = new DOMParser().parseFromString(text, "text/html");
      var found = Array.from(page.querySelectorAll(".field-errors p, .notice.error .notice-text, .errorlist li"))
        .map(function (one) { return one.textContent.trim(); }).filter(Boolean);
      if (!found.length) return false;
      fail(found);
      return true;
    }

    function fail(texts) {
      busy(false);
      errors.replaceChildren.apply(errors, texts.map(function (text) {
        var paragraph = document.createElement("p");
        paragraph.textContent = typeof text === "string" ? text : text.message || String(text);
        return paragraph;
      }));
    }

    function busy(is) {
      progress.hidden = !is;
      form.querySelectorAll("button").forEach(function (button) { button.disabled = is; });
    }

    function show(share, words) {
      var percent = Math.floor(share * 100);
      progress.querySelector("progress").value = percent;
      progress.querySelector("[data-progress-percent]").textContent = percent + marks.percent;
      progress.querySelector("[data-progress-label]").textContent = words || gettext("Uploading");
    }
  });

  function bytes(size) {
    if (size < 1024) return size + " B";
    var units = ["kB", "MB", "GB"];
    var step = Math.min(Math.floor(Math.log(size) / Math.log(1024)), 3);
    return marks.write((size / Math.pow(1024, step)).toFixed(1)) + " " + units[step - 1];
  }
})();
