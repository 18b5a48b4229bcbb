// What stands below the ladder: the table of single losses, and the exercises.

const ROWS = 24;  // of the table that are open at first

/** "What if one segment were lost": a row for each segment of the run that loses nothing. */
function showTable(page) {
  const pane = page.panes[0], {quiet, rows} = page.whatIf, p = RATES[nearest(DATA.loss)];
  const ending = walk => walk.stuck ? STUCK[walk.stuck](pane.graph) : walk.graph.words(walk.state).map((words, side) => `${SIDES[side]} ${words}`).join(", ");
  const verdict = walk => walk.stuck ? "not known here" : leaksAt(pane.chance, walk, p) ? "for ever" : "no";
  const row = (name, walk, show) => h("tr", {}, h("th", {scope: "row"}, name), h("td", {}, ending(walk)),
    h("td", {class: "number"}, clock(lastChange(walk))), h("td", {class: verdict(walk) === "for ever" ? "bad" : ""}, verdict(walk)),
    h("td", {}, h("button", {type: "button", onclick: show, "aria-label": `Show the run: ${name}`}, "Show")));
  const open = losses => () => { page.open(losses); $("bar").scrollIntoView({behavior: calm() ? "auto" : "smooth"}); };
  $("what-if").replaceChildren(
    h("thead", {}, h("tr", {}, ...["lost", "what is left", "last change after", "stays for ever", "run"].map(name => h("th", {scope: "col"}, name)))),
    h("tbody", {}, row("nothing", quiet, open(new Losses())),
      ...rows.map(({flight, walk}) => row(`${numbered(flight)}: ${flight.label}`, walk, open(new Losses().with(flight.way, flight.number, true))))));
  fold([...$("what-if").rows].slice(ROWS + 2));
}
/** Rows behind the first ones are opened on a click. */
function fold(more) {
  if (more.length < 3) return;
  for (const row of more) row.hidden = true;
  $("what-if").after(h("button", {type: "button", id: "more", onclick: event => {
    for (const row of more) row.hidden = false;
    more[0].querySelector("button").focus();
    event.target.remove();
  }}, `Show ${more.length} more rows`));
}

/** The exercises, each with a way to check the answer. */
function showExercises(page) {
  const pane = page.panes[0], p = RATES[nearest(DATA.loss)];
  const list = questions(pane.graph, pane.chance, page.whatIf, p).map((question, number) => {
    const answer = h("span", {class: "answer", role: "status"});
    const tell = (right, words) => { answer.textContent = words; answer.className = "answer " + (right ? "good" : "bad"); };
    const check = make => h("button", {type: "button", "data-check": question.kind, onclick: make}, "Check");
    const item = h("li", {"data-exercise": question.kind}, h("p", {}, question.ask));
    if (question.kind === "lose") item.append(check(() => {
      const walk = pane.graph.walk(page.losses, page.choices), lost = page.losses.count, leaks = !walk.stuck && leaksAt(pane.chance, walk, p);
      if (lost > question.fewest) tell(false, `Not yet: ${count(lost, "segment is", "segments are")} lost. ${count(question.fewest, "is", "are")} enough.`);
      else if (leaks === question.leak) tell(true, question.leak ? "Right: that socket stays for ever." : "Right: nothing stays.");
      else tell(false, lost ? (question.leak ? "Not yet: with these losses every connection ends." : "Not yet: a socket still stays.") : "Not yet: nothing is lost. Choose a segment in the ladder.");
    }), answer);
    if (question.kind === "which") {
      const select = h("select", {"aria-label": question.ask}, h("option", {value: ""}, "choose a segment"), ...question.options.map(({value, words}) => h("option", {value}, words)));
      item.append(select, " ", check(() => {
        if (!select.value) return tell(false, "Choose a segment first.");
        const right = rightLoss(question, page.whatIf, select.value);
        const row = page.whatIf.rows.find(({flight}) => valueOf(flight) === select.value);
        const us = spanOf(row.walk, question.side, question.leg, question.state);
        tell(right, right ? "Right." : `Not yet: then ${question.state} lasts ${Number.isFinite(us) ? length(us) : "for ever"}.`);
      }), answer);
    }
    if (question.kind === "states") {
      const selects = question.blanks.map(({t, who}) => h("select", {"aria-label": `${who} at ${clock(t)}`}, ...["", ...STATES].map(state => h("option", {value: state}, state || "choose a state"))));
      item.append(h("div", {class: "blanks"}, ...question.blanks.map(({t, who}, at) => h("label", {}, `${clock(t)}, ${who}:`, selects[at]))),
        check(() => {
          const wrong = question.blanks.filter(({state}, at) => selects[at].value !== state);
          tell(!wrong.length, wrong.length ? `Not yet: ${wrong.map(({t, who}) => `${who} at ${clock(t)}`).join(", ")}.` : "Right, all of them.");
        }), answer);
    }
    return item;
  });
  $("exercises").replaceChildren(...list.length ? list : [h("li", {}, "This connection has nothing to ask: no loss changes its end.")]);
}
