// The graph, and walks through it. A walk is what happens if just the segments of a set are lost.
// It begins at time 0 and goes as far as it is told. Everything else on the page is drawn from a walk.

const NOT_FOLLOWED = -1, LATE = -1;

/** Which segments are lost: for each way the numbers of those among all that are sent there, from 1. */
class Losses {
  constructor(of = []) { this.of = WAYS.map((_, way) => new Set(of[way])); }
  static parse(text) {
    const found = new Losses();
    for (const word of text.split(",")) {
      const match = /^([a-z0-9]*[a-z])([1-9][0-9]{0,5})$/.exec(word), way = match ? WAYS.findIndex(({name}) => name === match[1]) : -1;
      if (way >= 0) found.of[way].add(+match[2]);
    }
    return found;
  }
  has(way, number) { return this.of[way].has(number); }
  get count() { return this.of.reduce((sum, numbers) => sum + numbers.size, 0); }
  copy() { return new Losses(this.of); }
  with(way, number, lost) {
    const changed = this.copy();
    if (lost) changed.of[way].add(number); else changed.of[way].delete(number);
    return changed;
  }
  /** Only those that have been sent. */
  upTo(sent) {
    return new Losses(this.of.map((numbers, way) => [...numbers].filter(number => number <= sent[way])));
  }
  sorted(way) { return [...this.of[way]].sort((a, b) => a - b); }
  toString() { return WAYS.flatMap(({name}, way) => this.sorted(way).map(number => name + number)).join(","); }
  rules() {
    return WAYS.flatMap(({rule}, way) => this.of[way].size ? [`${rule} #${this.sorted(way).join(",")}`] : []);
  }
}

class Graph {
  constructor(data) {
    Object.assign(this, data);
    this.steps = data.steps.map(([lost, items, chosen]) => [lost, items.map(item => data.items[item]), chosen]);
  }
  edges(state) {
    const row = this.states[state], found = [];
    for (let at = 3; at < row.length; at += 2) {
      const [step, elapsed, lost, passed, weight = 1] = this.kinds[row[at]];
      found.push({to: row[at + 1], step, elapsed, lost, passed, weight});
    }
    return found;
  }
  /** What each machine holds, in words; and socket by socket. */
  words(state) { return this.views[this.states[state][0]].map(each => this.held[each][0]); }
  sockets(state) { return this.views[this.states[state][0]].map(each => this.held[each][1]); }
  mark(state) { return this.states[state][2]; }
  /** Timers and sleeping programs: whose, what, how long after the next event they end. */
  runs(state) {
    const flat = this.running[this.states[state][1]], found = [];
    for (let at = 0; at < flat.length; at += 2) {
      const [side, who, name] = this.timers[flat[at]];
      found.push({side, who, name, ahead: flat[at + 1]});
    }
    return found;
  }
  rests(state) { return this.states[state].length === 3; }
  alive(state) {
    return this.sockets(state).flat().some(([socket]) => socket !== "CLOSED");
  }
  /** The walk that loses `losses`, up to and including what happens at `until`. */
  walk(losses, choices = [], until = Infinity) { return new Walk(this, losses, choices).go(until); }
}

class Walk {
  constructor(graph, losses, choices) {
    Object.assign(this, {graph, losses, choices});
    this.state = 0; this.next = 0; this.now = 0;  // `next`: when the next event is; null: never
    this.moments = [];     // {t, view, items: [first, behind], lost: flights lost on arrival}
    this.items = []; this.flights = []; this.copies = [];
    this.sent = WAYS.map(() => 0); this.asked = 0; this.options = [];
    this.timers = new Map();
    this.legs = new Map();  // by "side/who": on which leg a connection of a machine between is
    this.stuck = "";       // why it cannot go on, though something would happen
    this.note();
  }

  /** As far as it is told; to the end, it goes round once where it would go round for ever. */
  go(until) {
    const seen = new Set();
    while (this.next !== null && this.next <= until && !this.stuck && this.moments.length < 5000) {
      this.step();
      if (until < Infinity || !this.decided()) continue;
      if (seen.has(this.state)) { this.round = true; break; }
      seen.add(this.state);
    }
    return this;
  }
  /** Whether all that was to be lost or chosen is behind. */
  decided() { return this.asked >= this.choices.length && this.losses.of.every((numbers, way) => [...numbers].every(number => number <= this.sent[way])); }
  get over() { return this.next === null; }
  get late() { return this.state >= 0 && this.graph.mark(this.state) === LATE; }

  /** The ways on that lose what is to be lost, and nothing else. */
  ways() {
    const due = this.copies.filter(copy => copy.due <= this.next);
    const wanted = this.copies.flatMap((copy, place) =>
      due.includes(copy) && this.marked(copy.flight) ? [place] : []);
    return this.graph.edges(this.state).filter(edge => {
      const [lost, shown] = this.graph.steps[edge.step];
      return lost.join() === wanted.join() && this.sends(shown);
    });
  }
  marked(flight) { return !flight.made && this.losses.has(flight.way, flight.number); }
  /** Whether of what a step sends just that is lost which is to be lost when it is sent. */
  sends(shown) {
    const sent = [...this.sent];
    return shown.filter(item => item[0] === "s").every(([, way, , , , after, lost = null]) => {
      const wanted = this.losses.has(way, ++sent[way]);
      return lost === "loss" ? wanted : lost !== null || !wanted || after.length > 0;
    });
  }
  /** A loss that is decided when a segment is sent comes before one on arrival, where both are there. */
  best(ways) {
    const early = edge => this.graph.steps[edge.step][1].filter(item => item[0] === "s" && item[6] === "loss").length;
    const most = Math.max(...ways.map(early));
    return ways.filter(edge => early(edge) === most);
  }

  step() {
    if (this.late) { this.stuck = "horizon"; return; }
    let ways = this.ways();
    if (!ways.length) { this.stuck = this.graph.mark(this.state) > 0 ? "together" : "impossible"; return; }
    ways = this.best(ways);
    this.options = [];
    let edge = ways[0];
    if (ways.length > 1) {
      ways = [...ways].sort((a, b) => b.weight - a.weight);
      const pick = this.choices[this.asked++] ?? 0;
      this.options = ways.map(way => ({words: this.graph.steps[way.step][2].join("; ") || "as usual", weight: way.weight}));
      this.picked = Math.min(pick, ways.length - 1);
      edge = ways[this.picked];
    }
    this.take(edge);
  }

  /** Go along an edge. */
  take(edge) {
    const t = this.next, [lost, shown] = this.graph.steps[edge.step];
    const gone = lost.map(place => this.copies[place]), first = this.items.length;
    const here = [...new Set(this.copies.map(copy => copy.flight))];
    this.copies = this.copies.filter(copy => !gone.includes(copy));
    for (const copy of gone) Object.assign(copy.flight, {lost: "lost", done: t});
    for (const [kind, ...rest] of shown) {
      if (kind === "s" || kind === "m") this.send(t, rest, kind === "m", here);
      else if (kind === "a") this.arrive(t, rest[0], here[rest[1]]);
      else if (kind === "x") Object.assign(here[rest[0]], {lost: rest[1], remark: rest[2], done: t});
      else this.items.push({t, side: rest[0], kind, text: rest[1], who: rest[2]});
    }
    for (const copy of this.copies) if (copy.due <= t) copy.flight.done ??= t;
    this.copies = this.copies.filter(copy => copy.due > t);
    this.moments.push({t, state: edge.to, first, behind: this.items.length, lost: gone.map(copy => copy.flight),
      asked: this.options.length ? this.asked : 0, edge});
    this.now = t;
    this.state = edge.to;
    this.next = t + edge.elapsed;
    if (edge.to === NOT_FOLLOWED) this.stuck = "losses";
    else if (this.graph.rests(edge.to) && this.graph.mark(edge.to) !== LATE) this.next = null;
    this.note();
  }
  send(t, [way, label, short, minor, after, lost = null, remark = ""], made, here) {
    const number = made ? 0 : ++this.sent[way], side = WAYS[way].from;
    const flight = {index: this.flights.length, way, side, label, short, minor: !!minor, lost, remark, t, made, number,
      byRule: lost !== null && lost !== "loss", done: lost === null ? undefined : t, due: after.length ? t + after[0] : t};
    this.flights.push(flight);
    here.push(flight);
    if (!made) this.items.push({t, side, kind: "s", text: "", flight});
    for (const each of after) this.copies.push({flight, due: t + each});
    this.copies.sort((a, b) => a.due - b.due);
  }
  arrive(t, side, flight) {
    const place = this.copies.findIndex(copy => copy.flight === flight);
    if (place >= 0) this.copies.splice(place, 1);
    flight.done ??= t;
    this.items.push({t, side, kind: "a", text: "", flight});
  }
  /** Since when each timer runs: the bar of a timer runs from there to its deadline. */
  note() {
    const running = new Map();
    if (this.state >= 0) this.graph.sockets(this.state).forEach((sockets, side) => {
      for (const [, , , , , leg, who] of sockets) if (who) this.legs.set(side + "/" + who, leg);
    });
    if (this.state >= 0 && this.next !== null)
      for (const each of this.graph.runs(this.state)) {
        const ends = this.next + each.ahead, key = [each.side, each.who, each.name, ends].join();
        running.set(key, {...each, ends, begins: this.timers.get(key)?.begins ?? this.now});
      }
    this.timers = running;
  }
  /** The leg of a connection; one that begins and ends in one instant is taken for one with the machine before. */
  legOf(side, who) { return this.legs.get(side + "/" + who) ?? Math.max(0, side - 1); }
  get under() { return [...new Set(this.copies.map(copy => copy.flight))]; }
  /** What each item says, with the number of the process or connection where there are several. */
  words() {
    const several = kind => SIDES.map((_, side) =>
      this.items.some(item => item.kind === kind && item.side === side && item.who > 1));
    const crowded = several("k"), many = several("c");
    return this.items.map(item =>
      item.kind === "k" && crowded[item.side] ? `[${item.who}] ${item.text}` :
      item.kind === "c" && many[item.side] && item.who ? `${item.text} #${item.who}` : item.text);
  }
  /** How long each machine had a connection in each state, until now, in order of appearance. */
  spans() {
    const open = new Map(), found = [];
    for (const item of this.items) {
      if (item.kind === "e") {
        for (const [key, span] of [...open]) if (span.side === item.side) { span.to = item.t; open.delete(key); }
      }
      if (item.kind !== "c" || !item.who) continue;
      const key = item.side + "/" + item.who, state = item.text.split(" ")[0], before = open.get(key);
      if (before && before.state === state) continue;
      if (before) before.to = item.t;
      open.delete(key);
      if (state === "CLOSED") continue;
      const span = {side: item.side, leg: this.legOf(item.side, item.who), who: item.who, state, from: item.t, to: null};
      open.set(key, span);
      found.push(span);
    }
    return found;
  }
}
