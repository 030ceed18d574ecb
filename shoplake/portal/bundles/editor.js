// The editor of the SQL console, bundled by `python -m shoplake.portal.build`. It lives in a shadow root: there its style
// is adopted as constructed sheets, which the page's Content-Security-Policy (style-src 'self') has nothing against.
import { closeCompletion } from "@codemirror/autocomplete";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { SQLDialect, PostgreSQL, sql } from "@codemirror/lang-sql";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { basicSetup } from "codemirror";
import { tags } from "@lezer/highlight";

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "0.875rem", maxHeight: "22rem", minHeight: "9rem" },
  "&.cm-focused": { outline: "3px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "ui-monospace, 'SF Mono', Menlo, Consolas, monospace", lineHeight: "1.55", minHeight: "9rem" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.6rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--soft)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--sunken) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selected)" },
  ".cm-selectionMatch": { backgroundColor: "var(--accent-wash)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-wash)", outline: "1px solid var(--accent)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--strong-line)", borderRadius: "8px", overflow: "hidden", boxShadow: "0 8px 28px rgb(0 0 0 / 22%)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "inherit", maxHeight: "15rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "0.2rem 0.6rem", lineHeight: "1.45" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "inherit", fontStyle: "normal", opacity: "0.8", marginLeft: "0.75rem" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionInfo": { padding: "0.5rem 0.75rem", maxWidth: "22rem" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
});
const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--code-keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.standard(tags.name), color: "var(--code-function)" },
  { tag: tags.typeName, color: "var(--code-function)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--soft)", fontStyle: "italic" },
]);

// A list that was about to open is not wanted any more where the person has gone on.
const LEFT = EditorView.domEventHandlers({
  blur(event, view) { if (!event.relatedTarget?.closest(".cm-tooltip")) closeCompletion(view); },
});

// A browser that types over selected text itself keeps its look in a style attribute, which the page's policy refuses
// aloud; so the editor does it.
const TYPED_OVER = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to, empty } = view.state.selection.main;
    if (event.inputType !== "insertText" || !event.data || empty || view.composing) return false;
    event.preventDefault();
    const made = () => view.state.update(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    const handlers = view.state.facet(EditorView.inputHandler);
    if (!handlers.some((handle) => handle(view, from, to, event.data, made))) view.dispatch(made());
    return true;
  },
});

/** Give the dialect of the engine: its own keywords and functions. */
function dialectOf({ keywords, functions }) {
  return SQLDialect.define({
    ...PostgreSQL.spec,
    keywords: keywords.join(" "),
    builtin: functions.map(({ name }) => name).join(" "),
    caseInsensitiveIdentifiers: true,
  });
}

/** Complete tables by their full name, and the columns of those that the query names. */
function namesOf(tables) {
  const listed = tables.map(({ name, doc }) => ({ label: name.split(".")[1], apply: name, detail: name.split(".")[0], info: doc || undefined, type: "class", boost: 1 }));
  return (context) => {
    const word = context.matchBefore(/\w+/);
    if (!word && !context.explicit) return null;
    const from = word ? word.from : context.pos;
    if (context.state.sliceDoc(Math.max(0, from - 1), from) === ".") return null;
    const text = context.state.doc.toString();
    const columns = new Map();
    for (const { name, columns: own } of tables) {
      if (new RegExp(`\\b${name.split(".")[1]}\\b`, "i").test(text)) {
        for (const column of own) if (!columns.has(column.name)) columns.set(column.name, { label: column.name, detail: column.type, info: column.doc || undefined, type: "property", boost: 3 });
      }
    }
    return { from, options: [...columns.values(), ...listed], validFor: /^\w*$/ };
  };
}

function languageOf(words, tables) {
  const known = new Map(words.functions.map((one) => [one.name, one]));
  const schema = {};
  for (const { name, columns } of tables) {
    const [database, table] = name.split(".");
    (schema[database] ??= {})[table] = columns.map((column) => ({ label: column.name, detail: column.type, info: column.doc || undefined, type: "property" }));
  }
  const dialect = dialectOf(words);
  const keywordCompletion = (label, type) => {
    const one = known.get(label);
    return one ? { label, type: "function", info: one.doc || undefined, apply: `${label}(`, boost: -1 } : { label: label.toUpperCase(), type: type === "type" ? "type" : "keyword" };
  };
  const support = sql({ dialect, schema, keywordCompletion });
  return [support, dialect.language.data.of({ autocomplete: namesOf(tables) })];
}

/**
 * Make an editor in an element.
 * @param {HTMLElement} host where it goes
 * @param {{text: string, label: string, run: () => void}} how its text, its name, and what Ctrl-Enter or Cmd-Enter does
 */
window.shoplakeEditor = (host, { text, label, run }) => {
  const root = host.attachShadow({ mode: "open" });
  const language = new Compartment();
  let words = { keywords: ["select", "from", "where", "group", "by", "order", "limit"], functions: [] };
  let tables = [];
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", preventDefault: true, run: (view) => { closeCompletion(view); run(); return true; } }])),
        basicSetup,
        Prec.high(syntaxHighlighting(COLOURS)),
        LOOK,
        TYPED_OVER,
        LEFT,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
        language.of(languageOf(words, tables)),
      ],
    }),
  });
  const learn = () => view.dispatch({ effects: language.reconfigure(languageOf(words, tables)) });
  return {
    get text() { return view.state.doc.toString(); },
    set text(made) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: made } }); },
    focus() { view.focus(); },
    insert(made) { view.dispatch(view.state.replaceSelection(made)); view.focus(); },
    knowTables(found) { tables = found; learn(); },
    knowWords(found) { words = found; learn(); },
  };
};
