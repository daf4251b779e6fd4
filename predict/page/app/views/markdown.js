import { element } from "./dom.js";

/** @typedef {{kind: string, lines: string[]}} Block neighbouring lines of one kind */

/** @type {[string, RegExp][]} */
const KINDS = [
  ["blank", /^\s*$/],
  ["heading", /^#/],
  ["table", /^\|/],
  ["list", /^\s*([-*]|\d+\.)\s/],
];

const INLINE = /(\*\*.+?\*\*|`[^`]+`|\[[^\]]+\]\([^)\s]+\)|<https?:[^>]+>)/;

/** @type {Record<string, (lines: string[]) => HTMLElement>} */
const BUILDERS = {
  heading: ([line]) => element(headingTag(line), {}, ...inline(line.replace(/^#+\s*/, ""))),
  table: toTable,
  list: toList,
  code: toCode,
  text: (lines) => element("p", {}, ...inline(lines.join(" "))),
};

/**
 * A model card as elements: headings, paragraphs, lists, tables and code; other Markdown is shown as it is written.
 *
 * @param {string} markdown
 */
export function toElements(markdown) {
  const text = markdown.replace(/^---\n[\s\S]*?\n---\n/, ""); // metadata in YAML
  return blocks(text.split("\n")).flatMap(({ kind, lines }) => BUILDERS[kind]?.(lines) ?? []);
}

/** @param {string[]} lines */
function blocks(lines) {
  /** @type {Block[]} */
  const found = [];
  let inCode = false;
  for (const line of lines) {
    const isFence = /^\s*```/.test(line);
    const kind = inCode || isFence ? "code" : kindOf(line);
    const last = found[found.length - 1];
    const goesOn = last && kind !== "heading" && (last.kind === kind || (last.kind === "list" && kind === "text"));
    if (goesOn) last.lines.push(line);
    else found.push({ kind, lines: [line] });
    if (isFence) inCode = !inCode;
  }
  return found;
}

/** @param {string} line */
const kindOf = (line) => KINDS.find(([, pattern]) => pattern.test(line))?.[0] ?? "text";

/**
 * The page has headings above those of the card.
 *
 * @param {string} line
 */
function headingTag(line) {
  const depth = /** @type {RegExpExecArray} */ (/^#+/.exec(line))[0].length;
  return depth === 1 ? "h3" : depth === 2 ? "h4" : "h5";
}

/** @param {string[]} lines with those of its fences */
function toCode([fence, ...lines]) {
  const indent = fence.search("```");
  const text = lines.slice(0, -1).map((line) => line.slice(indent));
  return element("pre", { tabindex: "0" }, element("code", {}, text.join("\n")));
}

/** @param {string[]} lines */
function toTable(lines) {
  const [head, , ...rows] = lines.map((line) => line.replace(/^\||\|\s*$/g, "").split("|"));
  const cells = (/** @type {"td" | "th"} */ tag, /** @type {string[]} */ texts) =>
    element("tr", {}, ...texts.map((text) => element(tag, {}, ...inline(text.trim()))));
  const body = element("tbody", {}, ...rows.map((row) => cells("td", row)));
  return element("div", { class: "scroll", tabindex: "0" }, element("table", {}, element("thead", {}, cells("th", head)), body));
}

/** @param {string[]} lines */
function toList(lines) {
  /** @type {string[]} */
  const items = [];
  for (const line of lines) {
    if (kindOf(line) === "list") items.push(line.replace(KINDS[3][1], ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  const start = /^\s*(\d+)/.exec(lines[0])?.[1];
  return element(start ? "ol" : "ul", { start }, ...items.map((item) => element("li", {}, ...inline(item))));
}

/**
 * Text with what is bold, code or a link in it.
 *
 * @param {string} text
 */
export function inline(text) {
  return text.split(INLINE).map((part) => {
    const link = /^\[(.+)\]\((.+)\)$/.exec(part) ?? /^<((.+))>$/.exec(part);
    if (part.startsWith("**") && part.endsWith("**") && part.length > 4) return element("strong", {}, part.slice(2, -2));
    if (/^`.+`$/.test(part)) return element("code", {}, part.slice(1, -1));
    return link && /^https?:/.test(link[2]) ? element("a", { href: link[2], rel: "noreferrer" }, link[1]) : part;
  });
}
