// A walk as a ladder: lifelines, slanting arrows, time downwards but not in proportion.
// A machine between has a lifeline for each of its legs, with its words between the two.
// Every happening has a line of its own; the gap between two moments grows slowly with the time between them.

const NS = "http://www.w3.org/2000/svg";
const LINE = 19, BREAK = 1e6, FOLD = 4;

function make(parent, name, attributes = {}, text) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

class Ladder {
  /** `onLose(flight)` is told which segment the reader chose, `onOpen(key)` which burst. */
  constructor(svg, {onLose, onOpen}) {
    Object.assign(this, {svg, onLose, onOpen, opened: new Set()});
    svg.addEventListener("click", event => this.chosen(event.target.closest("[data-act]")));
    svg.addEventListener("keydown", event => this.key(event));
  }
  chosen(element) {
    if (!element) return;
    const act = element.dataset.act;
    if (act === "open") { this.opened.add(element.dataset.burst); this.onOpen(element.dataset.burst); }
    else this.onLose(this.walk.flights[+element.dataset.flight]);
  }
  key(event) {
    const element = event.target.closest("[data-act]");
    if (!element) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.chosen(element); }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const all = [...this.svg.querySelectorAll("[data-act]")];
    all[all.indexOf(element) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  }

  draw(walk, width) {
    this.walk = walk;
    const held = document.activeElement?.closest?.("[data-act]"), again = held && this.svg.contains(held)
      ? `[data-flight="${held.dataset.flight}"]` : null;
    this.lanes = lanesOf(walk);
    this.measure(width);
    this.place(walk);
    const svg = this.svg;
    svg.replaceChildren();
    svg.classList.toggle("narrow", this.narrow);
    svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    svg.setAttribute("width", this.width);
    svg.setAttribute("height", this.height);
    this.bars();
    for (const {y, us, words} of this.breaks)
      make(svg, "text", {x: this.width / 2, y: y + 4, class: "pause"}, words ?? `${length(us)} pass`);
    this.times();
    for (const row of this.texts) this.text(row);
    this.arrows();
    if (again) svg.querySelector(again)?.focus({preventScroll: true});
  }

  measure(width) {
    const more = SIDES.length - 2, last = SIDES.length - 1;
    this.width = Math.max(300 + 190 * more, Math.floor(width));
    this.narrow = this.width < 620 + 220 * more;
    this.gutter = this.narrow ? 0 : 66;
    // the words beside the first and the last lifeline share their room with the times
    const times = this.narrow ? 0 : 50, words = this.width * (more ? 0.65 : 0.56);
    const cell = Math.round(Math.min(Math.max((words + more * times) / SIDES.length, 106), 250)), inner = cell - times;
    this.span = (this.width - 2 * cell - more * inner) / last;
    this.rails = SIDES.map((_, side) => {
      const left = cell + side * this.span + Math.max(0, side - 1) * inner;
      return [left, between(side) ? left + inner : left];
    });
    this.bar = new Map([...this.lanes.most].map(([end, most]) => [end, Math.min(8, Math.max(3.5, 24 / most))]));
    const beside = (side, leg) => 11 + (this.lanes.most.get(side + "/" + leg) - 1) * this.bar.get(side + "/" + leg);
    // where words begin, and where those begin that end at a lifeline on their right
    this.wordsX = SIDES.map((_, side) => [
      side ? this.rails[side][0] + beside(side, side - 1) : this.gutter + 2,
      side < last ? this.rails[side][1] - beside(side, side) : this.width - this.gutter - 2]);
    const size = this.narrow ? 10.5 : 12;
    this.fits = this.wordsX.map(([left, right]) => [narrower(right - left, size, false), narrower(right - left, size, true)]);
  }
  /** Where the lifeline of a machine on a leg stands; and the two ends of a way. */
  rail(side, leg) { return this.rails[side][leg < side ? 0 : 1]; }
  ends(way) { const {leg, from, to} = WAYS[way]; return [this.rail(from, leg), this.rail(to, leg)]; }
  /** Whether words end at the lifeline: those of the client, and of the right one of a machine between. */
  endsAt({side, kind, who}) { return !side || (between(side) && kind === "c" && who > 0 && this.walk.legOf(side, who) === side); }

  /** Where each item lies. A state lies at the arrow that caused it, or that it caused. */
  place(walk) {
    const words = walk.words(), top = this.narrow ? 48 : 34;
    this.breaks = []; this.marks = []; this.texts = []; this.lines = []; this.stations = [];
    this.bursts(walk);
    const lowest = SIDES.map(() => top), latest = SIDES.map(() => null), seen = new Map();
    let moment = top, now = 0, begun = false;
    const advance = t => {
      const gap = t - now, floor = Math.max(...lowest, moment);
      const extra = this.narrow ? 13 : 0;
      moment = floor + extra + (gap >= BREAK ? LINE + 34 : LINE * (1 + 0.35 * Math.log10(1 + gap / 1000)));
      if (gap >= BREAK) this.breaks.push({y: (floor + moment - extra) / 2 + 3, us: gap});
      now = t;
    };
    walk.items.forEach((item, index) => {
      if (item.t > now) advance(item.t);
      begun = true;
      const {side} = item, before = latest[side];
      const burst = item.flight && this.burstOf.get(item.flight);
      const key = burst && burst.key + item.kind;
      let y;
      if (key && seen.has(key)) y = seen.get(key);
      else {
        const pair = before ? before.kind + item.kind : "";
        const beside = before && before.t === item.t && ["ac", "sc", "cs"].includes(pair);
        y = beside ? lowest[side] : Math.max(moment, lowest[side] + LINE);
        if (item.kind === "a") y = Math.max(y, item.flight.y ?? y);
        latest[side] = beside ? null : item;
        if (key) seen.set(key, y);
      }
      if (item.kind === "s") item.flight.y = y;
      if (item.kind === "a") item.flight.y2 = y;
      const lines = words[index] ? wrapped(words[index], this.fits[side][+(item.kind === "c")]) : [];
      lowest[side] = Math.max(lowest[side], y + 15 * Math.max(0, lines.length - 1));
      if (lines.length) this.texts.push({...item, y, lines});
      if (item.kind === "s" && item.flight.remark) lowest[side] += 15;
      this.marks.push({t: item.t, side, y});
      if (item.kind === "c" || item.kind === "e") this.stations.push({...item, y});
    });
    this.ahead(walk, lowest, advance, () => moment);
    this.height = Math.max(...lowest, moment) + 26;
  }

  /** Below what has happened: the line of the present, and where segments under way are going to arrive. */
  ahead(walk, lowest, advance, moment) {
    this.nowY = Math.max(...lowest, moment()) + 16;
    lowest.fill(this.nowY);
    for (const flight of walk.under) flight.y2 = undefined;
    const times = [...new Set(walk.copies.map(copy => copy.due))].sort((a, b) => a - b).slice(0, 6);
    for (const due of times) {
      advance(due);
      let row = moment();
      const here = walk.under.filter(flight => flight.due === due);
      const drawn = new Set();
      for (const flight of here) {
        const burst = this.burstOf.get(flight);
        if (burst) { flight.y2 = drawn.has(burst) ? flight.y2 : row; for (const each of burst.flights) each.y2 = row; }
        if (burst && drawn.has(burst)) continue;
        drawn.add(burst);
        flight.y2 = Math.max(row, (flight.y ?? row) + 4);
        row = flight.y2 + LINE;
      }
      lowest.fill(row);
    }
    for (const flight of walk.under) flight.y2 ??= lowest[0];
  }

  /** Many segments that one side sends at once and that fare alike are one arrow, until it is opened. */
  bursts(walk) {
    const groups = new Map();
    this.burstOf = new Map();
    for (const flight of walk.flights) {
      if (flight.lost !== null || walk.marked(flight) || flight.made) continue;
      const key = [flight.way, flight.t, flight.due, flight.minor].join("/");
      if (!groups.has(key)) groups.set(key, {key, flights: []});
      groups.get(key).flights.push(flight);
    }
    for (const group of groups.values())
      if (group.flights.length >= FOLD && !this.opened.has(group.key))
        for (const flight of group.flights) this.burstOf.set(flight, group);
  }

  /** Times stand beside the words in a narrow ladder, else at the edges: on the right those of the server. */
  times() {
    const said = new Map(), last = SIDES.length - 1;
    for (const {t, side, y} of this.marks) {
      const at = this.narrow ? side : side === last ? last : 0, key = t + "/" + at;
      if (!said.has(key)) said.set(key, {t, at, y}); else said.get(key).y = Math.min(said.get(key).y, y);
    }
    for (const {t, at, y} of said.values()) {
      if (this.narrow) make(this.svg, "text", {x: this.wordsX[at][at ? 0 : 1], y: y - 11, class: at ? "time begin" : "time"}, clock(t));
      else make(this.svg, "text", {x: at ? this.width - 2 : this.gutter - 6, y: y + 4, class: "time"}, clock(t));
    }
  }
  text(item) {
    const {side, kind, y, lines} = item, end = this.endsAt(item), x = this.wordsX[side][end ? 1 : 0];
    const text = make(this.svg, "text", {x, y: y + 4,
      class: `say ${{k: "call", c: "state", t: "timer", n: "note", e: "note"}[kind]} ${end ? "left" : ""}`});
    lines.forEach((line, index) => make(text, "tspan", {x, dy: index ? 15 : 0}, line));
  }

  bars() {
    const bottom = this.height - 8, svg = this.svg;
    SIDES.forEach((name, side) => {
      const [left, right] = this.rails[side];
      make(svg, "text", {x: (left + right) / 2, y: 14, class: "head"}, name);
      for (const x of new Set([left, right])) make(svg, "line", {x1: x, x2: x, y1: 22, y2: bottom, class: "life"});
    });
    const open = new Map();
    const close = (key, y) => { this.drawBar(open.get(key), y); open.delete(key); };
    for (const item of this.stations) {
      const key = item.side + "/" + item.who, state = item.text.split(" ")[0];
      if (item.kind === "e") { for (const [each, {side}] of [...open]) if (side === item.side) close(each, item.y); continue; }
      if (!item.who || open.get(key)?.state === state) continue;
      if (open.has(key)) close(key, item.y);
      if (state !== "CLOSED") open.set(key, {side: item.side, leg: this.walk.legOf(item.side, item.who), state, y: item.y, lane: this.lanes.lane.get(key)});
    }
    for (const key of [...open.keys()]) close(key, bottom);
    make(svg, "line", {x1: this.gutter || 26, x2: this.width - this.gutter, y1: this.nowY - 6, y2: this.nowY - 6, class: "now"});
    make(svg, "text", {x: this.gutter ? this.gutter - 6 : 0, y: this.nowY - 3, class: this.gutter ? "time" : "time begin"}, "now");
  }
  drawBar({side, leg, state, y, lane}, to) {
    const width = this.bar.get(side + "/" + leg), out = leg < side ? -4 + lane * width : 4 - (lane + 1) * width;
    const rect = make(this.svg, "rect", {x: this.rail(side, leg) + out, y, width, height: Math.max(3, to - y), rx: 2, class: `bar S-${state}`});
    make(rect, "title", {}, `${onLeg(SIDES[side], side, leg)}: ${state}`);
  }

  arrows() {
    const drawn = new Set();
    for (const flight of this.walk.flights) {
      const burst = this.burstOf.get(flight);
      if (burst && drawn.has(burst)) continue;
      if (burst) drawn.add(burst);
      this.arrow(flight, burst);
    }
  }
  arrow(flight, burst) {
    const walk = this.walk, under = flight.done === undefined, marked = walk.marked(flight) && !flight.byRule;
    const lost = flight.lost !== null || marked, [near, far] = this.ends(flight.way), towards = near < far ? 1 : -1;
    const from = flight.made ? (near + far) / 2 : near + towards * 6, to = far - towards * 6;
    const y1 = flight.y ?? (flight.y2 ?? this.nowY) - 8;
    let y2 = flight.y2 ?? y1 + 16;
    if (flight.lost !== null && flight.y2 === undefined) y2 = y1 + 12;
    const share = lost ? 0.72 : 1, x2 = from + (to - from) * share, yEnd = y1 + (y2 - y1) * share;
    const canLose = !flight.made && !flight.byRule;
    const group = make(this.svg, "g", {class: ["flight", under ? "under" : "done", lost ? "lost" : "", burst ? "burst" : "", flight.made ? "made" : ""].join(" "), "data-flight": flight.index});
    const name = burst ? `${burst.flights.length} segments, the first ${flight.label}` : `${numbered(flight)}: ${flight.label}`;
    if (burst || canLose) {
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", under || burst ? 0 : -1);
      group.dataset.act = burst ? "open" : "lose";
      if (burst) group.dataset.burst = burst.key;
      group.setAttribute("aria-label", burst ? `show ${name}` : `${lost ? "do not lose" : "lose"} ${name}${under ? ", under way" : ""}`);
    }
    make(group, "path", {d: `M${from} ${y1}L${x2} ${yEnd}`, class: "hit"});
    make(group, "path", {d: `M${from} ${y1}L${x2} ${yEnd}`, class: "line"});
    if (lost) make(group, "path", {d: `M${x2 - 5} ${yEnd - 5}l10 10m0 -10l-10 10`, class: "cross"});
    else make(group, "path", {d: `M${x2} ${yEnd}l${-towards * 9} -4.5v9z`, class: "tip", transform: `rotate(${Math.atan2(y2 - y1, to - from) * 180 / Math.PI + (towards < 0 ? 180 : 0)} ${x2} ${yEnd})`});
    this.label(group, flight, burst, {from, to, x2, y1, y2, towards, lost});
  }
  label(group, flight, burst, {from, to, x2, y1, y2, towards, lost}) {
    const room = Math.abs(x2 - from) - 22, letters = Math.floor(room / 6.3), why = flight.lost !== null && flight.lost !== "loss" && flight.lost !== "lost" ? flight.lost : "lost";
    const tail = lost ? `  ${why}` : "";
    let text = burst ? `${burst.flights.length} × ${flight.short}` : flight.label;
    if (text.length + tail.length > letters) text = burst ? `${burst.flights.length} segments` : flight.short;
    if (text.length + tail.length > letters) text = text.slice(0, Math.max(3, letters - tail.length - 1)) + "…";
    const x = (from + x2) / 2, y = y1 + (y2 - y1) * (x - from) / (to - from);
    const slope = Math.atan2(y2 - y1, Math.abs(to - from)) * 180 / Math.PI * towards;
    const label = make(group, "text", {x, y: y - 4, class: "label", transform: `rotate(${slope.toFixed(2)} ${x} ${y})`}, text + tail);
    make(label, "title", {}, flight.remark || flight.label);
    if (flight.remark && !this.narrow) make(group, "text", {x: (from + to) / 2, y: y2 + 18, class: "remark"}, flight.remark.slice(0, Math.floor(this.span / 5.6)));
  }

  /** Dots that fly from where segments are now to where they are when the next event comes. */
  fly(walk, next, ms, done) {
    const dots = walk.under.filter(flight => flight.y !== undefined).map(flight => {
      const [from, to] = this.ends(flight.way), marked = walk.marked(flight);
      const at = t => (t - flight.t) / Math.max(1, flight.due - flight.t);
      const dot = make(this.svg, "circle", {r: 5, class: marked ? "dot lost" : "dot"});
      return share => {
        const place = at(walk.now + (next - walk.now) * share);
        dot.setAttribute("cx", from + (to - from) * place);
        dot.setAttribute("cy", flight.y + (flight.y2 - flight.y) * place);
      };
    });
    const begun = performance.now();
    const frame = time => {
      const share = Math.min(1, (time - begun) / ms);
      for (const move of dots) move(Math.max(0, share));
      if (share < 1) requestAnimationFrame(frame); else done();
    };
    requestAnimationFrame(frame);
  }
}
