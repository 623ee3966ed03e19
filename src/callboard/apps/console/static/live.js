// Keeps parts of a page up to date: <section data-live="rows" data-every="2"> asks for the page's block `rows` every two
// seconds and changes only what differs, so that nothing flickers and focus, selection and open details stay.
"use strict";
(() => {
  const SLOWEST = 30; // seconds, for a server that does not answer
  const LEAST = 0.4; // seconds between two looks at least, however many news there are
  const LARGE = 60000; // characters of a part from which on it is looked at less often

  function same(old, fresh) {
    return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");
  }

  function attributes(old, fresh) {
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      const kept = name === "title" && old.localName === "time" || name === "open" && old.localName === "details";
      if (!fresh.hasAttribute(name) && !kept) old.removeAttribute(name);
    }
  }

  function change(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.hasAttribute("data-keep")) return; // what the reader has opened or typed
    if (old.localName === "time" && old.getAttribute("datetime") === fresh.getAttribute("datetime")) return;
    const chosen = old.classList.contains("chosen");
    attributes(old, fresh);
    if (chosen) old.classList.add("chosen");
    if (old === document.activeElement && old.matches("input, textarea, select")) return;
    children(old, fresh);
  }

  function children(old, fresh) {
    const known = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const found = wanted.id ? known.get(wanted.id) : at && !at.id && same(at, wanted) ? at : null;
      if (found && same(found, wanted)) {
        if (found === at) at = at.nextSibling;
        else old.insertBefore(found, at);
        change(found, wanted);
      } else {
        const added = document.importNode(wanted, true);
        if (added.localName === "tr") added.classList.add("fresh");
        old.insertBefore(added, at);
        window.htmx?.process(added.nodeType === Node.ELEMENT_NODE ? added : old);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  class Live {
    constructor(part) {
      this.part = part;
      this.every = Number(part.dataset.every || 2);
      this.wait = this.every;
      this.tag = "";
      this.asking = false;
      this.least = LEAST;
      this.last = 0;
      part.addEventListener("callboard:look", () => this.soon());
      this.plan();
    }

    soon() { // many news in a row are looked at once
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), Math.max(60, this.last + this.least * 1000 - Date.now()));
    }

    plan() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), this.wait * 1000);
    }

    async look() {
      if (!this.part.isConnected) return;
      if (document.hidden || this.asking || document.querySelector("dialog[open]")) return this.plan();
      this.asking = true;
      this.last = Date.now();
      try {
        const headers = { "Callboard-Part": this.part.dataset.live };
        if (this.tag) headers["If-None-Match"] = this.tag;
        const answer = await fetch(this.part.dataset.from || location.href, { headers, redirect: "manual", cache: "no-store" });
        if (answer.type === "opaqueredirect" || answer.status === 401) return location.reload(); // logged out
        const text = answer.status === 200 ? await answer.text() : "";
        if (answer.status === 200 && document.querySelector("dialog[open]")) {
          // It was opened meanwhile: what is in it stays as it is.
        } else if (answer.status === 200) {
          this.tag = answer.headers.get("ETag") || "";
          const fresh = document.createElement("template");
          this.least = text.length > LARGE ? 2 : LEAST;
          fresh.innerHTML = text;
          children(this.part, fresh.content);
          this.part.dispatchEvent(new CustomEvent("callboard:changed", { bubbles: true }));
          if (this.part.querySelector("[data-still]")) return; // nothing will change any more
        }
        this.wait = answer.ok || answer.status === 304 ? Math.max(this.every, this.least) : Math.min(SLOWEST, this.wait * 2);
      } catch {
        this.wait = Math.min(SLOWEST, this.wait * 2);
      } finally {
        this.asking = false;
      }
      this.plan();
    }
  }

  const parts = [...document.querySelectorAll("[data-live]")].map((part) => new Live(part));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) parts.forEach((each) => { each.wait = each.every; each.look(); });
  });
})();
