"use strict";
// What pages with figures do besides: charts as pictures, and lists of filters that close again.
(() => {
  const body = document.body;
  const charts = window.shoplake;
  const WIDTH = 960;
  const LINE_HEIGHT = 360;
  const PER_LINE = 130; // characters of the second line of a picture's head

  // Charts as pictures ------------------------------------------------------------------------------------------------

  function pictureOf(echarts, place, lines, kind) {
    const ink = charts.palette();
    const { option, height } = charts.chartOf(place, ink, WIDTH);
    const head = 62 + 17 * Math.ceil(lines[1].length / PER_LINE);
    const foot = 40;
    const size = { width: WIDTH, height: head + (height || LINE_HEIGHT) + foot };
    const room = { left: 24, right: (option.grid.right ?? 0) + 16, top: option.grid.top + head, bottom: option.grid.bottom + foot };
    const quiet = { color: ink.soft, fontSize: 12, fontWeight: 400 };
    const shown = {
      ...option,
      animation: false,
      backgroundColor: ink.surface,
      textStyle: { fontFamily: getComputedStyle(body).fontFamily },
      tooltip: undefined,
      grid: { ...option.grid, ...room },
      legend: option.legend && { ...option.legend, top: head, left: 24 },
      title: [
        { text: lines[0], subtext: lines[1], left: 20, top: 14, textStyle: { color: ink.ink, fontSize: 18, fontWeight: 600 }, subtextStyle: { ...quiet, width: WIDTH - 48, overflow: "break", lineHeight: 17 } },
        { text: lines[2], left: 20, bottom: 8, textStyle: quiet },
      ],
    };
    if (kind === "svg") {
      const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...size });
      chart.setOption(shown);
      const text = chart.renderToSVGString();
      chart.dispose();
      return new Blob([text], { type: "image/svg+xml" });
    }
    const chart = echarts.init(document.createElement("div"), null, { renderer: "canvas", devicePixelRatio: 2, ...size });
    chart.setOption(shown);
    const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: ink.surface });
    chart.dispose();
    return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
  }

  function keep(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  function say(panel, message) {
    let note = panel.querySelector(".panel-foot [role=status]");
    if (!note) {
      note = document.createElement("p");
      note.setAttribute("role", "status");
      panel.querySelector(".panel-foot").append(note);
    }
    note.textContent = message;
  }

  // The server is asked first: it looks at the right to export, and has the export on record.
  async function save(panel, button) {
    const kind = button.dataset.picture;
    const place = panel.querySelector("[data-chart]");
    const echarts = await charts.library();
    const address = new URL(button.dataset.record, location.href);
    address.searchParams.set("kind", kind);
    address.searchParams.set("release", panel.dataset.release);
    const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
    if (answer.status === 401) { charts.signIn(); return; }
    if (answer.status === 409) {
      const { stale } = button.closest("nav").dataset;
      const id = panel.id;
      body.addEventListener("htmx:afterSettle", () => say(document.getElementById(id), stale), { once: true });
      window.htmx.trigger(panel, "release");
      window.htmx.ajax("GET", panel.getAttribute("hx-get"), { target: panel, swap: "outerHTML", source: panel });
      return;
    }
    if (!answer.ok || !echarts || !place) throw new Error(answer.statusText);
    const { file, lines } = await answer.json();
    keep(await pictureOf(echarts, place, lines, kind), file);
  }

  body.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-picture]");
    if (!button) return;
    const panel = button.closest("[data-panel]");
    button.disabled = true;
    try {
      await save(panel, button);
    } catch {
      say(panel, body.dataset.unreachable);
    } finally {
      button.disabled = false;
    }
  });

  // Lists of filters --------------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    for (const list of document.querySelectorAll("details.choose[open]")) if (!list.contains(event.target)) list.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const list = event.target.closest?.("details.choose[open]");
    if (event.key === "Escape" && list) { list.open = false; list.querySelector("summary").focus(); }
  });
  body.addEventListener("change", (event) => {
    const list = event.target.closest?.("details.choose");
    if (!list || event.target.type !== "checkbox") return;
    const chosen = [...list.querySelectorAll("input:checked")].map((box) => box.parentElement.textContent.trim());
    list.querySelector("summary span").textContent = chosen.join(", ") || list.dataset.all;
  });
})();
