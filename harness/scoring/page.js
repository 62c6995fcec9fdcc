"use strict";
// Filters, orders and reading turn by turn. All data is text from elsewhere: it reaches the page through textContent alone.
(() => {
  const BATCH = 50;
  const FIELDS = ["judge", "category", "want", "sort"];
  const [ID, SAMPLE, CATEGORY, TURNS, REFERENCE, ANSWERS, LEVELS] = [0, 1, 2, 3, 4, 5, 6];
  const WHY = {
    invalid_parse: "invalid: the reply names no grade of the scale", truncated: "the reply was cut off", refused: "the judge refused",
    provider_error: "the call failed", skipped: "not asked", absent: "not on record",
    "no answer": "the conversation had no room for this turn", "too long": "too long for the judge",
  };
  const form = document.getElementById("filters");
  if (!form) return;
  const data = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("list");
  const more = document.getElementById("more");
  const status = document.getElementById("status");
  const legend = document.getElementById("legend");
  const openAll = document.getElementById("open");
  const paired = data.roles.length > 1;
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
  const minus = (text) => text.replace("-", "−");
  const level = (value) => minus(value.toFixed(2));
  const signed = (value) => (value > 0 ? "+" : "") + minus(value.toFixed(2));

  // Filters and orders

  function fill(select, names) {
    for (const name of names) {
      const option = el("option", "", name);
      option.value = name;
      select.append(option);
    }
  }
  function chosen() {
    const judge = data.judges.findIndex((one) => one.name === form.judge.value);
    const want = { judges: judge < 0 ? data.judges.map((_, i) => i) : [judge], q: form.q.value.trim().toLowerCase(), id: only };
    for (const name of ["category", "want", "sort"]) want[name] = form[name].value;
    return want;
  }
  const same = (change) => Math.abs(change) <= 1e-9;
  const WANTED = {
    gained: (change) => change !== null && change > 0 && !same(change),
    dropped: (change) => change !== null && change < 0 && !same(change),
    same: (change) => change !== null && same(change),
  };
  function isWanted(item, want) {
    if (!want.want) return true;
    if (want.want === "unanswered") return item[ANSWERS].some((answer) => answer && (answer[0] || []).length < item[TURNS].length);
    if (want.want === "ungraded") {
      return item[ANSWERS].some((answer) => answer && answer[1].some((grade) => grade[3] === null && want.judges.includes(grade[0])));
    }
    return want.judges.some((judge) => WANTED[want.want](item[LEVELS][judge][2]));
  }
  function hasText(item, q) {
    const holds = (text) => typeof text === "string" && text.toLowerCase().includes(q);
    const inAnswer = (answer) => answer && ((answer[0] || []).some(holds) || answer[1].some((grade) => holds(grade[5])));
    return holds(item[ID]) || item[TURNS].some(holds) || item[REFERENCE].some(holds) || item[ANSWERS].some(inAnswer);
  }
  function matches(item, want) {
    if (want.id !== null && item[ID] !== want.id) return false;
    if (want.category && data.categories[item[CATEGORY]] !== want.category) return false;
    return isWanted(item, want) && (!want.q || hasText(item, want.q));
  }
  // Grades of several judges are put in order by their place on each judge's own scale.
  const width = (judge) => (data.judges[judge].scale ? data.judges[judge].scale[1] - data.judges[judge].scale[0] : 1);
  const lowest = (judge) => (data.judges[judge].scale ? data.judges[judge].scale[0] : 0);
  function weight(item, want) {
    const changed = want.sort === "change" || want.sort === "gain" || want.sort === "drop";
    const sign = want.sort === "drop" || want.sort === "low" ? -1 : 1;
    const values = want.judges.map((judge) => {
      const value = item[LEVELS][judge][changed ? 2 : 0];
      return value === null ? null : (changed ? value : value - lowest(judge)) / width(judge);
    }).filter((value) => value !== null);
    if (!values.length) return -Infinity;
    return Math.max(...values.map((value) => (want.sort === "change" ? Math.abs(value) : sign * value)));
  }

  // The list: a line each, built fifty at a time; what is inside a line is built when it is opened.

  function refresh() {
    const want = chosen();
    found = data.items.filter((item) => matches(item, want));
    if (want.sort) {
      const weights = new Map(found.map((item) => [item, weight(item, want)]));
      found.sort((a, b) => (weights.get(a) === weights.get(b) ? 0 : weights.get(b) - weights.get(a)));
    }
    shown = 0;
    list.replaceChildren();
    explain();
    extend();
    const total = `${data.items.length.toLocaleString("en")} ${data.items.length === 1 ? "prompt" : data.samples > 1 ? "samples of prompts" : "prompts"}`;
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
    const name = data.samples > 1 ? `${item[ID]} · sample ${item[SAMPLE] + 1}` : item[ID];
    const line = el("span", "line");
    item[TURNS].forEach((text, i) => line.append(i ? " / " : "", el("bdi", "", text)));
    details.append(put(el("summary"), el("bdi", "id", name), line, chips(item)));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(body(item));
    });
    return put(el("li"), details);
  }
  function explain() {
    const names = chosen().judges.map((judge) => data.judges[judge].name);
    const parts = [paired ? "candidate’s grade and its change against the baseline" : "candidate’s grade"];
    if (data.samples > 1) parts.push("means over a prompt’s samples");
    parts.push("– no grade of every turn");
    if (names.length > 1) parts.push(`from left to right ${names.join(", ")}`);
    if (names.length > 1 && form.sort.value) parts.push("put in order by the judge that says most, on its own scale");
    legend.textContent = `${parts.join("; ")}.`.replace(/^c/, "C");
    legend.hidden = names.length === 0;
  }
  function chips(item) {
    const row = el("span", "chips");
    for (const judge of chosen().judges) {
      const [own, , change] = item[LEVELS][judge];
      const kind = own === null ? "missing" : change === null || same(change) ? "" : change > 0 ? "gained" : "dropped";
      const moved = paired && own !== null ? ` ${change === null ? "–" : same(change) ? "±0" : signed(change)}` : "";
      const chip = el("span", `chip ${kind}`, (own === null ? "–" : level(own)) + moved);
      const words = `${data.judges[judge].name}: ${own === null ? "no grade" : level(own)}${change === null ? "" : `, ${signed(change)} against the baseline`}`;
      chip.title = words;
      chip.setAttribute("aria-label", words);
      chip.setAttribute("role", "img");
      row.append(chip);
    }
    return row;
  }

  // One prompt, turn by turn

  function body(item) {
    const made = el("div", "body");
    const category = data.categories[item[CATEGORY]];
    if (category !== undefined) made.append(el("p", "key", category));
    item[TURNS].forEach((text, i) => made.append(exchange(item, text, i)));
    const link = el("a", "", "link to this prompt");
    link.href = `#id=${encodeURIComponent(item[ID])}`;
    return put(made, put(el("p", "key"), link));
  }
  function block(text) {
    const made = el("div", "text", text);
    made.dir = "auto";
    return made;
  }
  function exchange(item, text, i) {
    const made = put(el("div", "exchange"), el("h3", "", item[TURNS].length > 1 ? `turn ${i + 1}` : "prompt"), block(text));
    if (item[REFERENCE][i]) made.append(put(el("div", "reference"), el("p", "turn", "reference"), block(item[REFERENCE][i])));
    const sides = data.roles.map((role, place) => side(role, item[ANSWERS][place], i));
    return put(made, put(el("div", paired ? "two" : ""), ...sides));
  }
  function side(role, answer, i) {
    const title = el("h3", role, role);
    const made = put(el("div", role), title);
    const text = answer && answer[0] ? answer[0][i] : undefined;
    if (text === undefined) made.append(el("p", "empty", "— no answer: the model failed, or was not asked"));
    else if (!text.trim()) made.append(el("p", "empty", "— an empty answer, graded as it is"));
    else made.append(block(text));
    if (text !== undefined) title.append(el("span", "length", ` · ${Array.from(text).length.toLocaleString("en")} characters`));
    (answer ? answer[1] : []).filter((grade) => grade[1] === i + 1).forEach((grade) => made.append(graded(grade)));
    return made;
  }
  function graded([place, , asking, score, state, reply, raw, mode, error]) {
    const { name, scale } = data.judges[place];
    const made = el("div", "grade");
    made.append(el("bdi", "", name), ": ");
    if (score === null) made.append(el("b", "none", `no grade (${WHY[state] || state.replaceAll("_", " ")})`));
    else made.append(el("b", "", minus(String(Number(score.toFixed(3))))), scale ? minus(` of ${scale[0]} to ${scale[1]}`) : "");
    const aside = [asking ? `asked again, ${asking + 1}` : "", raw !== null ? minus(`reward ${Number(raw.toFixed(4))}`) : "", mode === "verdict-token" ? "expected from the grade’s token" : ""];
    const said = aside.filter(Boolean).join("; ");
    if (said) made.append(` (${said})`);
    if (error) made.append(block(error));
    if (reply) made.append(...reasons(reply));
    return made;
  }
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  function reasons(reply) {
    let parsed = null;
    try { parsed = JSON.parse(reply); } catch { parsed = null; }
    const said = isObject(parsed) ? Object.values(parsed).filter((value) => typeof value === "string" && value.trim()) : [];
    const raw = put(el("details"), el("summary", "", said.length ? "reply as received" : "reply"), block(reply));
    return said.length ? [block(said.join("\n\n")), raw] : [raw];
  }

  // The address holds the filters, so that a view can be sent to someone.

  function write() {
    const values = { q: form.q.value, id: only };
    for (const name of FIELDS) values[name] = form[name].value;
    const params = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
    try { history.replaceState(null, "", `#${params}`); } catch { /* a frame without history keeps its filters, not its address */ }
  }
  function read() {
    const params = new URLSearchParams(location.hash.slice(1));
    if (![...FIELDS, "q", "id"].some((key) => params.has(key))) return false;
    for (const key of FIELDS) {
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
