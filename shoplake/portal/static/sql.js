"use strict";
// The SQL console: the editor or a plain field, running and cancelling, the answer, files of it, the tree of tables.
(() => {
  const root = document.getElementById("console");
  const words = root.dataset;
  const find = (name) => document.getElementById(name);
  const { Grid, Chart, Kept, element } = window.shoplakeConsole;
  const language = document.documentElement.lang;
  const field = find("sql"), said = find("said"), problem = find("problem"), result = find("result"), tree = find("tree");
  const ui = { run: find("run"), cancel: find("cancel"), limit: find("limit"), release: find("release"), going: find("going"), clock: find("clock"), bar: find("going").firstChild, tools: find("tools"), grid: find("grid"), hint: find("hint"), draw: find("draw"), drawing: find("drawing") };
  let running = null; // the query that runs: what aborts it
  let shown = null; // the answer on the screen, and what it was asked by

  const many = (number) => number.toLocaleString(language);
  const rowsOf = (number) => (number === 1 ? words.wRow : words.wRows.replace("{rows}", many(number)));
  const secondsOf = (ms) => (ms / 1000).toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: ms < 1000 ? 2 : 1 });
  const say = (text) => { said.textContent = text; };

  // The service ------------------------------------------------------------------------------------------------------

  class Failure extends Error {
    constructor({ message, hint }) { super(message); this.hint = hint; }
  }

  async function ask(path, { method = "GET", body, signal, accept = "application/json" } = {}) {
    const headers = { Accept: accept, "X-CSRF-Token": words.csrf };
    if (body) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body), credentials: "same-origin", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure({ message: words.wUnreachable, hint: "" });
    }
    if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    if (!answer.ok) throw new Failure((await answer.json()).error);
    return answer;
  }
  const call = async (path, how) => { const answer = await ask(path, how); return answer.status === 204 ? null : answer.json(); };

  // The editor -------------------------------------------------------------------------------------------------------

  function editorOf() {
    if (words.editor && window.shoplakeEditor) {
      const place = find("editor");
      place.hidden = false;
      field.closest("label").hidden = true;
      field.disabled = true;
      return window.shoplakeEditor(place, { text: field.value, label: words.wEditor, run });
    }
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    });
    return {
      get text() { return field.value; },
      set text(made) { field.value = made; },
      focus() { field.focus(); },
      insert(made) { field.setRangeText(made, field.selectionStart, field.selectionEnd, "end"); field.focus(); },
      knowTables() {},
      knowWords() {},
    };
  }
  const editor = editorOf();
  if (location.hash.startsWith("#sql=")) {
    try { editor.text = decodeURIComponent(location.hash.slice(5)); } catch { say(words.wFailed); }
  }

  // Running ----------------------------------------------------------------------------------------------------------

  function busy(isBusy, began) {
    const hadFocus = document.activeElement === ui.cancel;
    ui.going.hidden = ui.cancel.hidden = !isBusy;
    result.setAttribute("aria-busy", String(isBusy));
    if (!isBusy && hadFocus) ui.run.focus();
    if (!isBusy) return 0;
    ui.bar.removeAttribute("value");
    const limit = words.wLimit.replace("{seconds}", many(Number(words.seconds)));
    const tick = () => { ui.clock.textContent = `${secondsOf(performance.now() - began)} s · ${limit}`; };
    tick();
    return setInterval(tick, 100);
  }

  async function received(answer, began) {
    const whole = Number(answer.headers.get("content-length")) || 0;
    const reader = answer.body.getReader();
    const pieces = [];
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
      if (whole) ui.bar.value = size / whole;
      ui.clock.textContent = `${words.wReceiving} · ${(size / 1e6).toLocaleString(language, { maximumFractionDigits: 1 })} MB · ${secondsOf(performance.now() - began)} s`;
    }
    return JSON.parse(await new Blob(pieces).text());
  }

  async function run() {
    if (running || !editor.text.trim()) return;
    running = new AbortController();
    const began = performance.now();
    const question = { sql: editor.text, release: ui.release.value || null, limit: Number(ui.limit.value) };
    problem.replaceChildren();
    say(words.wRunning);
    result.dataset.state = "loading";
    let clock = busy(true, began);
    try {
      const answer = await ask("/v1/sql", { method: "POST", body: question, signal: running.signal });
      clearInterval(clock);
      clock = 0;
      show(question, await received(answer, began), performance.now() - began);
    } catch (error) {
      fail(error);
    } finally {
      clearInterval(clock);
      running = null;
      busy(false, began);
    }
    // The history is written once the answer is out.
    if (!kept.past.closest("section").hidden) setTimeout(() => openTab("history"), 400);
  }

  function clear() {
    shown = null;
    ui.grid.replaceChildren();
    ui.tools.hidden = ui.drawing.hidden = ui.hint.hidden = true;
    ui.draw.setAttribute("aria-expanded", "false");
  }

  function fail(error) {
    clear();
    if (error.name === "AbortError") {
      result.dataset.state = "cancelled";
      say(words.wCancelled);
      return;
    }
    result.dataset.state = "failed";
    say("");
    const note = element("p", { class: "note problem" }, element("strong", {}, words.wFailed));
    problem.replaceChildren(note, element("pre", {}, error.message), ...(error.hint ? [element("p", { class: "lead" }, error.hint)] : []));
  }

  function show(question, answer, ms) {
    const isOpen = !ui.drawing.hidden;
    clear();
    shown = { question: { ...question, release: answer.release }, answer };
    result.dataset.state = "ok";
    const time = words.wIn.replace("{seconds}", secondsOf(ms));
    if (!answer.rows.length) { say(`${words.wNone} ${time}`); return; }
    const cut = answer.is_cut ? ` ${words.wCut.replace("{rows}", many(answer.rows.length))}` : "";
    const page = answer.is_cut && ui.limit.options.length === 1 ? ` ${words.wPage}` : "";
    say(`${rowsOf(answer.rows.length)} ${time}.${cut}${page}`);
    ui.tools.hidden = false;
    new Grid(ui.grid, answer, words, copied(words.wCopied));
    chart.offer(answer);
    if (isOpen) openChart(true);
  }

  find("run").closest("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  ui.cancel.addEventListener("click", () => running?.abort());

  // Copying, files, chart --------------------------------------------------------------------------------------------

  const copied = (done) => async (text) => {
    try { await navigator.clipboard.writeText(text); say(done); } catch { say(words.wNotCopied); }
  };
  find("link").addEventListener("click", () => {
    const isSaved = kept.loaded && !location.hash;
    copied(words.wLink)(isSaved ? `${location.origin}/sql?query=${encodeURIComponent(kept.loaded.query_id)}` : `${location.origin}/sql#sql=${encodeURIComponent(editor.text)}`);
  });

  async function save(kind) {
    const { question, answer } = shown;
    try {
      const file = await ask("/v1/sql", { method: "POST", accept: "*/*", body: { ...question, format: kind, limit: Math.max(1, answer.row_count) } });
      const name = /filename="([^"]+)"/.exec(file.headers.get("content-disposition") ?? "")?.[1] ?? `result.${kind}`;
      const address = URL.createObjectURL(await file.blob());
      element("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    } catch (error) {
      problem.replaceChildren(element("p", { class: "note problem" }, `${error.message} ${error.hint ?? ""}`));
    }
  }
  for (const button of document.querySelectorAll("[data-file]")) button.addEventListener("click", () => save(button.dataset.file));

  const chart = new Chart(ui.drawing, words);
  function openChart(isOpen) {
    ui.drawing.hidden = !isOpen;
    ui.draw.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) chart.draw();
  }
  ui.draw.addEventListener("click", () => openChart(ui.drawing.hidden));

  // Tables, saved queries, history -----------------------------------------------------------------------------------

  const kept = new Kept(root, call, { show: (sql) => { editor.text = sql; editor.focus(); }, text: () => editor.text, say });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.insert) editor.insert(button.dataset.insert);
    if (button.dataset.look) { kept.load(null); editor.text = button.dataset.look; run(); }
    if (button.dataset.tab) openTab(button.dataset.tab);
  });

  async function openTab(name) {
    for (const button of document.querySelectorAll("[data-tab]")) button.setAttribute("aria-pressed", String(button.dataset.tab === name));
    for (const section of document.querySelectorAll("[data-of]")) section.hidden = section.dataset.of !== name;
    try {
      if (name === "saved") await kept.listSaved();
      if (name === "history") await kept.listHistory();
    } catch (error) {
      say(error.message);
    }
  }

  function known() {
    return [...tree.querySelectorAll("[data-table]")].map((table) => ({
      name: table.dataset.table,
      doc: table.dataset.doc,
      columns: [...table.querySelectorAll("[data-column]")].map(({ dataset }) => ({ name: dataset.column, type: dataset.type, doc: dataset.doc })),
    }));
  }

  function narrow() {
    const wanted = find("find").value.trim().toLowerCase();
    let found = 0;
    for (const table of tree.querySelectorAll("[data-table]")) {
      let inside = 0;
      for (const column of table.querySelectorAll("[data-column]")) {
        const fits = column.dataset.column.toLowerCase().includes(wanted);
        column.hidden = Boolean(wanted) && !fits && !table.dataset.table.includes(wanted);
        inside += fits;
      }
      const fits = table.dataset.table.toLowerCase().includes(wanted) || inside > 0;
      table.parentElement.hidden = !fits;
      if (wanted) table.open = inside > 0;
      found += fits;
    }
    find("no-match").hidden = found > 0;
    find("no-match").textContent = found ? "" : words.wNoMatch;
  }
  find("find").addEventListener("input", narrow);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target !== tree) return;
    tree.removeAttribute("aria-busy");
    editor.knowTables(known());
    narrow();
  });
  if (words.editor) call("/sql/words").then((found) => editor.knowWords(found)).catch(() => {});
  root.dataset.ready = "yes";
})();
