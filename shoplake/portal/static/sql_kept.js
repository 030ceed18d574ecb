"use strict";
// Saved queries and history of the SQL console, by the service's own addresses.
(() => {
  const { element } = window.shoplakeConsole;

  class Kept {
    /**
     * @param {HTMLElement} root the console
     * @param {(path: string, how?: object) => Promise<unknown>} call asks the service
     * @param {{show: (sql: string, query?: object) => void, text: () => string, say: (text: string) => void}} at the console's ends
     */
    constructor(root, call, at) {
      const find = (name) => document.getElementById(name);
      Object.assign(this, { root, words: root.dataset, call, at, saved: find("saved"), past: find("history"), forget: find("forget"), dialog: find("saving"), name: find("saving-name"), shared: find("saving-shared"), problem: find("saving-problem"), change: find("saving-change") });
      const { query, name, own, shared } = root.dataset;
      this.loaded = query ? { query_id: query, name, is_own: own === "yes", is_shared: shared === "yes" } : null;
      find("save").addEventListener("click", () => this.ask());
      find("saving-not").addEventListener("click", () => this.dialog.close());
      this.dialog.addEventListener("submit", (event) => { event.preventDefault(); this.keep(event.submitter === this.change); });
      this.forget.addEventListener("click", () => this.attempt(async () => {
        await this.call("/v1/query-history", { method: "DELETE" });
        await this.listHistory();
      }));
    }

    /** Do something; a failure is said. */
    async attempt(act) {
      try { await act(); } catch (error) { this.at.say(error.message); }
    }

    ask() {
      const { loaded } = this;
      this.name.value = loaded?.name ?? "";
      this.shared.checked = Boolean(loaded?.is_shared && loaded.is_own);
      this.change.hidden = !loaded?.is_own;
      this.problem.hidden = true;
      this.dialog.showModal();
      this.name.focus();
    }

    async keep(isChange) {
      const body = { name: this.name.value, sql: this.at.text(), is_shared: this.shared.checked };
      const path = isChange ? `/v1/saved-queries/${encodeURIComponent(this.loaded.query_id)}` : "/v1/saved-queries";
      try {
        this.load(await this.call(path, { method: isChange ? "PUT" : "POST", body }));
      } catch (error) {
        this.problem.textContent = error.message;
        this.problem.hidden = false;
        return;
      }
      this.dialog.close();
      this.at.say(this.words.wSaved);
      await this.attempt(() => this.listSaved());
    }

    /** Take a saved query as the one at hand, so that the address and the dialog are about it. */
    load(query) {
      this.loaded = query;
      history.replaceState(null, "", query ? `/sql?query=${encodeURIComponent(query.query_id)}` : "/sql");
    }

    async listSaved() {
      const found = await this.call("/v1/saved-queries");
      const rows = found.map((query) => {
        const pick = element("button", { type: "button", class: "pick" }, query.name);
        pick.addEventListener("click", () => { this.load(query); this.at.show(query.sql); });
        const told = [query.is_own ? "" : this.words.wBy.replace("{name}", query.author), query.is_shared ? this.words.wShared.replace("{role}", this.words.role) : this.words.wOwn];
        const foot = element("div", { class: "foot" }, element("small", {}, told.filter(Boolean).join(" · ")));
        if (query.is_own) foot.append(this.deleting(query));
        const row = element("li", {}, pick, foot);
        row.dataset.query = query.query_id;
        return row;
      });
      this.fill(this.saved, rows, this.words.wNoSaved);
    }

    /** Give the button that deletes a query; it asks once more by changing its words. */
    deleting(query) {
      const button = element("button", { type: "button", class: "small danger" }, this.words.wDelete);
      button.setAttribute("aria-label", `${this.words.wDelete}: ${query.name}`);
      button.addEventListener("click", () => {
        if (!button.dataset.sure) {
          button.dataset.sure = "yes";
          button.textContent = this.words.wReally;
          button.setAttribute("aria-label", `${this.words.wReally} ${query.name}`);
          return;
        }
        this.attempt(async () => {
          await this.call(`/v1/saved-queries/${encodeURIComponent(query.query_id)}`, { method: "DELETE" });
          if (this.loaded?.query_id === query.query_id) this.load(null);
          this.at.say(this.words.wDeleted);
          await this.listSaved();
        });
      });
      return button;
    }

    async listHistory() {
      const found = await this.call("/v1/query-history");
      const language = document.documentElement.lang;
      const time = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
      const outcomes = { ok: this.words.wOk, failed: this.words.wFailedMark, cancelled: this.words.wCancelledMark };
      const rows = found.map((query) => {
        const pick = element("button", { type: "button", class: "pick" }, element("code", {}, query.sql));
        pick.addEventListener("click", () => { this.load(null); this.at.show(query.sql); });
        const told = [time.format(new Date(query.asked_at)), query.rows === null ? outcomes[query.outcome] : this.rowsOf(query.rows, language)];
        return element("li", {}, pick, element("small", {}, told.join(" · ")));
      });
      this.fill(this.past, rows, this.words.wNoHistory);
      this.forget.hidden = !rows.length;
    }

    rowsOf(number, language) {
      return number === 1 ? this.words.wRow : this.words.wRows.replace("{rows}", number.toLocaleString(language));
    }

    fill(list, rows, words) {
      list.replaceChildren(...(rows.length ? rows : [element("li", { class: "lead" }, words)]));
    }
  }

  window.shoplakeConsole.Kept = Kept;
})();
