"use strict";
// What pages do beyond links and forms: draw charts from their tables, notice a new release, say when something failed.
(() => {
  const root = document.documentElement;
  const body = document.body;
  const words = body.dataset;
  const drawn = new Map();
  const PRINTED = 620; // pixels of a chart on paper
  let loading = null;

  // Charts ------------------------------------------------------------------------------------------------------------

  function library() {
    if (!words.charts) return Promise.resolve(null);
    loading ??= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = words.charts;
      script.onload = () => resolve(window.echarts);
      script.onerror = () => resolve(null);
      document.head.append(script);
    });
    return loading;
  }

  function colour(name) {
    const probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(--${name})`;
    body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function palette() {
    const names = ["ink", "soft", "line", "surface", "sunken", "data-1", "data-2", "data-3", "data-quiet"];
    return Object.fromEntries(names.map((name) => [name, colour(name)]));
  }

  function dataOf(table) {
    const heads = [...table.tHead.rows[0].cells];
    const series = heads.flatMap((head, index) => ("series" in head.dataset ? [{ index, name: head.textContent.trim(), unit: head.dataset.unit }] : []));
    const rows = [...table.tBodies[0].rows].map((row) => ({
      label: row.cells[0].dataset.label ?? row.cells[0].textContent.trim(),
      href: row.cells[0].querySelector("a")?.href,
      cells: series.map(({ index }) => {
        const raw = row.cells[index].dataset.value;
        return { value: raw === "" || raw === undefined ? null : Number(raw), text: row.cells[index].dataset.text ?? row.cells[index].textContent.trim() };
      }),
    }));
    return { series, rows };
  }

  function axisNumber(unit) {
    const style = { notation: "compact", maximumSignificantDigits: 3 };
    if (unit === "ratio") Object.assign(style, { style: "percent", notation: "standard" });
    if (unit === "money") Object.assign(style, { style: "currency", currency: words.currency });
    const format = new Intl.NumberFormat(root.lang, style);
    return unit === "seconds" ? axisTime : (value) => format.format(value);
  }

  // The largest unit, and what is left in the next one.
  function axisTime(value) {
    const sizes = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
    const first = sizes.findIndex(([least]) => Math.abs(value) >= least);
    const parts = sizes.slice(first).slice(0, 2).map(([size, name], n, all) => {
      const left = n ? value % all[0][0] : value;
      const count = n || !all[1] ? Math.round(left / size) : Math.trunc(left / size);
      return [count, new Intl.NumberFormat(root.lang, { style: "unit", unit: name, unitDisplay: "narrow" }).format(count)];
    });
    return parts.filter(([count], n) => count || !n).map(([, text]) => text).join(" ");
  }

  // Of two series the second is what the first is compared with, unless they are said to be equals.
  function lookOf(n, ink, areEqual) {
    if (areEqual) return { color: ink[`data-${n + 1}`], lineStyle: { width: 2.25, type: ["solid", [6, 3], [2, 3]][n] }, z: 3 };
    return { color: n === 0 ? ink["data-1"] : ink["data-quiet"], lineStyle: { width: n === 0 ? 2.25 : 1.5, type: n === 0 ? "solid" : [4, 4] }, z: n === 0 ? 3 : 2 };
  }

  function legendOf(series, ink) {
    return series.length > 1 ? { top: 0, left: 0, icon: "roundRect", itemWidth: 14, itemHeight: 4, textStyle: { color: ink.soft, fontSize: 12 } } : undefined;
  }

  // A figure between two gaps has no line that shows it: it is a dot.
  function isAlone(rows, at, n) {
    return rows[at - 1]?.cells[n].value == null && rows[at + 1]?.cells[n].value == null;
  }

  function lineOption({ series, rows }, ink, { isCurve, areEqual }) {
    return {
      grid: { left: 8, right: 16, top: series.length > 1 ? 34 : 14, bottom: 4, containLabel: true },
      legend: legendOf(series, ink),
      tooltip: tip(ink, { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: ink.soft, width: 1 } }, formatter: (points) => [rows[points[0].dataIndex].label, ...points.map((p) => `${p.seriesName}: ${rows[p.dataIndex].cells[p.seriesIndex].text}`)].join("\n") }),
      xAxis: { type: "category", data: rows.map((row) => row.label), boundaryGap: false, axisLine: { lineStyle: { color: ink.line } }, axisTick: { show: false }, axisLabel: { color: ink.soft, fontSize: 11, hideOverlap: true } },
      yAxis: { type: "value", scale: !isCurve && series[0].unit !== "money" && series[0].unit !== "count", max: isCurve ? 1 : undefined, axisLabel: { color: ink.soft, fontSize: 11, formatter: axisNumber(series[0].unit) }, splitLine: { lineStyle: { color: ink.line } } },
      series: series.map((one, n) => ({
        name: one.name, type: "line", step: isCurve ? "end" : false, showSymbol: true, symbol: "circle", symbolSize: 6, connectNulls: false,
        data: rows.map((row, at) => (isAlone(rows, at, n) ? row.cells[n].value : { value: row.cells[n].value, symbol: "none" })),
        ...lookOf(n, ink, areEqual),
      })),
    };
  }

  function barOption({ series: all, rows }, ink, width, areEqual) {
    const series = areEqual ? all : all.slice(0, 1);
    const room = Math.max(70, Math.min(170, width * 0.34));
    return {
      grid: { left: 8, right: 82, top: series.length > 1 ? 30 : 4, bottom: 4, containLabel: true },
      legend: legendOf(series, ink),
      tooltip: tip(ink, { trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { color: ink.sunken, opacity: 0.7 } }, formatter: (points) => [rows[points[0].dataIndex].label, ...points.map((p) => `${p.seriesName}: ${rows[p.dataIndex].cells[p.seriesIndex].text}`)].join("\n") }),
      xAxis: { type: "value", show: false, min: (range) => Math.min(0, range.min) },
      yAxis: { type: "category", inverse: true, data: rows.map((row) => row.label), axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: ink.ink, fontSize: 12, width: room, overflow: "truncate" } },
      series: series.map((one, n) => ({
        type: "bar", name: one.name, barMaxWidth: 18, barCategoryGap: "38%",
        data: rows.map((row) => row.cells[n].value),
        itemStyle: { color: ink[`data-${n + 1}`], borderRadius: [0, 3, 3, 0] },
        emphasis: { itemStyle: { color: series.length > 1 ? ink[`data-${n + 1}`] : ink["data-2"] } },
        label: { show: true, position: "right", color: ink.soft, fontSize: 11.5, formatter: (point) => rows[point.dataIndex].cells[n].text },
        cursor: rows.some((row) => row.href) ? "pointer" : "default",
      })),
    };
  }

  function tip(ink, more) {
    return { renderMode: "richText", confine: true, backgroundColor: ink.surface, borderColor: ink.line, borderWidth: 1, padding: [8, 10], textStyle: { color: ink.ink, fontSize: 12, lineHeight: 18 }, ...more };
  }

  // What a chart shows, and how it is drawn at a width; null where its table has no rows.
  function chartOf(place, ink, width) {
    const table = document.getElementById(place.dataset.table);
    if (!table || !table.tBodies[0].rows.length) return null;
    const data = dataOf(table);
    const isBars = place.dataset.chart === "bars", areEqual = "equal" in place.dataset;
    if (isBars) data.rows = data.rows.slice(0, Number(place.dataset.most ?? 12));
    else data.series = data.series.filter((_, n) => n === 0 || data.rows.some((row) => row.cells[n].value !== null));
    const option = isBars ? barOption(data, ink, width, areEqual) : lineOption(data, ink, { isCurve: place.dataset.chart === "curve", areEqual });
    const rowHeight = areEqual ? 12 + 18 * data.series.length : 30;
    return { data, option, height: isBars ? data.rows.length * rowHeight + (areEqual ? 46 : 16) : 0 };
  }

  function draw(echarts, place) {
    const ink = palette();
    place.hidden = false;
    const found = chartOf(place, ink, place.clientWidth);
    if (!found) { place.hidden = true; return; }
    const { data, option, height } = found;
    if (height) {
      place.style.height = `${height}px`;
      place.style.minHeight = "0";
    }
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const chart = drawn.get(place) ?? echarts.init(place, null, { renderer: "svg" });
    drawn.set(place, chart);
    if (height) chart.resize({ animation: { duration: 0 } });
    chart.setOption({ animation: !still, animationDuration: 250, textStyle: { fontFamily: getComputedStyle(body).fontFamily }, ...option }, { notMerge: true });
    chart.off("click");
    chart.on("click", ({ dataIndex }) => {
      const { href } = data.rows[dataIndex] ?? {};
      if (href) location.assign(href);
    });
    place.dataset.drawn = "yes";
  }

  // Charts need a large script: figures come first, though not for ever.
  function tilesThere() {
    const end = performance.now() + 2000;
    return new Promise((resolve) => {
      const look = () => (performance.now() < end && document.querySelector("[data-kpi][data-state=loading]") ? setTimeout(look, 25) : resolve());
      look();
    });
  }

  async function drawAll(within) {
    const places = [...within.querySelectorAll("[data-chart]")];
    if (within.matches?.("[data-chart]")) places.push(within);
    if (!places.length) return;
    await tilesThere();
    const echarts = await library();
    if (!echarts) {
      for (const place of places) place.parentElement.querySelector(".twin")?.setAttribute("open", "");
      return;
    }
    for (const place of places) if (place.isConnected) draw(echarts, place);
  }

  function redraw() {
    for (const [place, chart] of drawn) {
      if (place.isConnected) draw(window.echarts, place);
      else { chart.dispose(); drawn.delete(place); }
    }
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => { redraw(); for (const chart of drawn.values()) chart.resize(); }, 120);
  });
  addEventListener("beforeprint", () => {
    for (const twin of document.querySelectorAll(".twin")) twin.open = true;
    for (const [place, chart] of drawn) if (place.isConnected) chart.resize({ width: PRINTED, animation: { duration: 0 } });
  });
  addEventListener("afterprint", () => {
    for (const [place, chart] of drawn) if (place.isConnected) chart.resize({ width: "auto", animation: { duration: 0 } });
    redraw();
  });

  // Tiles and panels that come on their own --------------------------------------------------------------------------

  body.addEventListener("htmx:load", (event) => drawAll(event.detail.elt));

  function fail(place, message) {
    place.dataset.state = "failed";
    for (const wait of place.querySelectorAll(".wait")) wait.remove();
    place.querySelector(".why")?.remove();
    const why = document.createElement("p");
    why.className = "why";
    why.setAttribute("role", "status");
    const strong = document.createElement("strong");
    strong.textContent = words.failed;
    why.append(strong, message);
    const again = document.createElement("button");
    again.type = "button";
    again.className = "small";
    again.textContent = words.again;
    again.addEventListener("click", () => window.htmx.ajax("GET", place.getAttribute("hx-get"), { target: place, swap: "outerHTML", source: place }));
    place.querySelector("button.small")?.remove();
    place.append(why, again);
  }

  function signIn() {
    const here = location.pathname + location.search;
    location.assign(`/login?next=${encodeURIComponent(here)}`);
  }

  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    body.addEventListener(name, (event) => {
      const place = event.detail.elt.closest("[data-state]");
      if (event.detail.xhr?.status === 401) signIn();
      else if (place) fail(place, name === "htmx:timeout" ? words.slow : words.unreachable);
    });
  }
  body.addEventListener("click", (event) => {
    const again = event.target.closest("[data-again]");
    const place = again?.closest("[hx-get]");
    if (place) window.htmx.ajax("GET", place.getAttribute("hx-get"), { target: place, swap: "outerHTML", source: place });
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  // What is below the fold comes once the page is quiet, one after the other, so that it is there for print and for
  // find-in-page, and never in the way of what is in sight.
  function bringNext() {
    const next = document.querySelector("[data-panel][data-state=loading]:not([data-called])");
    if (!next || document.querySelector("[data-kpi][data-state=loading]")) return;
    next.dataset.called = "yes";
    window.htmx.trigger(next, "due");
  }
  body.addEventListener("htmx:afterSettle", (event) => { if (event.target.closest("[data-panel], [data-kpi]")) setTimeout(bringNext, 50); });
  addEventListener("load", () => setTimeout(bringNext, 1500));

  // A new release is shown without a reload --------------------------------------------------------------------------

  let release = words.release;
  const live = document.querySelector(".live");

  async function look() {
    if (document.hidden || !release) return;
    try {
      const answer = await fetch("/release", { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) return signIn();
      if (!answer.ok) throw new Error(answer.statusText);
      const now = await answer.json();
      if (live) { live.dataset.state = "ok"; live.textContent = now.text; }
      if (now.release && now.release !== release) {
        release = now.release;
        window.htmx?.trigger(body, "release");
      }
    } catch {
      if (live) { live.dataset.state = "lost"; live.textContent = words.lost; }
    }
  }
  if (live && release) {
    setInterval(look, Number(words.every) || 3000);
    document.addEventListener("visibilitychange", look);
  }
  window.shoplake = { drawAll, library, palette, chartOf, signIn };
  drawAll(document);
  document.querySelector(".teams [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
