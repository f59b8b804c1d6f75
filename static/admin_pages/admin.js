// Small helpers of the admin: pages that follow the catalog, confirmations, copying. Without JavaScript or WebSockets
// every page works the same, only nothing moves by itself.
(() => {
  "use strict";

  const SOCKET_PATH = "/ws/catalog/";
  const SETTLE_MS = 250;
  const LONGEST_WAIT_MS = 30000;

  // ── following the catalog ──────────────────────────────────────────────────────────────────────────────────
  const isLive = () =>
    document.querySelector("[data-live]") !== null ||
    document.querySelector("body.change-list.model-dataset, body.change-list.model-profilingrun") !== null;

  const holdsFocus = (element) => element.contains(document.activeElement);

  const isUntouched = (form) =>
    [...form.elements].every((field) => {
      if (field.type === "checkbox" || field.type === "radio") return field.checked === field.defaultChecked;
      if (field.tagName === "SELECT") {
        return [...field.options].every((option) => option.selected === option.defaultSelected || field.options.length === 1);
      }
      return field.defaultValue === undefined || field.value === field.defaultValue;
    });

  const swap = (now, next) => {
    if (now && next && !holdsFocus(now) && now.innerHTML !== next.innerHTML) now.innerHTML = next.innerHTML;
  };

  const rowsOf = (root) =>
    new Map(
      [...root.querySelectorAll("#result_list tr.data-row")].map((row) => {
        const box = row.querySelector("input.action-select");
        return [box ? box.value : row.querySelector("a")?.getAttribute("href"), row];
      }),
    );

  function refreshList(fetched) {
    const now = rowsOf(document);
    const next = rowsOf(fetched);
    const sameRows = now.size === next.size && [...next.keys()].every((key) => now.has(key));
    if (!sameRows) {
      // new or missing rows: the whole page, unless someone is in the middle of choosing rows
      if (!document.querySelector("input.action-select:checked") && !holdsFocus(document.querySelector("#content-main"))) {
        window.location.reload();
      }
      return;
    }
    for (const [key, row] of next) {
      const cells = row.children;
      [...now.get(key).children].forEach((cell, position) => {
        if (!cell.classList.contains("action-checkbox")) swap(cell, cells[position]);
      });
    }
  }

  // what the server has read meanwhile (a description, the dates) appears in a form that nobody has touched
  function refreshForm(fetched) {
    const form = document.getElementById("dataset_form");
    const next = fetched.getElementById("dataset_form");
    if (!form || !next || !isUntouched(form) || holdsFocus(form)) return;
    for (const field of form.querySelectorAll("input[type=text], input[type=number], input[type=hidden], textarea")) {
      const twin = field.name && field.name !== "csrfmiddlewaretoken" && next.elements.namedItem(field.name);
      if (twin && twin.type === field.type) field.value = field.defaultValue = twin.defaultValue;
    }
    for (const group of form.querySelectorAll("[data-inline-type]")) {
      const inline = fetched.getElementById(group.id);
      if (!inline) continue;
      if (inline.querySelectorAll("tbody").length !== group.querySelectorAll("tbody").length) swap(group, inline);
      else if (group.querySelector("input:not([type=hidden]), textarea") === null) swap(group, inline);
    }
    const tabs = document.getElementById("tabs-items");
    const nextTabs = fetched.getElementById("tabs-items");
    if (tabs && nextTabs) {
      [...tabs.children].forEach((tab, position) => swap(tab, nextTabs.children[position]));
    }
  }

  async function refresh() {
    const answer = await fetch(window.location.href, { headers: { "X-Requested-With": "live" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const fetched = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) {
      swap(region, fetched.querySelector(`[data-live="${region.dataset.live}"]`));
    }
    if (document.body.classList.contains("change-list")) refreshList(fetched);
    if (document.body.classList.contains("change-form")) refreshForm(fetched);
  }

  let pending;
  const refreshSoon = () => {
    window.clearTimeout(pending);
    pending = window.setTimeout(() => refresh().catch(() => {}), SETTLE_MS);
  };

  // whether the page shows this profile and it still runs; the page is asked for again otherwise
  function showProgress(told) {
    const shown = document.querySelector(`[data-progress="${Number(told.run)}"]`);
    if (told.state !== "running" || told.percent === null) return false;
    if (!shown) return document.querySelector("[data-live]") !== null && !isPageOf(told.dataset);
    shown.querySelector("progress").value = told.percent;
    shown.querySelector(".ma-progress__text").textContent =
      `${told.percent} %, ${told.tables_read} of ${told.tables_found} tables`;
    shown.querySelector(".ma-progress__table").textContent = told.table;
    return true;
  }

  const isPageOf = (dataset) => window.location.pathname.includes(`/datasets/dataset/${Number(dataset)}/`);

  function follow(waitMs, missed) {
    const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
    let socket;
    try {
      socket = new WebSocket(`${scheme}//${window.location.host}${SOCKET_PATH}`);
    } catch {
      return;
    }
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      document.documentElement.dataset.following = "yes";
      if (missed) refreshSoon();
    });
    socket.addEventListener("message", (event) => {
      const told = JSON.parse(event.data);
      if (told.type !== "progress" || !showProgress(told)) refreshSoon();
    });
    socket.addEventListener("close", () => {
      delete document.documentElement.dataset.following;
      const next = opened ? 1000 : Math.min(waitMs * 2, LONGEST_WAIT_MS);
      window.setTimeout(() => follow(next, missed || opened), next);
    });
  }

  // ── confirmations and copying ──────────────────────────────────────────────────────────────────────────────
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    // a preflight takes seconds; a second click must not send a second one
    const button = event.submitter;
    if (button && event.target.closest(".ma-panel")) {
      button.setAttribute("aria-busy", "true");
      window.setTimeout(() => { button.disabled = true; }, 0);
    }
  });

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const label = button.querySelector("[data-copy-label]");
    try {
      await navigator.clipboard.writeText(source.textContent);
      label.textContent = "Copied";
    } catch {
      // no clipboard without HTTPS: mark it, so that the keyboard can copy it
      window.getSelection().selectAllChildren(source);
      label.textContent = "Press Ctrl+C";
    }
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });

  document.addEventListener("DOMContentLoaded", () => {
    if ("WebSocket" in window && isLive()) follow(1000, false);
  });
})();
