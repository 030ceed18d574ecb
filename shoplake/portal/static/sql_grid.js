"use strict";
// The grid of a result: a table with the roles of a grid, of whose rows only those in sight are in the page.
(() => {
  const SPARE = 12; // rows above and below the ones in sight
  const SAMPLE = 400; // rows that the widths of columns are taken from
  const NARROW = 5, WIDE = 42; // characters
  const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|DOUBLE|FLOAT)$/;

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /** Give a value as text: what JSON holds of lists and structs, and nothing added to anything else. */
  function textOf(value) {
    if (value === null) return "";
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  function widthOf(column, place, rows) {
    let longest = Math.max(column.name.length, column.type.length * 0.8);
    const step = Math.max(1, Math.floor(rows.length / SAMPLE));
    for (let n = 0; n < rows.length; n += step) longest = Math.max(longest, textOf(rows[n][place]).length);
    return Math.min(WIDE, Math.max(NARROW, longest)) + 3;
  }

  class Grid {
    /**
     * @param {HTMLElement} host where it goes
     * @param {{columns: {name: string, type: string}[], rows: unknown[][]}} answer of /v1/sql
     * @param {DOMStringMap} words of the page
     * @param {(text: string) => void} copy what Ctrl-C and Cmd-C do with the cell's text
     */
    constructor(host, answer, words, copy) {
      this.columns = answer.columns.map((column) => ({ ...column, isNumber: NUMBER.test(column.type) }));
      Object.assign(this, { rows: answer.rows, words, copy, row: 0, column: 0, first: -1 });
      this.build();
      host.replaceChildren(this.box, this.view);
      this.spread();
      this.height = this.measure();
      this.draw();
    }

    build() {
      const widths = [`${String(this.rows.length).length + 3}ch`, ...this.columns.map((column, n) => `${widthOf(column, n, this.rows)}ch`)];
      const group = element("colgroup");
      for (const width of widths) { const col = element("col"); col.style.width = width; group.append(col); }
      const head = element("tr", { role: "row", "aria-rowindex": 1 }, element("th", { scope: "col", role: "columnheader", "aria-colindex": 1 }, this.words.wNumber));
      this.columns.forEach((column, n) => {
        const cell = element("th", { scope: "col", role: "columnheader", "aria-colindex": n + 2, title: column.name }, column.name, element("small", {}, column.type));
        if (column.isNumber) cell.className = "number";
        head.append(cell);
      });
      this.body = element("tbody", { role: "rowgroup" });
      this.above = element("tr", { class: "space", "aria-hidden": "true" }, element("td"));
      this.below = element("tr", { class: "space", "aria-hidden": "true" }, element("td"));
      this.body.append(this.above, this.below);
      this.table = element("table", { role: "grid", tabindex: 0, "aria-label": this.words.wGrid, "aria-rowcount": this.rows.length + 1, "aria-colcount": this.columns.length + 1 });
      this.table.append(group, element("thead", { role: "rowgroup" }, head), this.body);
      this.table.style.width = `calc(${widths.join(" + ")})`;
      this.box = element("div", { class: "grid" }, this.table);
      this.view = element("p", { class: "cell-view" });
      let asked = 0;
      this.box.addEventListener("scroll", () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(() => this.draw()); }, { passive: true });
      this.table.addEventListener("keydown", (event) => this.press(event));
      this.table.addEventListener("mousedown", (event) => this.point(event));
      this.table.addEventListener("focus", () => this.mark());
    }

    /** Have few columns share the room that there is; the number of the row keeps its own. */
    spread() {
      const columns = [...this.table.querySelectorAll("col")];
      if (this.table.offsetWidth >= this.box.clientWidth) return;
      for (const column of columns.slice(1)) column.style.width = "";
      this.table.style.width = "100%";
    }

    measure() {
      const probe = this.rowOf(0);
      this.body.insertBefore(probe, this.below);
      const { height } = probe.getBoundingClientRect();
      probe.remove();
      return height || 28;
    }

    rowOf(number) {
      const row = element("tr", { role: "row", "aria-rowindex": number + 2 }, element("th", { scope: "row", role: "rowheader", "aria-colindex": 1 }, String(number + 1)));
      row.dataset.row = number;
      this.columns.forEach((column, n) => {
        const value = this.rows[number][n];
        const cell = element("td", { role: "gridcell", "aria-colindex": n + 2, id: `cell-${number}-${n}` });
        if (column.isNumber) cell.className = "number";
        if (value === null) cell.append(element("span", { class: "missing" }, "null"));
        else cell.textContent = textOf(value);
        row.append(cell);
      });
      return row;
    }

    /** Put the rows in sight into the page, and room for all others around them. */
    draw() {
      const seen = Math.ceil(this.box.clientHeight / this.height) || 20;
      const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - SPARE);
      const last = Math.min(this.rows.length, first + seen + 2 * SPARE);
      if (first === this.first && last === this.last) return;
      const made = document.createDocumentFragment();
      for (let n = first; n < last; n++) made.append(this.rowOf(n));
      this.above.firstChild.style.height = `${first * this.height}px`;
      this.below.firstChild.style.height = `${(this.rows.length - last) * this.height}px`;
      for (const cell of [this.above, this.below]) cell.firstChild.colSpan = this.columns.length + 1;
      this.body.replaceChildren(this.above, made, this.below);
      Object.assign(this, { first, last });
      if (document.activeElement === this.table) this.mark();
    }

    mark() {
      for (const cell of this.body.querySelectorAll("[data-here]")) { delete cell.dataset.here; cell.removeAttribute("aria-selected"); }
      const name = `cell-${this.row}-${this.column}`;
      const cell = document.getElementById(name);
      if (cell) {
        cell.dataset.here = "yes";
        cell.setAttribute("aria-selected", "true");
        this.table.setAttribute("aria-activedescendant", name);
      } else this.table.removeAttribute("aria-activedescendant");
      const value = this.rows[this.row][this.column];
      this.view.replaceChildren(element("b", {}, this.columns[this.column].name), ` ${this.row + 1}: `, value === null ? this.words.wMissing : textOf(value));
    }

    /** Go to a cell and bring it into sight. */
    go(row, column) {
      this.row = Math.max(0, Math.min(this.rows.length - 1, row));
      this.column = Math.max(0, Math.min(this.columns.length - 1, column));
      const head = this.table.tHead.offsetHeight;
      const top = this.row * this.height;
      const room = this.box.clientHeight - head - this.height;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top > this.box.scrollTop + room) this.box.scrollTop = top - room;
      this.draw();
      this.mark();
      const cell = document.getElementById(`cell-${this.row}-${this.column}`);
      if (!cell) return;
      const pinned = cell.parentElement.cells[0].offsetWidth;
      if (cell.offsetLeft < this.box.scrollLeft + pinned) this.box.scrollLeft = cell.offsetLeft - pinned;
      else if (cell.offsetLeft + cell.offsetWidth > this.box.scrollLeft + this.box.clientWidth) this.box.scrollLeft = cell.offsetLeft + cell.offsetWidth - this.box.clientWidth;
    }

    press(event) {
      const control = event.ctrlKey || event.metaKey;
      if (control && event.key.toLowerCase() === "c" && String(getSelection()) === "") {
        event.preventDefault();
        this.copy(textOf(this.rows[this.row][this.column]));
        return;
      }
      const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 2);
      const end = this.rows.length - 1;
      const moves = {
        ArrowDown: [control ? end : this.row + 1, this.column], ArrowUp: [control ? 0 : this.row - 1, this.column],
        ArrowRight: [this.row, this.column + 1], ArrowLeft: [this.row, this.column - 1],
        PageDown: [this.row + page, this.column], PageUp: [this.row - page, this.column],
        Home: [control ? 0 : this.row, 0], End: [control ? end : this.row, this.columns.length - 1],
      };
      if (!(event.key in moves) || event.altKey) return;
      event.preventDefault();
      this.go(...moves[event.key]);
    }

    point(event) {
      const cell = event.target.closest("td[id]");
      if (!cell) return;
      this.row = Number(cell.parentElement.dataset.row);
      this.column = cell.cellIndex - 1;
      setTimeout(() => { this.table.focus({ preventScroll: true }); this.mark(); });
    }
  }

  window.shoplakeConsole = { Grid, element, textOf, isNumber: (type) => NUMBER.test(type) };
})();
