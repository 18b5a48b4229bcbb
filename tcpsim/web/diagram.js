// The state diagram, with all machines in it and the path taken lit. Its places and arcs come as data.

const ALL = SIDES.map((_, side) => side);

class Diagram {
  constructor(svg, layout) {
    Object.assign(this, {svg, layout});
    const {width, height} = layout;
    svg.setAttribute("viewBox", `0 60 ${width * 100} ${height * 100 - 60}`);
  }
  point([x, y]) { return [x * 100, (this.layout.height - y) * 100]; }

  draw(walk) {
    const svg = this.svg, {box, places, arcs} = this.layout, lit = SIDES.map(() => new Set()), now = SIDES.map(() => new Set());
    const last = new Map();
    for (const item of walk.items) {
      if (item.kind !== "c") continue;
      const key = item.side + "/" + item.who, state = item.text.split(" ")[0];
      const before = last.get(key) ?? (state === "SYN-RECEIVED" ? "LISTEN" : "CLOSED");
      if (before !== state) lit[item.side].add(before + ">" + state);
      last.set(key, state);
    }
    if (walk.state >= 0) walk.graph.sockets(walk.state).forEach((held, side) => held.forEach(each => now[side].add(each[0])));
    svg.replaceChildren();
    make(svg, "title", {}, "State diagram: " + SIDES.map((name, side) => `${name} ${[...now[side]].join(", ") || "gone"}`).join("; "));
    for (const arc of [...arcs].sort((a, b) => this.isLit(lit, a) - this.isLit(lit, b))) this.arc(arc, lit);
    for (const [name, place] of Object.entries(places)) {
      const state = name === "begin" || name === "end" ? "CLOSED" : name, [x, y] = this.point(place);
      const [w, h] = [box[0] * 108, box[1] * 108];
      const inside = ALL.filter(side => now[side].has(state) && name !== "begin");
      make(svg, "rect", {x: x - w / 2, y: y - h / 2, width: w, height: h, rx: 8,
        class: `place S-${state} ${inside.length ? "inside" : ""}`});
      make(svg, "text", {x, y: y + (inside.length ? -5 : 9), class: "name"}, state);
      const who = inside.map(side => SIDES[side]).join(" + ");
      if (who) make(svg, "text", {x, y: y + 22, class: "who", ...who.length > 15 ? {textLength: w - 14, lengthAdjust: "spacingAndGlyphs"} : {}}, who);
    }
    for (const arc of arcs) if (this.isLit(lit, arc)) this.words(arc);
    this.legend();
  }
  isLit(lit, {from, to}) { return lit.some(each => each.has(from + ">" + to)) ? 1 : 0; }
  arc({from, to, points, label, align, words}, lit) {
    const sides = ALL.filter(side => lit[side].has(from + ">" + to)), at = points.map(point => this.point(point));
    const d = "M" + at.map(point => point.join(" ")).join("L");
    const [[x1, y1], [x2, y2]] = at.slice(-2), turn = Math.atan2(y2 - y1, x2 - x1) * 180 / Math.PI;
    const group = make(this.svg, "g", {class: sides.length ? `arc by by-${sides[0]}` : "arc"});
    make(group, "path", {d, class: "line"});
    make(group, "path", {d: `M${x2} ${y2}l-11 -5v10z`, class: "tip", transform: `rotate(${turn} ${x2} ${y2})`});
  }
  /** What an arc says, the action below the event; a level arc has the two on either side of it. */
  words({label, align, words}) {
    const [x, y] = this.point(label), lines = words.flatMap(each => each.split(" / ").map((part, at) => at ? "/ " + part : part));
    const text = make(this.svg, "text", {x, y: y - (align === "center" ? 0 : 12 * (lines.length - 1)), class: "words " + align});
    lines.forEach((line, index) => make(text, "tspan", {x, dy: index ? (align === "center" ? 38 : 24) : 0}, line));
  }
  legend() {
    SIDES.forEach((name, side) => {
      const group = make(this.svg, "g", {class: `arc by by-${side}`}), y = SIDES.length < 4 ? 100 + side * 30 : 72 + side * 90 / (SIDES.length - 1);
      make(group, "path", {d: `M20 ${y}h70`, class: "line"});
      make(group, "text", {x: 102, y: y + 8, class: "words"}, `${the(side)}'s path`);
    });
  }
}
