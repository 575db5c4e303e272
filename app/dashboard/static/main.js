/** The frame around the views: which is open, what concerns them all, and where their numbers come from. */

import { key, keep } from "./api.js";
import { banners } from "./banners.js";
import { fill, h, say, sentence } from "./dom.js";
import { open } from "./page.js";

const VIEWS = { now: "Now", asset: "Asset", spreads: "Spreads", options: "Options", minute: "Minute", data: "Data", admin: "Admin" };

const unfolded = new Map();
const sheets = new Map();
let page = null;
let turn = 0;
const { heard, ask: sources } = banners(document.getElementById("banners"));

/** The address behind `#`: the name of a view and its words. */
function asked() {
  const [path, words = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: VIEWS[path] ? path : "now", words: Object.fromEntries(new URLSearchParams(words)) };
}

async function show() {
  const { name, words } = asked();
  const mine = ++turn;
  if (page?.name === name) return page.told(words);
  page?.leave();
  page = null;
  navigation(name);
  document.title = `${VIEWS[name]} · perpstore`;
  const found = await fetched(name);
  if (mine !== turn) return null;
  if (!found) return fill(document.getElementById("view"), h("p", { class: "notice bad", role: "alert" }, "The server does not answer, so this view cannot be opened. ",
    h("button", { type: "button", onclick: () => location.reload() }, "Try again")));
  page = open(name, found.view, words, { heard, footer });
  await page.ready;
  return mine === turn && say(`${VIEWS[name]} is shown`);
}

/** The module of a view, once its style is there too; null where the server does not give them. */
async function fetched(name) {
  try {
    const [found] = await Promise.all([import(`./views/${name}.js`), styled(`dashboard/views/${name}.css`)]);
    return found;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return null;
  }
}

/** Have a style sheet: settles when it holds. */
function styled(href) {
  if (document.querySelector(`link[rel="stylesheet"][href="${href}"]`)?.sheet) return null;
  if (!sheets.has(href)) {
    sheets.set(href, new Promise((good, bad) => {
      const gone = () => { link.remove(); sheets.delete(href); bad(new TypeError(`${href} was not fetched`)); };
      const link = h("link", { rel: "stylesheet", href, onload: good, onerror: gone });
      document.head.append(link);
    }));
  }
  return sheets.get(href);
}

function navigation(name) {
  const links = Object.entries(VIEWS).map(([each, title]) => h("a", { href: `#/${each}`, "aria-current": each === name ? "page" : null }, title));
  fill(document.getElementById("nav"), links);
  links.find((each) => each.hasAttribute("aria-current")).scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Under a view: what has to be known of its numbers, and the very calls that brought them. */
function footer(told, calls) {
  const notices = told.filter((notice) => !notice.startsWith("this store holds generated"));  // the banner says it
  fill(document.getElementById("footer"),
    notices.length ? folded("notices", notices.length < 4, `What to know about these numbers (${notices.length})`,
      h("ul", {}, notices.map((notice) => h("li", {}, sentence(notice))))) : null,
    folded("calls", false, `The API calls behind this page (${calls.length})`,
      h("ul", { class: "calls" }, calls.map((call) => h("li", {}, h("a", { href: call }, `/${call}`)))),
      h("p", {}, "A link sends no key. Where reading needs one: ", h("code", {}, `curl -H "Authorization: Bearer KEY" '${new URL(calls[0] ?? "", location)}'`))),
    h("p", {}, h("a", { href: "docs" }, "Try the API"), " · ", h("a", { href: "redoc" }, "Reference"), " · times are UTC"));
}

/** What can be unfolded, and stays as it was left while the view is told anew. */
function folded(name, usual, title, inside) {
  const made = h("details", { id: name, open: unfolded.get(name) ?? usual },
    h("summary", { onclick: () => unfolded.set(name, !made.open) }, title), inside);
  return made;
}

function tools() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const turn = () => {
    const wanted = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = wanted;
    localStorage.setItem("perpstore-theme", wanted);
    dispatchEvent(new CustomEvent("theme"));
  };
  dark.addEventListener("change", () => dispatchEvent(new CustomEvent("theme")));
  const keyed = h("button", { type: "button", class: "quiet", id: "key", onclick: askKey });
  const told = () => { keyed.textContent = key() ? "Key ✓" : "Key"; keyed.title = key() ? "A key is kept in this tab" : "Enter a key of `perpstore keys create`"; };
  addEventListener("key", told);
  told();
  fill(document.getElementById("tools"), h("span", { id: "live", class: "live", hidden: true }), keyed,
    h("button", { type: "button", class: "quiet", id: "theme", title: "Light or dark", "aria-label": "Change between light and dark", onclick: turn }, "◐"));
}

function askKey() {
  const input = h("input", { type: "password", name: "key", autocomplete: "off", id: "key-input", "aria-describedby": "key-about" });
  const done = (value) => { keep(value); dialog.close(); };
  const dialog = h("dialog", { "aria-labelledby": "key-title", onclose: () => dialog.remove() },
    h("form", { method: "dialog", onsubmit: () => keep(input.value.trim()) },
      h("h2", { id: "key-title" }, "Key"),
      h("p", { id: "key-about" }, "Made by ", h("code", {}, "perpstore keys create --scope admin --name me"),
        ". It stays in this tab and is sent to this server only."),
      h("label", { for: "key-input" }, "Key "), input,
      h("p", { class: "buttons" }, h("button", {}, "Use it"), h("button", { type: "button", class: "quiet", onclick: () => done(null) }, "Forget it"),
        h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"))));
  document.body.append(dialog);
  dialog.showModal();
}

addEventListener("hashchange", show);
// A question that was taken back, because something newer is asked or the view is left, is no fault.
addEventListener("unhandledrejection", (event) => { if (event.reason?.name === "AbortError") event.preventDefault(); });
addEventListener("key", () => { page?.again(); sources(); });
addEventListener("ask-key", askKey);
tools();
show();
sources();
