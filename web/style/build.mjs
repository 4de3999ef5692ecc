// Makes ../static/style.css: the parts of NL Design System that the pages use,
// the tokens that these refer to, and own.css. Run by .ci/style.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import postcss from "postcss";
import values from "postcss-value-parser";
import { Features, transform } from "lightningcss";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const { devDependencies: versions } = createRequire(import.meta.url)("./package.json");
const candidate = "@nl-design-system-candidate/";
const utrecht = "@utrecht/component-library-css";
const voorbeeld = "@nl-design-system-unstable/voorbeeld-design-tokens";

// The components, as they style bare elements, and which of their selectors are
// of use here. No field of ours is read-only, disabled or of another type.
const all = /./;
const elements =
  /^(table|caption|thead|tbody|th|td|ul|ol|blockquote|figure|figcaption|hr|label|legend|fieldset|select|textarea|input(:not\(\[type\]\)|\[type=(text|search|email|url)))(?![\w-])/;
const components = [
  [`${candidate}heading-css/dist/html/heading.css`, /^h[123]\b/],
  [`${candidate}paragraph-css/dist/html/paragraph.css`, /^p\b/],
  [`${candidate}link-css/dist/html/link.css`, all],
  [`${candidate}code-css/dist/html/code.css`, all],
  [`${candidate}mark-css/dist/html/mark.css`, all],
  [`${candidate}button-css/dist/html/button.css`, /^button(?!.*(pressed|expanded))/],
  [`${candidate}skip-link-css/dist/skip-link.css`, /^\.nl-skip-link(--visible-on-focus)?(:|$)/],
  [`${utrecht}/dist/html.css`, elements],
];
const useless = /nl-button__|::marker|focus-visible|disabled|read-only|numeric|alternate-row-color|autocomplete|\.utrecht-|checkbox|radio|multiple|size\b/;

// definitions gathers the custom properties of every rule that `take` accepts.
function definitions(root, take = () => true) {
  const found = new Map();
  root.walkDecls(/^--/, (d) => {
    if (take(d)) found.set(d.prop, d.value.trim());
  });
  return found;
}
const variables = (node) => node.type === "function" && node.value === "var";
const nameOf = (call) => call.nodes[0].value;

// names lists the custom properties that a value refers to.
function names(value) {
  const found = [];
  values(value).walk((n) => {
    if (variables(n)) found.push(nameOf(n));
  });
  return found;
}

const own = postcss.parse(read("own.css"));
const tokenFile = postcss.parse(read("tokens.css"));
const inDark = (d) => d.parent.parent.type === "atrule";
const dark = definitions(tokenFile, inDark);
const theirs = definitions(postcss.parse(read(`node_modules/${voorbeeld}/dist/theme.css`)));
const light = new Map([...theirs, ...definitions(tokenFile, (d) => !inDark(d))]);

// The palette is an affair between the theme and its tokens: what remains are
// names that other themes of NL Design System have too.
for (const tokens of [light, dark])
  for (const [name, value] of tokens) tokens.set(name, value.replace(/var\((--voorbeeld-[\w-]+)\)/g, (_, p) => light.get(p)));

const rules = [];
for (const [path, keep] of components) {
  const root = postcss.parse(read(`node_modules/${path}`));
  root.walkComments((c) => c.remove());
  root.walkRules((rule) => {
    rule.selectors = rule.selectors.map((s) => s.replace(/^\.utrecht-html /, "")).filter((s) => keep.test(s) && !useless.test(s.replace(/:not\([^()]*\)/g, "")));
    if (rule.selector === "") rule.remove();
  });
  root.walkAtRules((at) => (at.nodes?.length ? null : at.remove()));
  rules.push(root);
}

// settle takes a token that nobody defines for what it then is, its fallback or
// nothing, and one that is defined without its fallback.
const local = new Map(rules.flatMap((root) => [...definitions(root)]));
const known = (name) => light.has(name) || local.has(name);
function settle(value) {
  const parsed = values(value);
  let lost = false;
  const visit = (nodes) =>
    nodes.flatMap((n) => {
      if (variables(n) && !known(nameOf(n))) {
        const fallback = n.nodes.slice(2);
        lost ||= fallback.length === 0;
        return visit(fallback);
      }
      if (variables(n) && light.has(nameOf(n))) n.nodes = n.nodes.slice(0, 1);
      if (n.nodes) n.nodes = visit(n.nodes);
      return [n];
    });
  parsed.nodes = visit(parsed.nodes);
  return lost ? null : values.stringify(parsed.nodes).trim();
}
for (const root of rules)
  root.walkDecls((d) => {
    const settled = settle(d.value);
    if (settled === null) d.remove();
    else d.value = settled;
  });
for (const root of rules) root.walkRules((r) => (r.nodes.length ? null : r.remove()));

// Only tokens that something refers to stay, and what these refer to.
const used = new Set();
const use = (name) => {
  if (used.has(name) || (local.has(name) && !light.has(name))) return;
  if (!light.has(name)) throw new Error(`${name} is defined nowhere`);
  used.add(name);
  for (const tokens of [light, dark]) if (tokens.has(name)) names(tokens.get(name)).forEach(use);
};
for (const root of [...rules, own]) root.walkDecls((d) => names(d.value).forEach(use));
for (const name of definitions(tokenFile).keys())
  if (!used.has(name) && name.startsWith("--inspraak")) throw new Error(`${name} is used nowhere`);

const block = (tokens) =>
  `:root{${[...used].filter((n) => tokens.has(n)).sort().map((n) => `${n}:${tokens.get(n)}`).join(";")}}`;
const source = [block(light), `@media screen and (prefers-color-scheme:dark){${block(dark)}}`, ...rules, own].join("\n");
const small = transform({ filename: "style.css", code: Buffer.from(source), minify: true, include: Features.MediaQueries }).code.toString();

// One rule a line, so that a change can be read.
const lines = postcss.parse(small).nodes.map((n) => n.toString()).join("\n");
const made = Object.keys(versions).filter((p) => p.includes("nl-design-system") || p.includes("utrecht"));
const header = `/* Made by .ci/style: change web/style, not this. NL Design System, EUPL-1.2:\n${made.map((p) => `   ${p} ${versions[p]}`).join("\n")}\n*/\n`;
writeFileSync(new URL("../static/style.css", import.meta.url), header + lines + "\n");
