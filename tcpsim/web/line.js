// The machines in a line: what they and their legs are called, on the page, in its address and in rules of `--drop`.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SIDES = DATA.sides;  // from the client to the server

// The ways between neighbours: on each leg one to the right and one to the left.
// On its leg the machine on the left is the client, as in a rule.
const WAYS = SIDES.slice(1).flatMap((right, leg) => [
  {leg, from: leg, to: leg + 1, rule: legRule(leg) + "client", name: legName(leg) + "client"},
  {leg, from: leg + 1, to: leg, rule: legRule(leg) + "server", name: legName(leg) + "server"}]);
function legRule(leg) { return leg ? `leg ${leg + 1}: ` : ""; }
function legName(leg) { return leg ? `leg${leg + 1}` : ""; }
// Every machine's place on each of its legs.
const ENDS = SIDES.flatMap((_, side) => [side - 1, side].filter(leg => leg >= 0 && leg < SIDES.length - 1).map(leg => ({side, leg})));
const between = side => side > 0 && side < SIDES.length - 1;
/** "the client", "relay 2". */
const the = side => (/[0-9]$/.test(SIDES[side]) ? "" : "the ") + SIDES[side];
/** To whom a segment goes, where that is not clear. */
const toWhom = way => SIDES.length > 2 ? ` to ${the(WAYS[way].to)}` : "";
/** A segment by its number among all that go its way; and by what it is. */
const numbered = ({way, number}) => SIDES.length > 2 ? `${SIDES[WAYS[way].from]} to ${SIDES[WAYS[way].to]} #${number}` : `${SIDES[WAYS[way].from]} #${number}`;
const owned = ({way, label}) => `${SIDES[WAYS[way].from]}'s ${label}${toWhom(way)}`;
/** A machine, and on which leg it is meant. */
const onLeg = (name, side, leg) => name + (between(side) ? `'s ${legOf(side, leg)}` : "");
const legOf = (side, leg) => leg < side ? "client leg" : "server leg";
