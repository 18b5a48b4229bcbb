// Times and probabilities for people: the spellings of tcpsim.draw.time_format.

function trimmed(value, digits) {
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
const two = number => String(number).padStart(2, "0");

/** A time of the run. */
function clock(us) {
  if (us < 1e6) return trimmed(us / 1e3, us < 1e4 ? 3 : 1) + " ms";
  if (us < 6e7) return trimmed(us / 1e6, 3) + " s";
  if (us < 6e8) return Math.floor(us / 6e7) + "m" + (Math.floor(us % 6e7 / 1e3) / 1e3).toFixed(3).padStart(6, "0") + "s";
  if (us < 36e8) {
    const tenths = Math.floor(us / 1e5);
    return Math.floor(tenths / 600) + "m" + two(Math.floor(tenths % 600 / 10)) + "." + tenths % 10 + "s";
  }
  const seconds = Math.floor(us / 1e6);
  if (seconds < 86400) return Math.floor(seconds / 3600) + "h" + two(Math.floor(seconds / 60) % 60) + "m" + two(seconds % 60) + "s";
  return Math.floor(seconds / 86400) + "d" + two(Math.floor(seconds / 3600) % 24) + "h" + two(Math.floor(seconds / 60) % 60) + "m";
}

/** How long something takes. */
function length(us) {
  const pair = (large, name, small, smallName) => {
    const whole = Math.floor(us / large), rest = us % large;
    return `${whole} ${name}` + (rest >= small ? ` ${Math.floor(rest / small)} ${smallName}` : "");
  };
  if (us < 1e3) return us + " us";
  if (us < 1e6) return trimmed(us / 1e3, 1) + " ms";
  if (us < 12e7) return trimmed(us / 1e6, 1) + " s";
  if (us < 36e8) return pair(6e7, "min", 1e6, "s");
  if (us < 864e8) return pair(36e8, "h", 6e7, "min");
  return pair(864e8, us < 2 * 864e8 ? "day" : "days", 36e8, "h");
}

/** A probability in four digits, per cent where that is short. */
function chanceWords(p) {
  if (p === 0) return "0";
  if (p === 1) return "1";
  if (p < 1e-4) {
    const [digits, power] = p.toExponential(2).split("e-");
    return `${digits} × 10⁻${[...power].map(digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
  }
  return p.toPrecision(4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
const percent = p => `${trimmed(p * 100, 4)} %`;
const count = (number, one, many = one + "s") => `${number} ${number === 1 ? one : many}`;

// How an end is meant.
const KIND_WORDS = {clean: "clean", permanent: "for ever", metastable: "for days", "goes on": "goes on", "not followed": "not followed"};
