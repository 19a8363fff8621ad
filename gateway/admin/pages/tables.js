// The tables below the figures.

import {count, millis, percent} from "/page/format.js";
import {Series} from "/page/series.js";

const minute = 60_000; // ms
const late = 2; // seconds without an answer

// fill makes the rows of a table: texts of the cells, and a class.
function fill(id, rows, none) {
  const body = document.getElementById(id).tBodies[0];
  if (rows.length === 0) {
    rows = [{cells: [none], name: "none"}];
  }
  body.replaceChildren(...rows.map(({cells, name}) => {
    const row = document.createElement("tr");
    for (const text of cells) {
      row.insertCell().textContent = text;
    }
    if (name === "none") {
      row.cells[0].colSpan = 9;
      row.cells[0].className = "none";
    } else if (name !== undefined) {
      row.className = name;
    }
    return row;
  }));
}

// showLoops: a loop that does not answer stands out, with the route of the
// handler that blocks it.
export function showLoops(now) {
  fill("loops", now.loops.map((loop, i) => ({
    cells: [
      loop.age > late ? `${i} blocked ${loop.route}` : String(i),
      count(loop.connections),
      percent(loop.busy),
      loop.asleep ? "asleep" : `${millis(loop.age * 1000)} ago`,
    ],
    name: loop.age > late ? "bad" : undefined,
  })), "none");
}

export function showRoutes(now) {
  fill("routes", now.routes.map((route) => ({
    cells: [route.route || "before the upgrade", count(route.open), count(route.paused), count(route.closing)],
  })), "no connections");
}

const seen = new Map(); // counters, by reason

// showReasons shows what happened at all, what happened most last first.
export function showReasons(time, now) {
  const all = Object.entries(now.closed).map(([reason, n]) => [reason, n])
    .concat(Object.entries(now.refused).map(([reason, n]) => [`refused: ${reason}`, n]));
  const rows = [];
  for (const [reason, n] of all) {
    if (!seen.has(reason)) {
      seen.set(reason, new Series());
    }
    const series = seen.get(reason);
    series.add(time, n);
    if (n > 0) {
      rows.push({reason, n, last: Math.max(0, n - series.before(time, minute))});
    }
  }
  rows.sort((a, b) => b.last - a.last || b.n - a.n);
  fill("reasons", rows.slice(0, 8).map(({reason, n, last}) => ({cells: [reason, count(n), count(last)]})), "nothing yet");
}
