// Questions about this connection. The graph says what is right; no score is kept.

const valueOf = ({way, number}) => WAYS[way].name + number;

/** One run to its end for each segment of the undisturbed run: that one is lost, and nothing else. */
function whatIf(graph, first) {
  const quiet = graph.walk(new Losses(), first);
  return {quiet, rows: quiet.flights.filter(flight => !flight.made && !flight.byRule).map(flight => {
    const walk = graph.walk(new Losses().with(flight.way, flight.number, true), first);
    return {flight, walk, changed: lastChange(walk)};
  })};
}
function lastChange(walk) {
  return walk.items.reduce((last, item) => item.kind === "c" && item.who ? item.t : last, 0);
}
/** How long a machine's sockets on a leg are in a state, all together. */
function spanOf(walk, side, leg, state) {
  const spans = walk.spans().filter(span => span.side === side && span.leg === leg && span.state === state);
  if (!spans.length) return 0;
  return spans.reduce((sum, span) => sum + (span.to === null ? Infinity : span.to - span.from), 0);
}

/** What the end of a walk leaks: "for ever", or "". */
const leaksAt = (chance, walk, p) => walk.state >= 0 && chance.leaks(walk.state, p);

/** The questions that this graph has an answer to: {ask, kind, ...}. */
function questions(graph, chance, table, p) {
  const found = [], quiet = table.quiet;
  const toLeak = chance.wayToLeak(0, p, true);
  if (!leaksAt(chance, quiet, p) && toLeak) {
    const fewest = toLeak.reduce((sum, edge) => sum + edge.lost, 0);
    if (fewest > 0) found.push({kind: "lose", fewest, leak: true,
      ask: `Leak a socket with ${fewest === 1 ? "one loss" : count(fewest, "loss", "losses")}: choose above which ${fewest === 1 ? "segment is" : "segments are"} lost, then check.`});
  }
  if (leaksAt(chance, quiet, p) && table.rows.some(({walk}) => !walk.stuck && !leaksAt(chance, walk, p)))
    found.push({kind: "lose", fewest: 1, leak: false,
      ask: "Here a socket stays for ever even if nothing is lost. Lose one segment, above, so that none does, then check."});
  const longest = whichLoss(quiet, table.rows);
  if (longest) found.push(longest);
  found.push(...statesToFill(quiet));
  return found;
}

/** "Which segment must be lost so that LAST-ACK lasts two minutes?": the state that one loss prolongs the most. */
function whichLoss(quiet, rows) {
  return longestOf(quiet, rows, ["LAST-ACK", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "TIME-WAIT", "CLOSE-WAIT"])
    ?? longestOf(quiet, rows, ["SYN-RECEIVED", "SYN-SENT"]);
}
function longestOf(quiet, rows, states) {
  let best = null;
  for (const {side, leg} of ENDS)
    for (const state of states) {
      const times = rows.filter(({walk}) => !walk.stuck).map(({flight, walk}) => ({flight, us: spanOf(walk, side, leg, state)}))
        .filter(each => Number.isFinite(each.us)).sort((a, b) => b.us - a.us);
      const usual = spanOf(quiet, side, leg, state);
      if (!times.length || !Number.isFinite(usual)) continue;
      const [top, second] = times, other = Math.max(second?.us ?? 0, usual, 1000);
      if (top.us >= 1e5 && top.us > 1.5 * other && (!best || top.us / other > best.ratio))
        best = {ratio: top.us / other, side, leg, state, us: top.us};
    }
  return best && {kind: "which", ...best,
    ask: `Which segment must be lost so that ${best.state} of ${onLeg(the(best.side), best.side, best.leg)} lasts ${length(best.us)}?`,
    options: rows.map(({flight}) => ({value: valueOf(flight), words: `${numbered(flight)}: ${flight.label}`}))};
}
function rightLoss(question, table, value) {
  const row = table.rows.find(({flight}) => valueOf(flight) === value);
  return !!row && spanOf(row.walk, question.side, question.leg, question.state) === question.us;
}

/** The states of the close, to be filled in: at each moment at which one changes. */
function statesToFill(quiet) {
  const changes = quiet.items.filter(item => item.kind === "c" && item.who && item.text.split(" ")[0] !== "CLOSED");
  const last = changes.filter(item => !["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"].includes(item.text.split(" ")[0])).slice(0, 3 * SIDES.length);
  if (last.length < 2) return [];
  return [{kind: "states", ask: "Nothing is lost. Which state does each side come to?",
    blanks: last.map(item => ({t: item.t, side: item.side, who: onLeg(SIDES[item.side], item.side, quiet.legOf(item.side, item.who)), state: item.text.split(" ")[0]}))}];
}
