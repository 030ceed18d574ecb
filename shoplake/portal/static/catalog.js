"use strict";
// The picture of a lineage: as wide as there is room, in sight where one is, and lit along what a node is joined to.
(() => {
  const LEAST = 0.82;
  const ROOM = 18;
  for (const picture of document.querySelectorAll("[data-picture]")) {
    const svg = picture.querySelector("svg");
    const here = picture.querySelector(".node.here .box");
    const { width, height } = svg.viewBox.baseVal;

    function fit() {
      const scale = Math.min(1, Math.max(LEAST, (picture.clientWidth - ROOM) / width));
      svg.setAttribute("width", String(width * scale));
      svg.setAttribute("height", String(height * scale));
      if (here) picture.scrollLeft = (here.x.baseVal.value + here.width.baseVal.value / 2) * scale - picture.clientWidth / 2;
    }
    fit();
    addEventListener("resize", fit);
    const curves = [...picture.querySelectorAll("path[data-first]")];

    function reached(start, from, to) {
      const found = new Set([start]);
      for (const number of found) for (const curve of curves) if (curve.dataset[from] === number) found.add(curve.dataset[to]);
      return found;
    }

    function show(number) {
      const before = number === null ? null : reached(number, "last", "first");
      const after = number === null ? null : reached(number, "first", "last");
      picture.classList.toggle("pointed", number !== null);
      for (const curve of curves) {
        const { first, last } = curve.dataset;
        curve.classList.toggle("lit", number !== null && ((before.has(first) && before.has(last)) || (after.has(first) && after.has(last))));
      }
      for (const node of picture.querySelectorAll(".node")) node.classList.toggle("lit", number !== null && (before.has(node.dataset.node) || after.has(node.dataset.node)));
    }

    for (const node of picture.querySelectorAll(".node")) {
      node.addEventListener("pointerenter", () => show(node.dataset.node));
      node.addEventListener("pointerleave", () => show(null));
    }
  }
})();
