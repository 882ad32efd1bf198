"use strict";
(function () {
  const NS = "http://www.w3.org/2000/svg";
  const HATCHES = { layover: 1, shadow: 2, no_pass: 3, no_data: 4, flat: 5 };
  const TINTS = ["", "#d58fd0", "#4f9fe0", "#e8e8e8", "#7fd6b8", "#c9bf8f"];
  const LINES = ["", "M-2 2L2 -2M-2 12L12 -2M8 12L12 8", "M-2 8L2 12M-2 -2L12 12M8 -2L12 2", "M-2 2L2 -2M-2 12L12 -2M8 12L12 8M-2 8L2 12M-2 -2L12 12M8 -2L12 2", "M3 3h3v3h-3z", "M0 5H10"];
  const data = JSON.parse(document.getElementById("data").textContent);
  const svg = document.querySelector("#map svg");
  const details = document.getElementById("details");
  const make = (name, attributes, parent) => {
    const node = document.createElementNS(NS, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(node);
    return node;
  };

  const defs = make("defs", {}, svg);
  const hatches = LINES.map((d, i) => {
    if (!i) return null;
    const pattern = make("pattern", { id: "hatch-" + i, width: 10, height: 10, patternUnits: "userSpaceOnUse" }, defs);
    make("path", { d: d, stroke: TINTS[i], "stroke-width": 2, fill: i === 4 ? TINTS[i] : "none" }, pattern);
    const dark = make("pattern", { id: "map-hatch-" + i, width: 10, height: 10, patternUnits: "userSpaceOnUse" }, defs);
    make("path", { d: d, stroke: TINTS[i], "stroke-width": 2, fill: i === 4 ? TINTS[i] : "none" }, dark);
    return dark;
  });

  const backdrops = data.backdrops.map((b, i) => {
    const image = make("image", { href: b.href, x: b.x, y: b.y, width: b.w, height: b.h, preserveAspectRatio: "none" }, svg);
    image.style.display = i ? "none" : "";
    return image;
  });
  const grid = make("g", { stroke: "#fff", "stroke-opacity": 0.35, fill: "#fff" }, svg);
  const outline = make("g", { fill: "none", "pointer-events": "none" }, svg);
  make("path", { d: data.aoi, stroke: "#000", "stroke-width": 4, "vector-effect": "non-scaling-stroke" }, outline);
  make("path", { d: data.aoi, stroke: "#fff", "stroke-width": 2, "vector-effect": "non-scaling-stroke" }, outline);

  const tell = (item) => {
    details.textContent = "";
    const head = document.createElement("h3");
    head.textContent = item.title;
    const list = document.createElement("dl");
    for (const pair of item.words) {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = pair[0];
      dd.textContent = pair[1];
      list.append(dt, dd);
    }
    details.append(head, list);
    ring.setAttribute("d", item.path);
    const at = ring.getBoundingClientRect();
    const frame = svg.getBoundingClientRect();
    details.classList.toggle("up", (at.top + at.bottom) / 2 > (frame.top + frame.bottom) / 2);
  };
  const marks = [];
  const groups = data.layers.map((layer) => {
    const group = make("g", {}, svg);
    for (const item of layer.items) {
      const part = make("g", { tabindex: -1 }, group);
      const common = { d: item.path, "vector-effect": "non-scaling-stroke" };
      if (layer.kind === "blind") {
        const i = HATCHES[item.reason] || 4;
        make("path", Object.assign({ fill: TINTS[i], "fill-opacity": 0.35 }, common), part);
        make("path", Object.assign({ fill: "url(#map-hatch-" + i + ")", stroke: TINTS[i] }, common), part);
      } else if (layer.kind === "affected") {
        make("path", Object.assign({ fill: "#ff9a1f", "fill-opacity": 0.32, stroke: "#ff9a1f", "stroke-opacity": 0.8 }, common), part);
      } else {
        make("path", Object.assign({ fill: item.colour, "fill-opacity": 0.12, stroke: "#000", "stroke-width": 6 }, common), part);
        make("path", Object.assign({ fill: "none", stroke: item.colour, "stroke-width": 3.5 }, common), part);
        const text = make("text", { x: item.at[0], y: item.at[1], "text-anchor": "middle", "dominant-baseline": "central", fill: "#fff", stroke: "#000", "paint-order": "stroke", "font-weight": 700, "pointer-events": "none" }, part);
        text.textContent = item.rank;
        marks.push(text);
      }
      part.style.cursor = "pointer";
      part.addEventListener("click", () => { if (!moved) tell(item); });
    }
    group.style.display = layer.on ? "" : "none";
    return group;
  });
  const ring = make("path", { fill: "none", stroke: "#00e5ff", "stroke-width": 3, "stroke-dasharray": "6 4", "vector-effect": "non-scaling-stroke", "pointer-events": "none" }, svg);

  const list = document.getElementById("layers");
  const box = (words, input, change) => {
    const label = document.createElement("label");
    label.append(input, " " + words);
    input.addEventListener("change", change);
    list.appendChild(label);
  };
  for (let i = data.layers.length - 1; i >= 0; i--) {
    const input = document.createElement("input");
    input.type = "checkbox";
    input.checked = data.layers[i].on;
    box(data.layers[i].name + " (" + data.layers[i].items.length + ")", input, () => { groups[i].style.display = input.checked ? "" : "none"; });
  }
  data.backdrops.concat([{ name: "none" }]).forEach((b, i) => {
    const input = document.createElement("input");
    input.type = "radio";
    input.name = "backdrop";
    input.checked = i === 0;
    const words = b.href ? "radar image of " + b.name : "no radar image";
    box(words, input, () => backdrops.forEach((image, j) => { image.style.display = i === j ? "" : "none"; }));
  });

  let view = data.view.slice();
  const nice = (target) => {
    const power = Math.pow(10, Math.floor(Math.log10(target)));
    return [5, 2, 1].map((k) => k * power).find((v) => v <= target) || power;
  };
  const degrees = (value, step, letters) => {
    const wrapped = letters === "EW" ? ((value + 540) % 360) - 180 : value;
    return Math.abs(wrapped).toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) + "\u00b0 " + letters[wrapped < 0 ? 1 : 0];
  };
  const draw = () => {
    const wide = svg.clientWidth || 800;
    const high = svg.clientHeight || 600;
    const unit = Math.max(view[2] / wide, view[3] / high);
    const x0 = view[0] + view[2] / 2 - (unit * wide) / 2;
    const y0 = view[1] + view[3] / 2 - (unit * high) / 2;
    svg.setAttribute("viewBox", [x0, y0, unit * wide, unit * high].join(" "));
    hatches.forEach((pattern) => pattern && pattern.setAttribute("patternTransform", "scale(" + unit + ")"));
    marks.forEach((text) => {
      text.setAttribute("font-size", 14 * unit);
      text.setAttribute("stroke-width", 3 * unit);
      text.style.display = unit < 26 ? "" : "none";
    });
    const length = nice(unit * 160);
    document.querySelector("#scale span").textContent = length >= 1000 ? length / 1000 + " km" : length + " m";
    document.querySelector("#scale i").style.width = length / unit + "px";
    grid.textContent = "";
    const step = nice((unit * wide) / data.plane.kx / 3);
    const text = (words, x, y, anchor) => { make("text", { x: x, y: y, "font-size": 12 * unit, "text-anchor": anchor, stroke: "#000", "stroke-width": 2.5 * unit, "stroke-opacity": 0.8, "paint-order": "stroke" }, grid).textContent = words; };
    const west = data.plane.lon + x0 / data.plane.kx;
    const north = data.plane.lat - y0 / 111320;
    for (let lon = Math.ceil(west / step) * step; lon < west + (unit * wide) / data.plane.kx; lon += step) {
      const x = (lon - data.plane.lon) * data.plane.kx;
      make("path", { d: "M" + x + " " + y0 + "v" + unit * high, "vector-effect": "non-scaling-stroke" }, grid);
      text(degrees(lon, step, "EW"), x + 3 * unit, y0 + unit * (high - 6), "start");
    }
    for (let lat = Math.floor(north / step) * step; lat > north - (unit * high) / 111320; lat -= step) {
      const y = (data.plane.lat - lat) * 111320;
      make("path", { d: "M" + x0 + " " + y + "h" + unit * wide, "vector-effect": "non-scaling-stroke" }, grid);
      text(degrees(lat, step, "NS"), x0 + unit * (wide - 6), y - 3 * unit, "end");
    }
    return unit;
  };
  const zoom = (factor, x, y) => {
    if (!factor) { view = data.view.slice(); draw(); return; }
    const next = Math.min(Math.max(view[2] * factor, 200), data.view[2] * 20) / view[2];
    view = [x + (view[0] - x) * next, y + (view[1] - y) * next, view[2] * next, view[3] * next];
    draw();
  };
  const middle = () => [view[0] + view[2] / 2, view[1] + view[3] / 2];
  let moved = false;
  let held = null;
  svg.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY, view.slice()]; moved = false; });
  window.addEventListener("pointermove", (event) => {
    if (!held) return;
    const dx = event.clientX - held[0];
    const dy = event.clientY - held[1];
    if (Math.abs(dx) + Math.abs(dy) > 4) moved = true;
    if (!moved) return;
    const unit = Math.max(view[2] / svg.clientWidth, view[3] / svg.clientHeight);
    view = [held[2][0] - dx * unit, held[2][1] - dy * unit, view[2], view[3]];
    draw();
  });
  window.addEventListener("pointerup", () => { held = null; });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    zoom(Math.pow(1.0015, event.deltaY), at.x, at.y);
  }, { passive: false });
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (step) { view[0] += step[0] * view[2] * 0.15; view[1] += step[1] * view[3] * 0.15; draw(); event.preventDefault(); }
    if (event.key === "+" || event.key === "=") zoom(0.6, ...middle());
    if (event.key === "-") zoom(1.667, ...middle());
  });
  document.querySelectorAll("#zoom button").forEach((button) => button.addEventListener("click", () => zoom(Number(button.dataset.zoom), ...middle())));
  window.addEventListener("resize", draw);
  draw();
  const best = data.layers.length ? data.layers[data.layers.length - 1].items.slice(-1)[0] : null;
  if (best && location.hash === "#best") tell(best);
})();
