// The page: what is lost, how far the reader has gone, and everything that is drawn from these two.

class Page {
  constructor() {
    this.losses = new Losses();
    this.choices = [];
    this.until = 0;
    this.rate = RATES[nearest(DATA.loss)];
    this.panes = DATA.variants.map(variant => new Pane(this, variant));
    $("panes").append(...this.panes.map(pane => pane.element));
    $("panes").classList.toggle("several", this.panes.length > 1);
    $("panes").classList.toggle("relayed", SIDES.length > 2);
    $("loss").max = RATES.length - 1;
    $("loss").value = nearest(DATA.loss);
    $("step").onclick = () => this.step();
    $("back").onclick = () => this.back();
    $("go").onclick = () => this.go();
    $("again").onclick = () => this.restart();
    $("fewest").onclick = () => this.toLeak(true);
    $("likeliest").onclick = () => this.toLeak(false);
    $("loss").oninput = () => { this.rate = RATES[+$("loss").value]; this.show(); };
    addEventListener("hashchange", () => { if (this.read()) this.show(); });
    addEventListener("keydown", event => this.key(event));
    let width = 0;
    new ResizeObserver(() => { if (innerWidth !== width) { width = innerWidth; this.show(); } }).observe(document.body);
    this.limits();
    this.read();
    this.show();
    this.whatIf = whatIf(this.panes[0].graph, []);
    showTable(this);
    showExercises(this);
  }

  /** `#server4,client2@230000`: what is lost, and until when (microseconds); `!1` chooses. */
  read() {
    const [words, until] = location.hash.slice(1).split("@"), [lost, chosen] = words.replaceAll("%2C", ",").split("!");
    if (location.hash.slice(1) === this.written) return false;
    this.losses = Losses.parse(lost);
    this.choices = (chosen ?? "").split(",").filter(Boolean).map(Number).filter(Number.isInteger);
    this.until = until !== undefined && /^-?\d+$/.test(until) ? +until : this.losses.count || this.choices.length ? Infinity : 0;
    return true;
  }
  write() {
    const over = this.panes.every(({walk}) => walk.over || walk.stuck), begun = this.panes.some(({walk}) => walk.moments.length);
    const chosen = this.choices.length ? "!" + this.choices.join() : "";
    const now = begun ? Math.max(...this.panes.map(({walk}) => walk.now)) : -1, given = this.losses.count || chosen;
    const rest = (given ? !over : now) ? "@" + now : "";
    this.written = `${this.losses}${chosen}${rest}`;
    history.replaceState(null, "", this.written ? "#" + this.written : location.pathname + location.search);
  }

  get nextTime() {
    const times = this.panes.filter(({walk}) => !walk.over && !walk.stuck).map(({walk}) => walk.next);
    return times.length ? Math.min(...times) : null;
  }
  step() {
    if (this.flying) return this.landed();
    const next = this.nextTime;
    if (next === null) return;
    const land = () => { this.flying = null; this.until = next; this.show(true); };
    if (calm() || document.hidden) return land();
    let waiting = this.panes.length;
    this.flying = land;
    const once = () => { if (!--waiting && this.flying === land) land(); };
    for (const pane of this.panes) {
      for (const {fill, timer} of pane.bars) fill.style.transform = `scaleX(${Math.max(0, (timer.ends - next) / Math.max(1, timer.ends - timer.begins))})`;
      pane.ladder.fly(pane.walk, Math.min(next, pane.walk.next ?? next), 320, once);
    }
  }
  landed() { const land = this.flying; this.flying = null; land?.(); }
  back() {
    this.flying = null;
    const times = [...new Set(this.panes.flatMap(({walk}) => walk.moments.map(moment => moment.t)))].sort((a, b) => a - b);
    this.until = times.length > 1 ? times.at(-2) : -1;
    this.forget();
    this.show(true);
  }
  /** Losses of what has not been sent yet are forgotten. */
  forget() {
    const sent = WAYS.map(() => 0);
    for (const pane of this.panes) pane.walkTo(this.until).sent.forEach((number, way) => sent[way] = Math.max(sent[way], number));
    this.losses = this.losses.upTo(sent);
  }
  go() { this.flying = null; this.until = Infinity; this.show(true); }
  /** A run to its end that loses just these. */
  open(losses) { this.flying = null; this.losses = losses; this.choices = []; this.until = Infinity; this.show(true); }
  restart() { this.flying = null; this.losses = new Losses(); this.choices = []; this.until = 0; this.show(); }

  /** Lose a segment, or do not. One that has arrived already: back to where it was under way. */
  toggle(pane, flight) {
    this.flying = null;
    const lost = !this.losses.has(flight.way, flight.number), before = this.losses, until = this.until;
    this.losses = this.losses.with(flight.way, flight.number, lost);
    if (flight.done !== undefined) {
      this.until = flight.t;
      this.forget();
    }
    const trial = pane.graph.walk(this.losses, this.choices, flight.due);
    if (trial.stuck && trial.stuck !== "horizon" && lost) {
      this.losses = before;
      this.until = until;
      this.show();
      this.say(STUCK[trial.stuck](pane.graph));
      return;
    }
    this.show();
    this.say(`${numbered(flight)}, ${flight.label}, ${lost ? "will be lost" : "will not be lost"}.`);
  }

  toLeak(fewest) {
    this.flying = null;
    const pane = this.panes.find(({walk, chance}) => chance.wayToLeak(walk.state, this.rate, fewest)) ?? this.panes[0];
    const way = pane.chance.wayToLeak(pane.walk.state, this.rate, fewest);
    if (!way) return this.say("No leak can be reached from here with the losses that this page follows.");
    const walk = pane.walk;
    let losses = this.losses.upTo(walk.sent);
    for (const flight of walk.under) losses = losses.with(flight.way, flight.number, false);
    const asked = walk.asked, ahead = pane.graph.walk(losses, this.choices, this.until), choices = this.choices.slice(0, asked);
    for (const edge of way) {
      ahead.losses = ahead.losses.copy();
      const [lost, shown] = pane.graph.steps[edge.step];
      if (lost.some(place => ahead.copies[place].flight.made))
        return this.say("The way to a leak from here loses a segment that a box on the path made. A run cannot choose that.");
      for (const place of lost) { const {flight} = ahead.copies[place]; ahead.losses.of[flight.way].add(flight.number); }
      const sent = [...ahead.sent];
      for (const item of shown) if (item[0] === "s") { ++sent[item[1]]; if (item[6] === "loss") ahead.losses.of[item[1]].add(sent[item[1]]); }
      const ways = ahead.best(ahead.ways()).sort((a, b) => b.weight - a.weight);
      if (ways.length > 1) choices.push(Math.max(0, ways.findIndex(each => each.step === edge.step && each.to === edge.to)));
      ahead.take(edge);
    }
    this.losses = ahead.losses;
    this.choices = choices;
    this.until = Infinity;
    this.show(true);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const act = {s: () => this.step(), b: () => this.back(), g: () => this.go(), f: () => this.toLeak(true), l: () => this.toLeak(false), r: () => this.restart()}[event.key];
    if (act) { event.preventDefault(); act(); }
  }

  show(aloud = false) {
    for (const pane of this.panes) pane.show();
    const over = this.nextTime === null;
    $("rate").textContent = percent(this.rate);
    $("loss").setAttribute("aria-valuetext", percent(this.rate));
    $("step").disabled = $("go").disabled = over;
    $("back").disabled = !this.panes.some(({walk}) => walk.moments.length);
    this.say((aloud ? this.panes.map(pane => pane.said()).join(" / ") + " " : "") + this.verdict());
    this.choice();
    this.write();
    this.words();
    document.documentElement.dataset.shown = String(++shown);
  }
  say(words) { $("say").textContent = words; }
  verdict() {
    const told = this.panes.map(pane => {
      const {walk, chance} = pane, name = this.panes.length > 1 ? pane.variant.title + ": " : "";
      if (walk.stuck) return name + STUCK[walk.stuck](pane.graph);
      if (walk.over) {
        const held = walk.graph.words(walk.state), rest = held.map((words, side) => `${the(side)} ${words}`).slice(1);
        return name + (walk.graph.alive(walk.state) ? `For ever: no event is left that could end it. The client is ${[held[0], ...rest].join(", ")}.` : "Clean: every connection is closed" + (held.every(words => words === "gone") ? "." : ", but a descriptor stays."));
      }
      if (chance.leaks(walk.state, this.rate)) return name + `For longer than ${length(DATA.beyond)}: it would take too many losses in a row to end it.`;
      const due = walk.copies.filter(copy => copy.due <= walk.next).map(copy => copy.flight);
      const what = due.length ? this.arriving(walk, due) : this.runsOut(walk);
      return name + (walk.round ? "Without another loss the same comes again and again. " : "") + `Next, at ${clock(walk.next)}: ${what}.`;
    });
    return told.join(" / ");
  }
  /** What comes of the segments that are due next. */
  arriving(walk, due) {
    const part = (flights, one, many) => !flights.length ? [] : [
      flights.slice(0, 3).map(owned).join(", ") +
      (flights.length > 3 ? ` and ${flights.length - 3} more` : "") + ` ${flights.length > 1 ? many : one}`];
    return [...part(due.filter(flight => !walk.marked(flight)), "arrives", "arrive"),
      ...part(due.filter(flight => walk.marked(flight)), "will be lost", "will be lost")].join("; ");
  }
  runsOut(walk) {
    const ends = [...walk.timers.values()].filter(timer => timer.ends <= walk.next);
    return ends.map(({side, name}) => name === "program" ? `${the(side)}'s program goes on` : `${the(side)}'s ${name} timer fires`).join(", ") || (walk.moments.length ? "a program acts" : SIDES.length > 2 ? "all programs begin" : "both programs begin");
  }
  choice() {
    const pane = this.panes.find(({walk}) => walk.options.length > 1), box = $("choice");
    box.hidden = !pane;
    if (!pane) return;
    const {walk} = pane, place = walk.asked - 1;
    box.replaceChildren("This time: ", h("select", {"aria-label": "What is chosen", onchange: event => {
      const choices = Array.from({length: place + 1}, (_, at) => this.choices[at] ?? 0);
      choices[place] = event.target.selectedIndex;
      this.choices = choices;
      this.show();
    }}, ...walk.options.map(({words, weight}, at) => h("option", {selected: at === walk.picked}, `${words} (${percent(weight)})`))));
  }
  words() {
    $("words").replaceChildren(...this.panes.map(pane => {
      const texts = pane.walk.words();
      return h("details", {}, h("summary", {}, `${this.panes.length > 1 ? pane.variant.title + ": " : ""}${count(pane.walk.items.length, "event")} until ${clock(pane.walk.now)}`),
        h("ol", {}, ...pane.walk.items.map((item, at) => h("li", {}, `${clock(item.t)}: ${inWords(item, texts[at])}`))));
    }));
  }

  limits() {
    $("limits").textContent = this.panes.map(({graph, variant}) => {
      const name = this.panes.length > 1 ? variant.title + ": " : "";
      if (graph.complete) return `${name}Every way that this connection can go is in this page (${graph.states.length.toLocaleString("en")} states).`;
      const late = graph.states.some(row => row[2] === LATE) ? ` What goes on is followed for ${length(graph.horizon)}.` : "";
      const together = graph.states.some(row => row[2] > 0) ? " Of many segments that arrive together only few are lost at once." : "";
      return `${name}Followed is every way that loses at most ${count(graph.losses, "segment")} in all (${graph.states.length.toLocaleString("en")} states).${late}${together} The chance of what is not followed is shown beside each number.`;
    }).join(" ");
  }
}
const STUCK = {
  horizon: graph => `It still goes on after ${length(graph.horizon)}; this page follows it no further.`,
  losses: graph => `Not followed: these are more losses than the ${graph.losses} of this page.`,
  together: () => "Not followed: so many losses at one instant are not in this page.",
  impossible: () => "One of these segments cannot be lost on this path.",
};
function nearest(p) {
  return RATES.reduce((best, rate, at) => Math.abs(rate - p) < Math.abs(RATES[best] - p) ? at : best, 0);
}
let shown = 0;
const page = new Page();
