"use strict";
// Draws chosen columns of a result, by the table below the drawing, as every chart of the portal.
(() => {
  const { element, textOf, isNumber } = window.shoplakeConsole;
  const MOST = { bars: 50, line: 1000 };
  const MOST_SERIES = 3;

  class Chart {
    constructor(section, words) {
      Object.assign(this, { section, words, kind: section.querySelector("#kind"), along: section.querySelector("#along") });
      this.fields = section.querySelector("#drawn");
      this.place = section.querySelector("#chart-place");
      section.addEventListener("change", () => this.draw());
    }

    /** Offer the columns of another result; of the first chart a text or a date is drawn along, and the first number. */
    offer(answer) {
      this.answer = answer;
      const numbers = answer.columns.flatMap((column, n) => (isNumber(column.type) ? [n] : []));
      const words = answer.columns.findIndex((column) => !isNumber(column.type));
      this.along.replaceChildren(...answer.columns.map((column, n) => element("option", { value: n }, column.name)));
      this.along.value = String(Math.max(0, words));
      this.kind.value = /DATE|TIMESTAMP/.test(answer.columns[Number(this.along.value)]?.type ?? "") ? "line" : "bars";
      const choices = numbers.map((n) => {
        const box = element("input", { type: "checkbox", value: n });
        return element("label", {}, box, answer.columns[n].name);
      });
      this.fields.replaceChildren(this.fields.querySelector("legend"), ...choices);
      const first = numbers.find((n) => n !== Number(this.along.value)) ?? numbers[0];
      for (const box of this.fields.querySelectorAll("input")) box.checked = Number(box.value) === first;
      if (!this.section.hidden) this.draw();
    }

    draw() {
      const chosen = [...this.fields.querySelectorAll("input:checked")].map((box) => Number(box.value)).slice(0, MOST_SERIES);
      for (const box of this.fields.querySelectorAll("input")) box.disabled = !box.checked && chosen.length >= MOST_SERIES;
      if (!chosen.length) {
        this.place.replaceChildren(element("p", { class: "why" }, this.words.wNoNumbers));
        return;
      }
      const along = Number(this.along.value);
      const rows = this.answer.rows.slice(0, MOST[this.kind.value]);
      const said = this.words.wChartPart.replace("{shown}", rows.length.toLocaleString(document.documentElement.lang)).replace("{rows}", this.answer.rows.length.toLocaleString(document.documentElement.lang));
      const drawing = element("div", { class: "chart", hidden: "", "data-chart": this.kind.value, "data-table": "chart-table", "data-equal": "yes", "data-most": MOST.bars, role: "img", "aria-label": this.words.wChart });
      const sheet = element("div", { class: "sheet", role: "region", tabindex: 0, "aria-label": this.words.wGrid }, this.table(along, chosen, rows));
      const twin = element("details", { class: "twin" }, element("summary", {}, this.section.getAttribute("data-table-word")), sheet);
      this.place.replaceChildren(drawing, twin, ...(rows.length < this.answer.rows.length ? [element("p", { class: "lead" }, said)] : []));
      window.shoplake.drawAll(this.place);
    }

    table(along, chosen, rows) {
      const { columns } = this.answer;
      const head = element("tr", {}, element("th", { scope: "col" }, columns[along].name));
      for (const n of chosen) head.append(element("th", { scope: "col", class: "number", "data-series": "", "data-unit": "" }, columns[n].name));
      const body = element("tbody");
      for (const row of rows) {
        const name = row[along] === null ? "null" : textOf(row[along]);
        const made = element("tr", {}, element("th", { scope: "row", "data-label": name }, name));
        for (const n of chosen) made.append(element("td", { class: "number", "data-value": textOf(row[n]), "data-text": row[n] === null ? "null" : textOf(row[n]) }, row[n] === null ? "null" : textOf(row[n])));
        body.append(made);
      }
      return element("table", { id: "chart-table" }, element("thead", {}, head), body);
    }
  }

  window.shoplakeConsole.Chart = Chart;
})();
