// Values as text. A value that is not known is a dash.

const unknown = "–";
const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const short = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 2});

// count is a number of things, whole; long ones are grouped.
export function count(n) {
  return Number.isNaN(n) ? unknown : whole.format(n);
}

// rate is a number of things in a second: those below ten keep a digit.
export function rate(n) {
  if (Number.isNaN(n)) {
    return unknown;
  }
  if (n >= 1e6) {
    return short.format(n);
  }
  return n < 9.95 ? brief(n) : whole.format(n);
}

// brief is a number with one digit behind the point if it is small and has one.
function brief(n) {
  return String(Number(n.toFixed(n < 9.95 ? 1 : 0)));
}

// size is a number of bytes.
export function size(bytes) {
  if (Number.isNaN(bytes)) {
    return unknown;
  }
  let unit = 0;
  let n = bytes;
  for (; n >= 1024 && unit < 4; unit++) {
    n /= 1024;
  }
  const digits = unit === 0 || n >= 99.95 || Number.isInteger(n) ? 0 : 1;
  return `${n.toFixed(digits)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

// millis is a time in milliseconds.
export function millis(ms) {
  if (Number.isNaN(ms)) {
    return unknown;
  }
  return ms >= 1000 ? `${brief(ms / 1000)} s` : `${brief(ms)} ms`;
}

// percent is a share of one.
export function percent(share) {
  return Number.isNaN(share) ? unknown : `${(100 * share).toFixed(0)} %`;
}

// ago is how long something is past.
export function ago(ms) {
  const seconds = Math.round(ms / 1000);
  const rest = String(seconds % 60).padStart(2, "0");
  if (seconds < 60) {
    return `${seconds} s ago`;
  }
  return `${Math.floor(seconds / 60)}${rest === "00" ? "" : `:${rest}`} min ago`;
}

// duration is a long time, in its two largest units.
export function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.floor(seconds);
  const largest = units.findIndex(([, length]) => rest >= length);
  const first = largest < 0 ? units.length - 1 : largest;
  return units.slice(first, first + 2).map(([name, length]) => {
    const n = Math.floor(rest / length);
    rest -= n * length;
    return `${n} ${name}`;
  }).join(" ");
}
