// One connection on the page: its ladder, what each side holds, the chance of a leak, the command line, the diagram.

const $ = id => document.getElementById(id);
const RATES = [0, .0001, .001, .002, .005, ...Array.from({length: 60}, (_, at) => (at + 1) / 100)];
const STATES = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT", "CLOSED"];
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** An element with attributes and children; text is text, never markup. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** One connection: its ladder, what each side holds, the chance of a leak, the diagram. */
class Pane {
  constructor(page, variant) {
    Object.assign(this, {page, variant, graph: new Graph(variant.graph)});
    this.chance = new Chance(this.graph, DATA.beyond);
    this.svg = document.createElementNS(NS, "svg");
    this.svg.setAttribute("class", "ladder");
    this.svg.setAttribute("role", "group");
    this.svg.setAttribute("aria-label", "Ladder of the connection: segments can be chosen to be lost");
    this.states = document.createElementNS(NS, "svg");
    this.states.setAttribute("class", "states");
    this.states.setAttribute("role", "img");
    this.ladder = new Ladder(this.svg, {onLose: flight => page.toggle(this, flight), onOpen: () => page.show()});
    this.diagram = new Diagram(this.states, DATA.diagram);
    this.box = h("div", {class: "box"}, this.svg);
    this.held = h("div", {class: "held"});
    this.chances = h("div", {class: "card", "aria-live": "off"});
    this.command = h("div", {class: "card"});
    this.element = h("div", {class: "pane"},
      ...DATA.variants.length > 1 ? [h("h3", {}, variant.title)] : [],
      this.box, h("div", {class: "side"}, this.held, this.chances, this.command, this.states));
  }
  walkTo(until) { return this.graph.walk(this.page.losses, this.page.choices, until); }

  show() {
    this.walk = this.walkTo(this.page.until);
    this.ladder.draw(this.walk, this.box.clientWidth || 640);
    if (this.box.scrollWidth > this.box.clientWidth) this.box.tabIndex = 0; else this.box.removeAttribute("tabindex");
    this.diagram.draw(this.walk);
    this.showHeld();
    this.showChance();
    this.showCommand();
  }
  showHeld() {
    const {walk} = this, held = walk.state >= 0 ? walk.graph.sockets(walk.state) : null;
    this.bars = [];
    this.held.replaceChildren(...SIDES.map((name, side) => {
      const sockets = held ? held[side] : [], list = h("ul");
      for (const [state, holder, fd, readable, unacked, leg, who] of sockets) {
        const more = [readable ? `${readable} bytes unread` : "", unacked ? `${unacked} unacknowledged` : "", fd ? "" : "no descriptor"].filter(Boolean);
        list.append(h("li", {}, h("b", {class: `S-${state}`}, state), ` ${DATA.holders[holder]}${who ? `, ${legOf(side, leg)}` : ""}`, ...more.length ? [h("br"), h("span", {class: "quiet"}, more.join(", "))] : []));
      }
      if (!sockets.length) list.append(h("li", {}, "no socket"));
      for (const timer of walk.timers.values()) if (timer.side === side) {
        const left = timer.ends - walk.now, words = timer.name === "program" ? "the program waits" : `${timer.name} timer${between(side) ? `, ${legOf(side, walk.legOf(side, timer.who))}` : ""}`;
        if (!left) { list.append(h("li", {}, `${words}: over now`)); continue; }
        const fill = h("i");
        fill.style.transform = `scaleX(${left / (timer.ends - timer.begins)})`;
        this.bars.push({fill, timer});
        list.append(h("li", {}, `${words}: ${length(left)} left`, h("span", {class: "timer", "aria-hidden": "true"}, fill)));
      }
      return h("div", {}, h("h4", {}, `${name} (${this.variant.stacks[side]})`), list);
    }));
  }
  showChance() {
    const p = this.page.rate, {walk} = this;
    const {leak, cut} = this.chance.leak(walk.state, p);
    const rows = this.chance.from(walk.state, p).slice(0, 7);
    // a column for each machine, as long as there is room for them
    const few = SIDES.length < 4, heads = few ? SIDES : ["what is left"];
    const left = held => few ? held : [held.map((words, side) => words && `${SIDES[side]} ${words}`).filter(Boolean).join("; ")];
    this.leak = leak;
    this.chances.replaceChildren(
      h("h4", {}, `A socket stays for ever, from here, at ${percent(p)} loss`),
      h("p", {class: "big " + (leak > 0 ? "bad" : "good")}, chanceWords(leak)),
      ...cut > 1e-15 ? [h("p", {class: "quiet"}, `at most ${chanceWords(cut)} more: not followed`)] : [],
      h("table", {}, h("caption", {class: "hidden"}, "The ends, with the probability of each from here"),
        h("thead", {}, h("tr", {}, ...["end", ...heads, "probability"].map(name => h("th", {scope: "col"}, name)))),
        h("tbody", {}, ...rows.map(end => h("tr", {}, h("td", {}, KIND_WORDS[end.kind]), ...left(end.held).map(words => h("td", {}, words)), h("td", {class: "number"}, chanceWords(end.probability)))))));
  }
  showCommand() {
    const line = this.line();
    const copied = h("span", {role: "status"});
    this.command.replaceChildren(h("h4", {}, "The same run on a command line"),
      h("div", {class: "command"}, h("code", {}, line),
        h("button", {type: "button", onclick: async () => {
          try { await navigator.clipboard.writeText(line); copied.textContent = "copied"; }
          catch { getSelection().selectAllChildren(this.command.querySelector("code")); copied.textContent = "selected: copy it with the keyboard"; }
        }}, "Copy")), copied);
  }
  line() {
    const chosen = this.walk.moments.filter(moment => moment.asked).flatMap(({edge}) => this.graph.steps[edge.step][2]);
    return [this.variant.command, ...this.page.losses.rules().map(rule => `--drop "${rule}"`)].join(" ") +
      (chosen.length ? `  # and: ${chosen.join("; ")}` : "");
  }
  /** What the reader hears of the last step. */
  said() {
    const {walk} = this, last = walk.moments.at(-1);
    if (!last) return "";
    const words = walk.words(), found = last.lost.map(flight => `${owned(flight)} is lost`);
    for (let at = last.first; at < last.behind; at++) found.push(inWords(walk.items[at], words[at]));
    return `${clock(last.t)}: ${found.slice(0, 8).join("; ")}${found.length > 8 ? `; ${found.length - 8} more` : ""}.`;
  }
}

/** One event as a sentence. */
function inWords(item, text) {
  const who = SIDES[item.side];
  switch (item.kind) {
    case "s": return `${who} sends ${item.flight.label}${toWhom(item.flight.way)}${item.flight.lost === null || item.flight.done > item.t ? "" : ", lost"}`;
    case "a": return `${item.flight.label} arrives at ${the(item.side)}`;
    case "c": return `${who}: ${text}`;
    case "k": return `${who} calls ${text}`;
    default: return `${who}: ${text}`;
  }
}
