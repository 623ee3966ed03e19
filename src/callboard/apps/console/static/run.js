// One run: the effect that is looked at, and what the model says while it says it.
"use strict";
(() => {
  const detail = document.getElementById("detail");

  function close() {
    detail.hidden = true;
    document.querySelectorAll(".waterfall [aria-current]").forEach((each) => each.removeAttribute("aria-current"));
    history.replaceState(null, "", location.pathname + (address().size ? `?${address()}` : ""));
  }

  function address() {
    const query = new URLSearchParams(location.search);
    query.delete("effect");
    return query;
  }

  function choose(seq) {
    document.querySelectorAll(".waterfall [aria-current]").forEach((each) => each.removeAttribute("aria-current"));
    document.querySelector(`.waterfall [data-seq="${CSS.escape(seq)}"]`)?.setAttribute("aria-current", "true");
    const query = address();
    query.set("effect", seq);
    history.replaceState(null, "", `${location.pathname}?${query}`);
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "detail-content") return;
    detail.hidden = false;
    detail.scrollTop = 0;
  });
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-detail-close]")) return close();
    const row = event.target.closest("a[data-seq]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(row.dataset.seq);
    htmx.ajax("GET", `${document.getElementById("live").dataset.at}/effects/${row.dataset.seq}`, "#detail-content");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !detail.hidden && !document.querySelector("dialog[open]")) close();
    if (detail.hidden || !["j", "k"].includes(event.key)) return;
    if (event.target.matches("input, textarea, select")) return;
    setTimeout(() => { // the row that the key has chosen is shown at once
      const row = document.querySelector(".waterfall .chosen");
      if (row && row.dataset.seq) row.click();
    });
  });

  // ---- live: the journal's news bring the page up to date at once; words are shown as they come ----
  const speech = document.getElementById("speech");
  if (!speech || !window.EventSource) return;
  const words = speech.querySelector("pre");
  const title = speech.querySelector("h2 span");
  const said = new Map(); // by effect
  const open = new Set(JSON.parse(speech.dataset.open)); // those that go on; chunks of others are old, or come before their event
  const MOST = 20000; // characters

  function show(path) {
    const speaking = [...said.keys()].filter((each) => open.has(each));
    speech.hidden = !speaking.length;
    if (!open.has(path)) path = speaking.at(-1);
    title.textContent = speaking.length > 1 ? `Now, of ${speaking.length}` : "Now";
    title.title = path || "";
    words.textContent = path === undefined ? "" : said.get(path);
    words.scrollTop = words.scrollHeight;
  }

  function look() { document.getElementById("live")?.dispatchEvent(new CustomEvent("callboard:look")); }

  const source = new EventSource(`${speech.dataset.stream}?after=${speech.dataset.after}`);
  source.addEventListener("journal", (event) => {
    const { path, kind } = JSON.parse(event.data);
    const over = ["done", "failed", "cancelled", "abandoned"].includes(kind);
    if (over) open.delete(path);
    else open.add(path);
    if (over || kind === "retry") said.delete(path);
    show(path);
    look();
  });
  source.addEventListener("delta", (event) => {
    const { path, value } = JSON.parse(event.data);
    if (value.type === "restart") said.delete(path);
    else if (value.type === "text" || value.type === "reasoning") said.set(path, ((said.get(path) || "") + value.text).slice(-MOST));
    else if (value.type === "call") said.set(path, ((said.get(path) || "") + (value.name ? `→ ${value.name} ` : "") + (value.arguments_text || "")).slice(-MOST));
    if (said.has(path)) show(path);
  });
  source.addEventListener("end", () => { source.close(); said.clear(); show(); look(); });
  addEventListener("pagehide", () => source.close());
})();
