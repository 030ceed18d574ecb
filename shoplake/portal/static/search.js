"use strict";
// The search box: proposals while one types, by keyboard as by mouse. Without it the box is a form.
(() => {
  const WAIT = 80;
  const boxes = [...document.querySelectorAll("form[data-search]")];

  function start(form) {
    const input = form.querySelector("input");
    const list = form.querySelector(".proposals");
    const status = form.querySelector("[aria-live]");
    let asked = 0;
    let timer = 0;
    let chosen = -1;

    for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" })) input.setAttribute(name, value);

    const options = () => [...list.querySelectorAll("[role=option]")];

    function close() {
      asked += 1;
      list.hidden = true;
      chosen = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }

    function choose(number) {
      const all = options();
      if (!all.length) return;
      chosen = (number + all.length) % all.length;
      all.forEach((one, n) => one.setAttribute("aria-selected", String(n === chosen)));
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    }

    async function ask(query) {
      asked += 1;
      const mine = asked;
      const answer = await fetch(`/catalog/search?q=${encodeURIComponent(query)}`, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
      if (mine !== asked || !answer.ok) return;
      const text = await answer.text();
      if (mine !== asked) return;
      list.innerHTML = text;
      options().forEach((one, n) => { one.id = `${list.id}-${n}`; });
      chosen = -1;
      input.removeAttribute("aria-activedescendant");
      list.hidden = !list.childElementCount;
      list.dataset.query = query;
      input.setAttribute("aria-expanded", String(!list.hidden));
      status.textContent = list.hidden ? "" : status.dataset.count.replace("%(count)s", String(options().length));
    }

    input.addEventListener("input", () => {
      clearTimeout(timer);
      const query = input.value.trim();
      if (!query) return close();
      timer = setTimeout(() => ask(query).catch(close), WAIT);
    });
    // The first question makes the index ready where nobody has asked yet.
    input.addEventListener("focus", () => { if (!input.value.trim()) ask("").catch(close); }, { once: true });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !list.hidden) { close(); event.stopPropagation(); event.preventDefault(); }
      if (list.hidden) return;
      if (event.key === "ArrowDown") { choose(chosen + 1); event.preventDefault(); }
      if (event.key === "ArrowUp") { choose(chosen < 0 ? -1 : chosen - 1); event.preventDefault(); }
      if (event.key === "Enter" && chosen >= 0) { location.assign(options()[chosen].href); event.preventDefault(); }
    });
    form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) setTimeout(close, 150); });
  }

  function isTyped(place) {
    return place.isContentEditable || place.matches?.("input, textarea, select");
  }

  boxes.forEach(start);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyped(event.target)) return;
    const box = boxes.map((form) => form.querySelector("input")).find((input) => input.offsetParent);
    const link = document.querySelector("a.to-search");
    if (!box && !link) return;
    event.preventDefault();
    if (box) { box.focus(); box.select(); } else link.click();
  });
})();
