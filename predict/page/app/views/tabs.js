import { TEXTS } from "../texts.js";
import { element } from "./dom.js";

const KEYS = /** @type {Record<string, (at: number, count: number) => number>} */ ({
  ArrowRight: (at, count) => (at + 1) % count,
  ArrowLeft: (at, count) => (at + count - 1) % count,
  Home: () => 0,
  End: (_, count) => count - 1,
});

/**
 * Tabs by the pattern of https://www.w3.org/WAI/ARIA/apg/patterns/tabs/, with the chosen one in the address.
 *
 * @param {Record<string, HTMLElement>} panels by their names
 */
export function tabs(panels) {
  const names = Object.keys(panels);
  const list = element("div", { role: "tablist", "aria-label": TEXTS.tabList, class: "tabs" });
  const buttons = names.map((name) =>
    element(
      "button",
      { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": name, onclick: () => choose(name) },
      TEXTS.tabs[/** @type {keyof typeof TEXTS.tabs} */ (name)],
    ),
  );
  const choose = (/** @type {string} */ chosen) => {
    names.forEach((name, at) => {
      buttons[at].setAttribute("aria-selected", String(name === chosen));
      buttons[at].tabIndex = name === chosen ? 0 : -1;
      panels[name].hidden = name !== chosen;
    });
    history.replaceState(null, "", `#${chosen}`);
  };
  list.addEventListener("keydown", (event) => {
    const next = KEYS[event.key]?.(buttons.indexOf(/** @type {any} */ (document.activeElement)), names.length);
    if (next === undefined) return;
    event.preventDefault();
    choose(names[next]);
    buttons[next].focus();
  });
  for (const name of names) asPanel(panels[name], name);
  list.append(...buttons);
  choose(names.find((name) => `#${name}` === location.hash) ?? names[0]);
  return list;
}

/**
 * @param {HTMLElement} panel
 * @param {string} name
 */
function asPanel(panel, name) {
  panel.id = name;
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", `tab-${name}`);
}
