// What all pages share: times in the reader's zone, keys, dialogs, the theme. No framework, nothing on window.
"use strict";
(() => {
  const $ = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];

  // ---- times: the server writes UTC, the browser shows the reader's own ----
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" });
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  function ago(moment) {
    const seconds = (Date.now() - moment) / 1000;
    const away = Math.abs(seconds);
    if (away < 1) return "now";
    const [size, unit] = units.find(([each]) => away >= each) || units[3];
    const said = `${Math.floor(away / size)} ${unit}`;
    return seconds > 0 ? `${said} ago` : `in ${said}`;
  }

  function told(time) {
    const moment = new Date(time.getAttribute("datetime"));
    if (Number.isNaN(moment.getTime())) return;
    const form = time.dataset.form;
    const today = moment.toDateString() === new Date().toDateString();
    let text = full.format(moment);
    if (form === "ago") text = ago(moment.getTime());
    else if (form === "since") text = ago(moment.getTime()).replace(/ ago$/, "").replace("now", "0 s");
    else if (form === "short") text = today ? clock.format(moment) : `${day.format(moment)} ${clock.format(moment)}`;
    if (time.textContent !== text) time.textContent = text;
    const title = full.format(moment);
    if (time.title !== title) time.title = title;
  }

  const times = (from) => all("time[datetime]", from).forEach(told);
  setInterval(() => { if (!document.hidden) all('time[data-form="ago"], time[data-form="since"]').forEach(told); }, 1000);

  // ---- theme: kept in a cookie, so that the next page comes in the right colours ----
  function toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `callboard-theme=${root.dataset.theme}; path=/console; max-age=31536000; samesite=lax${secure}`;
    document.dispatchEvent(new CustomEvent("callboard:theme"));
  }

  // ---- clicks ----
  document.addEventListener("click", (event) => {
    const at = event.target;
    if (!(at instanceof Element)) return;
    const opener = at.closest("[data-dialog]");
    if (opener) return document.getElementById(opener.dataset.dialog)?.showModal();
    if (at.closest("[data-close]")) return at.closest("dialog")?.close();
    if (at.closest("[data-theme-toggle]")) return toggleTheme();
    if (at.closest("[data-help]")) return $("#keys").showModal();
    const menu = at.closest("[data-menu]");
    if (menu) {
      const open = menu.closest(".side").classList.toggle("open");
      return menu.setAttribute("aria-expanded", String(open));
    }
    if (at instanceof HTMLDialogElement && at.open) { // the shade around it
      const box = at.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) at.close();
      return;
    }
    const copy = at.closest("[data-copy-text]");
    if (copy) {
      navigator.clipboard?.writeText(copy.dataset.copyText).then(() => {
        copy.classList.add("copied");
        setTimeout(() => copy.classList.remove("copied"), 1200);
      });
      return;
    }
    const row = at.closest("tr[data-href]");
    if (row && !at.closest("a, button, input, label, summary") && !String(getSelection())) open(row, event);
  });

  function open(row, event) {
    const href = row.dataset.href;
    if (event && (event.ctrlKey || event.metaKey)) window.open(href, "_blank", "noopener");
    else location.assign(href);
  }

  all("dialog[data-open]").forEach((each) => each.showModal()); // a form that came back with what was wrong

  // ---- keys ----
  const rows = () => all("tr[data-href], [data-row]").filter((row) => row.offsetParent !== null);
  let waiting = 0; // until when the second key of `g x` is taken

  function move(by) {
    const found = rows();
    if (!found.length) return;
    const now = found.findIndex((row) => row.classList.contains("chosen"));
    const next = found[now < 0 ? (by > 0 ? 0 : found.length - 1) : Math.min(found.length - 1, Math.max(0, now + by))];
    found.forEach((row) => row.classList.toggle("chosen", row === next));
    if (next.matches("a, button, [tabindex]")) next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const at = event.target;
    if (at.matches("input, textarea, select")) {
      if (event.key === "Escape") at.blur();
      return;
    }
    if ($("dialog[open]")) return;
    const key = event.key;
    if (Date.now() < waiting) {
      waiting = 0;
      const place = $(`.side a[data-key="${CSS.escape(key)}"]`);
      if (place) { event.preventDefault(); place.click(); }
      return;
    }
    const chosen = $(".chosen[data-href]");
    const deeds = {
      g: () => { waiting = Date.now() + 1200; },
      j: () => move(1),
      k: () => move(-1),
      t: toggleTheme,
      n: () => $("a[data-next]")?.click(),
      p: () => $("a[data-prev]")?.click(),
      "/": () => { const field = $("input[type=search]"); field?.focus(); field?.select(); },
      "?": () => $("#keys")?.showModal(),
    };
    if (key === "Enter" && chosen && !at.closest("a, button, summary")) { event.preventDefault(); return open(chosen); }
    if (deeds[key]) { event.preventDefault(); return deeds[key](); }
    const own = all(`[data-shortcut="${CSS.escape(key)}"]`).find((each) => each.offsetParent !== null);
    if (own) { event.preventDefault(); own.click(); }
  });

  // ---- what htmx sends carries the form token; what comes in gets its times ----
  const token = $('meta[name="csrf"]')?.content || "";
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get" && token) event.detail.headers["X-CSRF-Token"] = token;
  });
  for (const trouble of ["htmx:responseError", "htmx:sendError"]) {
    document.addEventListener(trouble, (event) => {
      const { xhr, target } = event.detail;
      if (xhr?.status === 401) return location.reload(); // logged out meanwhile
      const said = document.createElement("p");
      said.className = "flash bad";
      said.setAttribute("role", "alert");
      said.textContent = xhr?.status ? `It could not be loaded (${xhr.status}).` : "The server does not answer.";
      target?.replaceChildren(said);
    });
  }
  document.addEventListener("htmx:afterSwap", (event) => times(event.detail.target));
  document.addEventListener("callboard:changed", (event) => times(event.target));
  times(document);
})();
