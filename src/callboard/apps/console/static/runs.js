// A search that has found nothing yet goes on by itself, so many runs at a time, until it finds some or there are no more.
"use strict";
(() => {
  const part = document.querySelector('[data-live="rows"]');
  const MOST = 200; // times

  async function further() {
    for (let times = 0; times < MOST; times += 1) {
      const next = part.querySelector('a[data-further="at once"]');
      if (!next || document.querySelector("dialog[open]")) return;
      const answer = await fetch(next.href, { headers: { "Callboard-Part": "rows" }, redirect: "manual", cache: "no-store" });
      if (answer.status !== 200 || !next.isConnected) return; // the link is still there for who clicks it
      history.replaceState(null, "", next.href); // what keeps the list up to date asks for this place from now on
      part.innerHTML = await answer.text();
      part.dispatchEvent(new CustomEvent("callboard:changed", { bubbles: true }));
    }
  }

  further().catch(() => {}); // the server went away: the link is still there
})();
