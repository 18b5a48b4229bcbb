// What a ladder needs to know before it is drawn: how words break into lines, and which lane a connection has.

/** Words in lines that fit, `fits(text)` says so; a longer word is cut. */
function wrapped(text, fits) {
  const lines = [];
  let line = "";
  for (let word of text.split(" ")) {
    if (line && fits(line + " " + word)) { line += " " + word; continue; }
    if (line) lines.push(line);
    while (!fits(word)) {
      let most = word.length - 1;
      while (most > 1 && !fits(word.slice(0, most) + "-")) most--;
      lines.push(word.slice(0, most) + "-");
      word = word.slice(most);
      if (most === 1 && word.length === 1) break;
    }
    line = word;
  }
  return line ? [...lines, line] : lines;
}

/** Whether words are not wider than `room` in this font. */
const brush = document.createElement("canvas").getContext("2d");
function narrower(room, size, bold) {
  return text => {
    brush.font = `${bold ? 700 : 400} ${size}px system-ui, "DejaVu Sans", sans-serif`;
    return brush.measureText(text).width <= room;
  };
}

/**
 * The lane of each connection, by "side/who": the first that is free when it begins.
 * And how many lanes each machine needs on each of its legs, by "side/leg".
 */
function lanesOf(walk) {
  const most = new Map(ENDS.map(({side, leg}) => [side + "/" + leg, 1])), lane = new Map();
  const taken = new Map([...most.keys()].map(end => [end, []]));
  for (const {kind, side, who, text} of walk.items) {
    if (kind === "e") for (const end of ENDS) if (end.side === side) taken.set(side + "/" + end.leg, []);
    if (kind !== "c" || !who) continue;
    const key = side + "/" + who, end = side + "/" + walk.legOf(side, who), lanes = taken.get(end);
    if (text.split(" ")[0] === "CLOSED") { if (lanes[lane.get(key)] === key) lanes[lane.get(key)] = undefined; continue; }
    if (lane.has(key)) continue;
    let free = 0;
    while (lanes[free] !== undefined) free++;
    lanes[free] = key;
    lane.set(key, free);
    most.set(end, Math.max(most.get(end), free + 1));
  }
  return {lane, most};
}
