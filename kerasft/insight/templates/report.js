"use strict";
// The confusion matrix: a click on a number shows examples of it, without leaving the place.
(() => {
  const anchors = document.querySelectorAll("[data-cell]");
  const cells = document.querySelectorAll(".cell");
  const show = (name) => {
    for (const cell of cells) cell.classList.toggle("open", cell.id === name);
    for (const anchor of anchors) anchor.setAttribute("aria-current", String(anchor.dataset.cell === name));
  };
  for (const anchor of anchors) {
    anchor.addEventListener("click", (event) => {
      event.preventDefault();
      show(anchor.dataset.cell);
      document.getElementById(anchor.dataset.cell).scrollIntoView({ block: "nearest" });
    });
  }
  const start = document.querySelector("[data-first]");
  if (start && start.dataset.first) show(start.dataset.first);
})();
// Tables of trials: a click on a heading sorts by its column, a second one in reverse.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].textContent.replace(/,/g, "");
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "") || 0;
        const numbers = Number(x) - Number(y);
        return (Number.isNaN(numbers) ? x.localeCompare(y) : numbers) * (up ? 1 : -1);
      };
      for (const row of [...table.tBodies[0].rows].sort(order)) table.tBodies[0].append(row);
    });
  });
}
