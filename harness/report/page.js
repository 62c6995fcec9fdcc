"use strict";
// Filters and side-by-side reading. All data is text from elsewhere: it reaches the page through textContent alone.
(() => {
  const BATCH = 50;
  const KEYS = ["judge", "category", "outcome", "q", "id"];
  const LETTER = { win: "W", loss: "L", tie: "T" };
  const [ID, REPEAT, CATEGORY, TURNS, CANDIDATE, BASELINE, RULED, CONTESTED] = [0, 1, 2, 3, 4, 5, 6, 7];
  const form = document.getElementById("filters");
  if (!form) return;
  const data = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("list");
  const more = document.getElementById("more");
  const status = document.getElementById("status");
  const legend = document.getElementById("legend");
  const openAll = document.getElementById("open");
  let found = [];
  let shown = 0;
  let only = null;

  function el(tag, kind, text) {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  }
  const put = (parent, ...children) => (parent.append(...children), parent);

  // Filters

  function fill(select, names) {
    for (const name of names) {
      const option = el("option", "", name);
      option.value = name;
      select.append(option);
    }
  }
  function chosen() {
    const judge = data.judges.findIndex((one) => one.name === form.judge.value);
    return { judge, category: form.category.value, outcome: form.outcome.value, q: form.q.value.trim().toLowerCase(), id: only };
  }
  function hasOutcome(item, want) {
    if (!want.outcome) return want.judge < 0 || item[RULED].some((one) => one[0] === want.judge);
    if (want.outcome === "contested") return item[CONTESTED] === 1;
    const judges = want.judge < 0 ? data.matter : [want.judge];
    return judges.some((judge) => {
      const ruled = item[RULED].find((one) => one[0] === judge);
      if (want.outcome === "unscored") return !ruled || ruled[1] === "unscored";
      return ruled !== undefined && (want.outcome === "inconsistent" ? ruled[2] === 1 : ruled[1] === want.outcome);
    });
  }
  function hasText(item, q) {
    const holds = (text) => typeof text === "string" && text.toLowerCase().includes(q);
    return holds(item[ID]) || item[TURNS].some(holds) || (item[CANDIDATE] || []).some(holds) ||
      (item[BASELINE] || []).some(holds) || item[RULED].some((one) => one[3].some((row) => holds(row[5])));
  }
  function matches(item, want) {
    if (want.id !== null && item[ID] !== want.id) return false;
    if (want.category && data.categories[item[CATEGORY]] !== want.category) return false;
    return hasOutcome(item, want) && (!want.q || hasText(item, want.q));
  }

  // The list: a line each, built fifty at a time; what is inside a line is built when it is opened.

  function refresh() {
    const want = chosen();
    found = data.items.filter((item) => matches(item, want));
    shown = 0;
    list.replaceChildren();
    explain();
    extend();
    const total = `${data.items.length.toLocaleString("en")} ${data.items.length === 1 ? "comparison" : "comparisons"}`;
    status.textContent = found.length === data.items.length ? total : `${found.length.toLocaleString("en")} of ${total}`;
    if (only !== null && list.firstChild) list.firstChild.firstChild.open = true;
  }
  function extend() {
    const next = found.slice(shown, shown + BATCH);
    list.append(...next.map(entry));
    shown += next.length;
    openAll.hidden = found.length === 0;
    more.hidden = shown >= found.length;
    more.textContent = `Show ${Math.min(BATCH, found.length - shown)} more`;
  }
  function entry(item) {
    const details = el("details");
    const name = item[REPEAT] ? `${item[ID]} · repeat ${item[REPEAT]}` : item[ID];
    const line = put(el("summary"), el("bdi", "id", name), el("span", "line", item[TURNS].join(" / ") || "(prompt text unknown)"), chips(item));
    details.append(line);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(body(item));
    });
    return put(el("li"), details);
  }
  const judgesShown = () => (form.judge.value ? [chosen().judge] : data.matter);
  function explain() {
    const names = judgesShown().map((judge) => data.judges[judge].name);
    legend.textContent = "W won by the candidate, L lost, T tied, – no verdict, * split by order" +
      (names.length > 1 ? `; from left to right ${names.join(", ")}. Contested: judges, or one judge’s two orders, name different winners.` : ".");
    legend.hidden = names.length === 0;
  }
  function chips(item) {
    const row = el("span", "chips");
    for (const judge of judgesShown()) {
      const ruled = item[RULED].find((one) => one[0] === judge);
      const outcome = ruled ? ruled[1] : "not judged";
      const split = ruled && ruled[2] === 1;
      const chip = el("span", `chip ${outcome}${split ? " split" : ""}`, (LETTER[outcome] || "–") + (split ? "*" : ""));
      const words = `${data.judges[judge].name}: ${outcome}${split ? ", split by order" : ""}`;
      chip.title = words;
      chip.setAttribute("aria-label", words);
      chip.setAttribute("role", "img");
      row.append(chip);
    }
    return row;
  }

  // One comparison, side by side

  function body(item) {
    const made = el("div", "body");
    made.append(put(el("div", "prompt"), el("h3", "", promptTitle(item)), ...texts(item[TURNS])));
    made.append(put(el("div", "two"), side("candidate", item[CANDIDATE]), side("baseline", item[BASELINE])));
    item[RULED].forEach((ruled) => made.append(judge(ruled)));
    const link = el("a", "", "link to this comparison");
    link.href = `#id=${encodeURIComponent(item[ID])}`;
    return put(made, put(el("p", "key"), link));
  }
  function promptTitle(item) {
    const category = data.categories[item[CATEGORY]];
    return category === undefined ? "prompt" : `prompt · ${category}`;
  }
  function texts(turns) {
    return turns.flatMap((text, i) => {
      const block = el("div", "text", text);
      block.dir = "auto";
      return turns.length > 1 ? [el("p", "turn", `turn ${i + 1}`), block] : [block];
    });
  }
  function side(role, turns) {
    const title = el("h3", role, role);
    if (!turns) return put(el("div", role), title, el("p", "key", "— no response: the model failed, or the texts are not in this file"));
    const length = turns.reduce((sum, text) => sum + Array.from(text).length, 0);
    title.append(el("span", "length", ` · ${length.toLocaleString("en")} characters`));
    return put(el("div", role), title, ...texts(turns));
  }
  function judge([place, outcome, split, rows]) {
    const { name, group } = data.judges[place];
    const title = el("h3");
    title.append(el("bdi", "", name), el("span", "", ` · ${outcome}${split ? ", split by order" : ""}${group === "counts" ? "" : ` · ${group}`}`));
    return put(el("div", "judge"), title, put(el("div", "two"), ...rows.map(order)));
  }
  function order([shownFirst, verdict, winner, state, scores, reply, preference]) {
    const line = el("p");
    const slots = shownFirst ? data.slots[shownFirst] : null;
    line.append(slots ? `${slots.A} shown first: ` : "order unknown: ");
    if (state !== "ok") line.append(el("b", "", `no verdict (${state})`));
    else line.append(verdict && verdict !== "tie" ? `said ${verdict}, the ` : "", el("b", `who-${winner}`, winner));
    if (typeof preference === "number") line.append(` · probability of the candidate ${preference.toFixed(2)}`);
    return put(el("div", "order"), line, ...scoreTable(scores, slots), ...reasons(reply));
  }
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

  function scoreTable(scores, slots) {
    if (scores === null || scores === undefined) return [];
    if (!isObject(scores) || !isObject(scores.A) || !isObject(scores.B)) return [el("p", "key", `scores ${plain(scores)}`)];
    const who = (slot) => (slots ? `${slot} · ${slots[slot]}` : slot);
    const row = (kind, ...cells) => put(el("tr"), ...cells.map((text) => el(kind, "", text)));
    const table = put(el("table"), put(el("thead"), row("th", "", who("A"), who("B"))));
    const names = [...new Set([...Object.keys(scores.A), ...Object.keys(scores.B)])];
    const rows = names.map((name) => {
      const value = (slot) => (name in scores[slot] ? plain(scores[slot][name]) : "—");
      const cells = row("td", value("A"), value("B"));
      cells.prepend(el("th", "", name));
      return cells;
    });
    return [put(table, put(el("tbody"), ...rows))];
  }
  function reasons(reply) {
    if (!reply) return [];
    let parsed = null;
    try { parsed = JSON.parse(reply); } catch { parsed = null; }
    const said = isObject(parsed) ? Object.entries(parsed).filter(([key, value]) => key !== "winner" && typeof value === "string" && value.trim()) : [];
    if (!said.length) return texts([reply]);
    const raw = put(el("details"), el("summary", "", "reply as received"), ...texts([reply]));
    return [...texts([said.map(([, value]) => value).join("\n\n")]), raw];
  }

  // The address holds the filters, so that a view can be sent to someone.

  function write() {
    const values = { judge: form.judge.value, category: form.category.value, outcome: form.outcome.value, q: form.q.value, id: only };
    const params = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
    try { history.replaceState(null, "", `#${params}`); } catch { /* a frame without history keeps its filters, not its address */ }
  }
  function read() {
    const params = new URLSearchParams(location.hash.slice(1));
    if (!KEYS.some((key) => params.has(key))) return false;
    for (const key of ["judge", "category", "outcome"]) {
      const value = params.get(key) || "";
      form[key].value = [...form[key].options].some((option) => option.value === value) ? value : "";
    }
    form.q.value = params.get("q") || "";
    only = params.get("id");
    return true;
  }

  let waiting = 0;
  function changed() { only = null; refresh(); write(); }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, event.target === form.q ? 150 : 0);
  });
  form.addEventListener("reset", () => setTimeout(changed, 0));
  more.addEventListener("click", extend);
  openAll.addEventListener("click", () => {
    const all = [...list.querySelectorAll(":scope > li > details")];
    const open = all.some((details) => !details.open);
    for (const details of all) details.open = open;
  });
  addEventListener("hashchange", () => {
    if (!read()) return;
    refresh();
    document.getElementById("read").scrollIntoView();
  });

  fill(form.judge, data.judges.map((one) => one.name));
  fill(form.category, data.categories);
  form.hidden = false;
  read();
  refresh();
})();
