"use strict";
// Filters the wrong items, which stand on the page already. Nothing is built here: entries are shown or hidden.
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const entries = [...document.querySelectorAll("#list > li")].map((entry) => ({
    entry, label: entry.dataset.label, prediction: entry.dataset.prediction, slices: JSON.parse(entry.dataset.slices),
    text: entry.textContent.toLowerCase(),
  }));
  const total = entries.length.toLocaleString("en");
  const value = (name) => (form[name] ? form[name].value : "");
  const nothing = () => Boolean(form.prediction) && form.prediction.selectedOptions[0].hasAttribute("data-none");

  function fits(one) {
    const { label, prediction, slice, q } = { label: value("label"), prediction: value("prediction"), slice: value("slice"), q: form.q.value.trim().toLowerCase() };
    if (nothing() && one.prediction !== undefined) return false;
    return (!label || one.label === label) && (!prediction || one.prediction === prediction) &&
      (!slice || one.slices.includes(slice)) && (!q || one.text.includes(q));
  }
  function show() {
    let count = 0;
    for (const one of entries) {
      one.entry.hidden = !fits(one);
      count += one.entry.hidden ? 0 : 1;
    }
    document.getElementById("status").textContent = count === entries.length ? `${total} wrong` : `${count.toLocaleString("en")} of ${total} wrong`;
  }
  // A view can be sent to someone: its address says what was chosen.
  function told() {
    const address = new URLSearchParams();
    for (const name of ["label", "prediction", "slice", "q"]) if (value(name)) address.set(name, value(name));
    if (nothing()) address.set("none", "1");
    try { history.replaceState(null, "", `#${address}`); } catch { /* a frame without history keeps no address */ }
  }
  function chosen() {
    const address = new URLSearchParams(location.hash.slice(1));
    if (!["label", "prediction", "slice", "q", "none"].some((name) => address.has(name))) return false;
    for (const name of ["label", "prediction", "slice"]) {
      if (!form[name]) continue;
      const wanted = [...form[name].options].findIndex((option) => option.value === (address.get(name) || "") && !option.hasAttribute("data-none"));
      form[name].selectedIndex = Math.max(0, wanted);
    }
    const none = form.prediction ? form.prediction.querySelector("[data-none]") : null;
    if (address.has("none") && none) none.selected = true;
    form.q.value = address.get("q") || "";
    return true;
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { show(); told(); });
  form.addEventListener("reset", () => setTimeout(() => { show(); told(); }, 0));
  addEventListener("hashchange", () => {
    if (!chosen()) return;
    show();
    document.getElementById("read").scrollIntoView();
  });
  form.hidden = false;
  chosen();
  show();
})();
