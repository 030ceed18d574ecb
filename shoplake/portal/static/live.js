"use strict";
// Follows the last hour by Server-Sent Events; writes figures and tables, of which the charts are drawn.
(() => {
  const root = document.getElementById("live");
  if (!root?.dataset.follow) return;
  const words = root.dataset;
  const language = document.documentElement.lang;
  const pulse = document.getElementById("pulse"), said = document.getElementById("state"), age = document.getElementById("age");
  const count = new Intl.NumberFormat(language);
  const score = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const minute = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: words.zone });
  const AGAIN_MS = 5000, STALE_MS = 30_000;
  const TOTAL = { web_events: "events", interactions: "interactions" };
  let newest = null; // of the newest event: its time on this clock
  let heard = 0;

  function tell(state, text) {
    pulse.dataset.state = state;
    root.dataset.state = state;
    if (said.textContent !== text) said.textContent = text;
  }

  function keyOf(kind, key) {
    if (kind === "minute") return minute.format(new Date(key));
    return { "(none)": words.nameNone, "(other)": words.nameOther }[key] ?? key;
  }

  function tile(place, half) {
    const { live, unit, beside, besideName } = place.dataset;
    const value = half[live];
    const isQuiet = !half[TOTAL[place.dataset.half]];
    const note = place.querySelector(".change"), figure = place.querySelector(".figure");
    const raw = isQuiet || value === null ? "" : String(value);
    if (place.dataset.value !== raw && place.dataset.value !== "") {
      place.dataset.moved = "yes";
      requestAnimationFrame(() => requestAnimationFrame(() => delete place.dataset.moved));
    }
    place.dataset.value = raw;
    place.dataset.state = raw ? "ok" : "no-data";
    figure.textContent = raw ? (unit === "score" ? score : count).format(value) : "";
    if (isQuiet) note.textContent = note.dataset.none;
    else if (value === null) note.textContent = words[half.mean_rating_reason === "no_rating" ? "reasonNoRating" : "reasonNoInteraction"];
    else if (live === "sessions" && half.are_sessions_estimated) note.textContent = words.wEstimated;
    else note.textContent = beside.replace("{count}", besideName ? count.format(half[besideName]) : "");
  }

  function list(panel, half) {
    const { list: name, key, columns } = panel.dataset;
    const body = panel.querySelector("tbody");
    const isQuiet = !half[TOTAL[panel.dataset.half]];
    panel.dataset.state = isQuiet ? "no-data" : "ok";
    panel.querySelector("[data-none]").hidden = !isQuiet;
    const found = name === "pages" ? half[name].slice(0, Number(words.shownPages)) : half[name];
    const state = JSON.stringify(found);
    if (panel.seen === state) return;
    panel.seen = state;
    body.replaceChildren(...found.map((row) => {
      const made = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      head.textContent = head.dataset.label = keyOf(key, row[key]);
      made.append(head);
      for (const column of columns.split(",")) {
        const cell = document.createElement("td");
        cell.className = "number";
        cell.dataset.value = row[column];
        cell.textContent = cell.dataset.text = count.format(row[column]);
        made.append(cell);
      }
      return made;
    }));
    if (!isQuiet) window.shoplake.drawAll(panel);
  }

  function shown(counts) {
    heard = Date.now();
    tell("ok", counts.is_complete ? words.wConnected : words.wCounting);
    const halves = Object.keys(TOTAL).filter((half) => half in counts);
    for (const place of root.querySelectorAll("[data-live]")) tile(place, counts[place.dataset.half]);
    for (const panel of root.querySelectorAll("[data-list]")) list(panel, counts[panel.dataset.half]);
    for (const note of root.querySelectorAll("[data-quiet]")) note.hidden = Boolean(counts[note.dataset.quiet][TOTAL[note.dataset.quiet]]);
    const times = halves.map((half) => counts[half].newest_at).filter(Boolean).map((time) => Date.parse(time));
    // The server's clock and this one may differ: the age is taken on the server's and goes on by ours.
    newest = times.length ? Date.now() - Math.max(0, Date.parse(counts.refreshed_at) - Math.max(...times)) : null;
    tick();
  }

  function ageOf(seconds) {
    const sizes = [[3600, "hour"], [60, "minute"], [1, "second"]];
    const [size, unit] = sizes.find(([least]) => seconds >= least) ?? sizes[2];
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(Math.floor(seconds / size));
  }

  function tick() {
    if (!heard) return;
    age.textContent = newest === null ? words.wNoAge : words.wAge.replace("{age}", ageOf((Date.now() - newest) / 1000));
    if (Date.now() - heard > STALE_MS && root.dataset.state === "ok") tell("lost", words.wLost);
  }

  function collector(state) {
    words.collector = state;
    const text = { open: words.collectorOpen, shut: words.collectorShut, none: words.collectorNone }[state] ?? "";
    for (const place of root.querySelectorAll("[data-collector-words]")) place.textContent = text;
  }

  // A stream that the server has refused ends for good; why, is asked once more by another request.
  async function refused() {
    try {
      const answer = await fetch(words.follow, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      if (answer.status === 403) { tell("lost", words.wEnded); return; }
      if (answer.status === 503) tell("lost", words.wBusy);
    } catch {
      tell("lost", words.wLost);
    }
    setTimeout(follow, AGAIN_MS);
  }

  function follow() {
    const source = new EventSource(words.follow);
    source.addEventListener("live", (event) => shown(JSON.parse(event.data)));
    source.addEventListener("collector", (event) => collector(event.data));
    source.addEventListener("error", () => {
      tell("lost", words.wLost);
      if (source.readyState === EventSource.CLOSED) refused();
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  setInterval(tick, 1000);
  follow();
})();
