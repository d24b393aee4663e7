// Saving a picture: with its title, its keys and its looks inside it, so that it needs neither this page nor its style.
const LOOKS = ["fill", "fill-opacity", "opacity", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight",
  "text-anchor"];
const fileName = words => words.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase().slice(0, 80) || "chart";

// make() -> {title, drawing: an SVG, width, height, keys: [[kind, name]]}
function saveButtons(name, make) {
  const file = () => fileName(`${DATA.scenario} ${DATA.algorithm} ${name}`);
  return el("div", { class: "save" }, "Save this chart:",
    el("button", { type: "button", "data-save": `${name} svg`, onclick: () => saveSvg(make(), file()) }, "SVG"),
    el("button", { type: "button", "data-save": `${name} png`, onclick: () => savePng(make(), file()) }, "PNG"));
}
function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
function saveSvg(picture, name) {
  download(new Blob([sourceOf(picture).source], { type: "image/svg+xml" }), `${name}.svg`);
}
function savePng(picture, name) {
  const { source, width, height } = sourceOf(picture);
  const image = new Image(), canvas = el("canvas", { width: 2 * width, height: 2 * height });
  image.addEventListener("load", () => {
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const bytes = Uint8Array.from(atob(canvas.toDataURL("image/png").split(",")[1]), one => one.charCodeAt(0));
    download(new Blob([bytes], { type: "image/png" }), `${name}.png`);
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
}
// Puts title and keys around a drawing, and writes all looks into it.
function sourceOf({ title, drawing, width, height, keys }) {
  const pad = 16, room = width, lineHeight = 20;
  const titles = wrapped(title, room / 8), places = [];
  let x = 0, line = 0;
  for (const [kind, name] of keys || []) {
    const wide = 24 + 7 * name.length + 16;
    if (x && x + wide > room) { x = 0; line += 1; }
    places.push([kind, name, x, line]);
    x += wide;
  }
  const keysTop = pad + titles.length * lineHeight, drawingTop = keysTop + (places.length ? (line + 1) * lineHeight + 8 : 0);
  const size = { width: width + 2 * pad, height: drawingTop + height + pad };
  const sample = kind => { const one = swatch(kind); fill(one, { width: 14, height: 14 }, []); return one; };
  fill(drawing, { x: pad, y: drawingTop, width, height }, []);
  const outer = svg("svg", { ...size, viewBox: `0 0 ${size.width} ${size.height}`,
    "font-family": "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif" },
  document.querySelector("defs").cloneNode(true), svg("rect", { class: "paper", ...size }),
  titles.map((words, i) => svg("text", { class: "saved-title", x: pad, y: pad + 12 + i * lineHeight }, words)),
  places.map(([kind, name, left, row]) => {
    const key = sample(kind);
    fill(key, { x: pad + left, y: keysTop + row * lineHeight }, []);
    return [key, svg("text", { class: "saved-text", x: pad + left + 20, y: keysTop + row * lineHeight + 12 }, name)];
  }), drawing);
  const stage = el("div", { class: "offstage" }, outer);
  document.body.append(stage);  // only what is in the page has looks
  outer.querySelectorAll("[data-live]").forEach(node => node.remove());
  const nodes = [...outer.querySelectorAll("*")], styles = nodes.map(node => {
    const style = getComputedStyle(node);
    return LOOKS.map(look => [look, withinPicture(style.getPropertyValue(look))]);
  });
  nodes.forEach((node, i) => {
    styles[i].forEach(([look, value]) => value && node.setAttribute(look, value));
    for (const name of ["class", "tabindex", "role", "aria-label", "aria-hidden"]) node.removeAttribute(name);
  });
  stage.remove();
  return { source: new XMLSerializer().serializeToString(outer), ...size };
}
// A pattern is named within the saved picture, wherever this page lies.
function withinPicture(value) {
  const pattern = /^url.*#([a-z]+)/.exec(value);
  return pattern ? `${value.slice(0, 4)}#${pattern[1]})` : value;
}
function wrapped(words, most) {
  const lines = [""];
  for (const word of words.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length > most) lines.push("");
    lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
  }
  return lines;
}
const cut = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);
// rows: [name, a bar, a number]
function barsPicture(title, keys, rows) {
  const width = 900, height = rows.length * 26;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}` }, rows.map(([name, bar, value], i) => {
    fill(bar, { x: 210, y: 26 * i + 3, width: 600, height: 18 }, []);
    return [svg("text", { class: "saved-text", x: 0, y: 26 * i + 16 }, cut(name, 32)), bar,
      svg("text", { class: "saved-text", x: width, y: 26 * i + 16, "text-anchor": "end" }, value)];
  }));
  return { title, keys, drawing, width, height };
}
// rows: [job, its lane, its supplier]
function lanesPicture(title, head, rows) {
  const width = 1100, height = 24 + rows.length * 24, at = { x: 230, width: 720 };
  fill(head, { ...at, y: 0, height: 22, overflow: "visible" }, []);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}` }, head, rows.map(([name, lane, who], i) => {
    fill(lane, { ...at, y: 24 + 24 * i, height: 22, overflow: "visible" }, []);
    return [svg("text", { class: "saved-text", x: 0, y: 24 * i + 39 }, cut(name, 34)), lane,
      svg("text", { class: "saved-text", x: 970, y: 24 * i + 39 }, cut(who, 20))];
  }));
  return { title: `${title}; times ${zoneName()}`, drawing, width, height, keys: [["own", "runs on sun"], ["grid", "runs on grid power"]] };
}
