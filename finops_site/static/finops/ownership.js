// Rules are dragged into their order; the buttons "up" and "down" do the same without a mouse.
(() => {
  const table = document.querySelector("#rules:has(tr[data-id])");
  if (!table) return;
  let dragged = null;
  const row = (target) => target.closest("tr[data-id]");
  for (const each of table.querySelectorAll("tr[data-id]")) each.draggable = true;
  table.addEventListener("dragstart", (event) => {
    dragged = row(event.target);
    if (dragged) event.dataTransfer.effectAllowed = "move";
  });
  table.addEventListener("dragover", (event) => {
    const over = row(event.target);
    if (dragged && over && over !== dragged) {
      event.preventDefault();
      for (const each of table.querySelectorAll(".drop-here")) each.classList.remove("drop-here");
      over.classList.add("drop-here");
    }
  });
  table.addEventListener("drop", (event) => {
    const over = row(event.target);
    if (!dragged || !over || over === dragged) return;
    event.preventDefault();
    const form = dragged.querySelector("form");
    const before = form.querySelector("input[name=before]");
    before.disabled = false;
    before.value = over.dataset.id;
    form.submit();
  });
  table.addEventListener("dragend", () => {
    dragged = null;
    for (const each of table.querySelectorAll(".drop-here")) each.classList.remove("drop-here");
  });
})();
