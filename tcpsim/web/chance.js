// How likely each end is, from every state of the graph, at one loss rate: exact, nothing is sampled.
//
// States that can all reach each other are a class. What goes round in a class is eliminated state by state,
// without a subtraction (Grassmann, Taksar and Heyman 1985): 1 - P(goes on) would lose a way out that needs
// nine losses in a row. A class whose expected stay is beyond `beyond` is an end of its own: metastable.

class Chance {
  constructor(graph, beyond) {
    this.graph = graph;
    this.beyond = beyond;
    this.count = graph.states.length;
    this.out = [];
    this.powers = graph.kinds.map(([, , lost, passed, weight = 1]) => [lost, passed, weight]);
    for (let state = 0; state < this.count; state++) {
      const row = graph.states[state], ways = [];
      for (let at = 3; at < row.length; at += 2) ways.push([row[at + 1], row[at]]);
      this.out.push(ways);
    }
    this.ends = [];            // {kind, held}: the words of what each machine holds
    this.endOf = new Map();
    this.classes = this.components();
    for (const part of this.classes) part.end = this.settles(part) ? this.end(part) : -1;
    for (const part of this.classes) part.holds = part.cyclic && part.end < 0 ? this.end(part, "metastable") : -1;
    this.cut = this.named("not followed", SIDES.map(() => ""));
    this.at = new Map();
  }

  /** Tarjan's algorithm: each class behind those it leads to. */
  components() {
    const index = new Int32Array(this.count).fill(-1), low = new Int32Array(this.count), found = [];
    const on = new Uint8Array(this.count), stack = [];
    this.classOf = new Int32Array(this.count);
    let next = 0;
    for (let root = 0; root < this.count; root++) {
      if (index[root] >= 0) continue;
      const work = [[root, 0]];
      while (work.length) {
        const frame = work[work.length - 1], [state, at] = frame;
        if (!at) { index[state] = low[state] = next++; stack.push(state); on[state] = 1; }
        if (at < this.out[state].length) {
          frame[1]++;
          const to = this.out[state][at][0];
          if (to < 0) continue;
          if (index[to] < 0) work.push([to, 0]);
          else if (on[to]) low[state] = Math.min(low[state], index[to]);
          continue;
        }
        work.pop();
        if (work.length) {
          const before = work[work.length - 1][0];
          low[before] = Math.min(low[before], low[state]);
        }
        if (low[state] !== index[state]) continue;
        const states = [];
        let member;
        do { member = stack.pop(); on[member] = 0; this.classOf[member] = found.length; states.push(member); }
        while (member !== state);
        states.sort((a, b) => a - b);
        const cyclic = states.length > 1 || this.out[state].some(([to]) => to === state);
        found.push({states, cyclic});
      }
    }
    return found;
  }

  settles({states}) {
    const inside = this.classOf[states[0]];
    return states.every(state => this.graph.mark(state) <= 0 &&
      this.out[state].every(([to]) => to >= 0 && this.classOf[to] === inside));
  }
  end({states}, kind) {
    const late = states.some(state => this.graph.mark(state) === LATE);
    const alive = states.some(state => this.graph.alive(state));
    return this.named(kind ?? (late ? "goes on" : alive ? "permanent" : "clean"), this.graph.words(states[0]));
  }
  named(kind, held) {
    const key = [kind, ...held].join("|");
    if (!this.endOf.has(key)) { this.endOf.set(key, this.ends.length); this.ends.push({kind, held}); }
    return this.endOf.get(key);
  }

  /** The probability of each way out of a state. Of a large burst the rest is what no listed way covers. */
  share(state, luck) {
    const row = this.out[state].map(([to, kind]) => [to, luck[kind], kind]), together = this.graph.mark(state);
    if (together > 0) {
      const most = Math.max(...this.out[state].map(([, kind]) => this.graph.steps[this.graph.kinds[kind][0]][0].length));
      row.push([NOT_FOLLOWED, beyondOf(together, most, this.p), -1]);
    }
    return row;
  }

  /** Everything at the loss rate `p`; the last few rates are remembered. */
  for(p) {
    if (this.at.has(p)) return this.at.get(p);
    this.p = p;
    const luck = this.powers.map(([lost, passed, weight]) => p ** lost * (1 - p) ** passed * weight);
    const mass = new Float64Array(this.count), width = this.ends.length;
    const value = new Float64Array(this.count * width), holds = new Uint8Array(this.classes.length);
    const wheels = new Map();
    mass[0] = 1;
    for (let place = this.classes.length - 1; place >= 0; place--) {
      const part = this.classes[place];
      if (part.end >= 0) continue;
      if (!part.cyclic) {
        const state = part.states[0];
        for (const [to, share] of this.share(state, luck)) if (to >= 0) mass[to] += mass[state] * share;
        continue;
      }
      const wheel = this.turn(part, luck), entered = part.states.reduce((sum, state) => sum + mass[state], 0);
      let held = 0;
      const here = new Map(part.states.map(state => [state, mass[state]])), given = new Map();
      for (const {state, row, time} of wheel.passages) {
        const now = here.get(state);
        here.delete(state);
        held += now * time;
        for (const [to, share] of row) {
          const where = here.has(to) ? here : given;
          where.set(to, (where.get(to) ?? 0) + now * share);
        }
      }
      // a class that nothing comes to is judged by its first state
      const stay = wheel.stuck ? Infinity : entered > 0 ? held / entered : wheel.first();
      if (stay > this.beyond) { holds[place] = 1; continue; }
      wheels.set(place, wheel);
      for (const [to, more] of given) if (to >= 0) mass[to] += more;
    }
    for (let place = 0; place < this.classes.length; place++) {
      const part = this.classes[place], settled = part.end >= 0 ? part.end : holds[place] ? part.holds : -1;
      if (settled >= 0) for (const state of part.states) value[state * width + settled] = 1;
      else if (!part.cyclic) this.add(value, part.states[0], this.share(part.states[0], luck));
      else for (const {state, row} of [...wheels.get(place).passages].reverse()) this.add(value, state, row);
    }
    const found = {p, value, width, luck, holds};
    if (this.at.size > 8) this.at.clear();
    this.at.set(p, found);
    return found;
  }
  add(value, state, row) {
    const width = this.ends.length;
    for (const [to, share] of row) {
      if (to < 0) value[state * width + this.cut] += share;
      else for (let end = 0; end < width; end++) value[state * width + end] += share * value[to * width + end];
    }
  }

  /** A class that goes round, each state in turn made a passage between its neighbours. */
  turn(part, luck) {
    const rows = new Map(), times = new Map(), sources = new Map(part.states.map(state => [state, new Set()]));
    for (const state of part.states) {
      const row = new Map();
      let time = 0;
      for (const [to, share, kind] of this.share(state, luck)) {
        row.set(to, (row.get(to) ?? 0) + share);
        if (kind >= 0) time += share * this.graph.kinds[kind][1];
        sources.get(to)?.add(state);
      }
      rows.set(state, row);
      times.set(state, time);
    }
    const passages = [];
    let stuck = false;
    for (const state of part.states) {
      const row = rows.get(state);
      rows.delete(state);
      row.delete(state);
      let out = 0;
      for (const share of row.values()) out += share;
      if (out === 0) { stuck = true; break; }
      for (const [to, share] of row) row.set(to, share / out);
      const time = times.get(state) / out;
      passages.push({state, row, time});
      for (const source of sources.get(state)) {
        const before = rows.get(source);
        if (!before?.has(state)) continue;
        const share = before.get(state);
        before.delete(state);
        for (const [to, further] of row) {
          before.set(to, (before.get(to) ?? 0) + share * further);
          sources.get(to)?.add(source);
        }
        times.set(source, times.get(source) + share * time);
      }
    }
    const first = () => {
      const here = new Map([[part.states[0], 1]]);
      let held = 0;
      for (const {state, row, time} of passages) {
        const now = here.get(state) ?? 0;
        held += now * time;
        for (const [to, share] of row) here.set(to, (here.get(to) ?? 0) + now * share);
      }
      return held;
    };
    return {passages, stuck, first};
  }

  /** [{kind, held, probability}] from a state, the likeliest first. */
  from(state, p) {
    if (state < 0) return [{...this.ends[this.cut], probability: 1}];
    const {value, width} = this.for(p);
    return this.ends.map((end, place) => ({...end, probability: value[state * width + place]}))
      .filter(end => end.probability > 0).sort((a, b) => b.probability - a.probability);
  }
  /** {leak, cut}: the probability that a socket stays for ever or beyond `beyond`, and what is not followed. */
  leak(state, p) {
    let leak = 0, cut = 0;
    for (const end of this.from(state, p)) {
      if (end.kind === "permanent" || end.kind === "metastable") leak += end.probability;
      if (end.kind === "not followed" || end.kind === "goes on") cut += end.probability;
    }
    return {leak, cut};
  }
  leaks(state, p) {
    const place = this.classOf[state], part = this.classes[place];
    if (part.end >= 0) return this.ends[part.end].kind === "permanent";
    return part.cyclic && this.for(p).holds[place] === 1;
  }

  /** The edges from a state to a leak: the likeliest way, or one with the fewest losses; null: there is none. */
  wayToLeak(from, p, fewest) {
    if (from < 0) return null;
    const {luck} = this.for(Math.min(Math.max(p, 1e-6), 0.999)), best = new Map([[from, 0]]), into = new Map();
    const heap = new Heap();
    heap.push(0, from);
    while (heap.size) {
      const [cost, state] = heap.pop();
      if (cost > best.get(state)) continue;
      if (this.leaks(state, p)) {
        const way = [];
        for (let at = state; at !== from; at = into.get(at)[0]) way.unshift(into.get(at)[1]);
        return way;
      }
      this.graph.edges(state).forEach((edge, place) => {
        if (edge.to < 0) return;
        const kind = this.out[state][place][1], rarity = -Math.log(luck[kind]);
        const next = cost + Math.max(fewest ? 1e6 * edge.lost + rarity : rarity, 0);
        if (next < (best.get(edge.to) ?? Infinity)) {
          best.set(edge.to, next);
          into.set(edge.to, [state, edge]);
          heap.push(next, edge.to);
        }
      });
    }
    return null;
  }
}

/** The probability that of `count` segments more than `most` are lost. */
function beyondOf(count, most, p) {
  let sum = 0, ways = 1;
  for (let lost = 0; lost <= count; lost++) {
    if (lost > most) sum += ways * p ** lost * (1 - p) ** (count - lost);
    ways = ways * (count - lost) / (lost + 1);
  }
  return sum;
}

class Heap {
  constructor() { this.items = []; }
  get size() { return this.items.length; }
  push(cost, value) {
    const items = this.items;
    let at = items.push([cost, value]) - 1;
    while (at) {
      const up = (at - 1) >> 1;
      if (items[up][0] <= items[at][0]) break;
      [items[up], items[at]] = [items[at], items[up]];
      at = up;
    }
  }
  pop() {
    const items = this.items, top = items[0], last = items.pop();
    if (items.length) {
      items[0] = last;
      for (let at = 0; ;) {
        let least = at;
        for (const child of [2 * at + 1, 2 * at + 2])
          if (child < items.length && items[child][0] < items[least][0]) least = child;
        if (least === at) break;
        [items[least], items[at]] = [items[at], items[least]];
        at = least;
      }
    }
    return top;
  }
}
