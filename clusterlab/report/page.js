"use strict";
// Arrow keys walk the cells of the heat map, as in a spreadsheet; Tab enters and leaves it.
for (const table of document.querySelectorAll("table.heat")) {
  const cells = (row) => [...row.cells];
  const rows = [...table.rows];
  let current = table.querySelector("tbody td");
  if (!current) continue;
  table.setAttribute("role", "grid");
  current.tabIndex = 0;
  const go = (cell) => {
    current.tabIndex = -1;
    current = cell;
    current.tabIndex = 0;
    // Focus alone leaves a cell below the heads that stay; this heeds the padding that keeps their place.
    current.focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  table.addEventListener("keydown", (event) => {
    const row = current.parentElement;
    const y = rows.indexOf(row);
    const x = current.cellIndex;
    const end = row.cells.length - 1;
    const whole = event.ctrlKey || event.metaKey;
    const to = {
      ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1], ArrowUp: [y - 1, x], ArrowDown: [y + 1, x],
      PageUp: [Math.max(0, y - 10), x], PageDown: [Math.min(rows.length - 1, y + 10), x],
      Home: [whole ? 0 : y, 0], End: [whole ? rows.length - 1 : y, end],
    }[event.key];
    if (!to || event.altKey) return;
    event.preventDefault();
    const target = rows[to[0]] && cells(rows[to[0]])[to[1]];
    if (target) go(target);
  });
  table.addEventListener("mousedown", (event) => {
    const cell = event.target.closest("td, th");
    if (cell) go(cell);
  });
}
