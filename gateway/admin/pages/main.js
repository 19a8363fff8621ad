// The admin page: what an answer of the gateway says, and where it is shown.

import {bindDrain} from "/page/drain.js";
import {follow, perSecond, sum} from "/page/feed.js";
import {Figure, pointing} from "/page/figure.js";
import {count, duration, millis, rate, size} from "/page/format.js";
import {spanSince} from "/page/series.js";
import {showLoops, showReasons, showRoutes} from "/page/tables.js";

const fewest = 100; // connections whose memory stands out from the process's own

const figures = {
  connections: new Figure("connections", count),
  messages: new Figure("messages", rate),
  memory: new Figure("memory", size, 2),
  lag: new Figure("lag", millis),
  paused: new Figure("paused", count),
  refused: new Figure("refused", rate),
};

const began = performance.now();
let before; // the answer before
let notes = {}; // the line below each figure
let silent = false;

// worstLag is the upper bound of how late a tick came since the answer before,
// in milliseconds, or for how long a loop has not answered.
function worstLag(now) {
  const away = Math.max(0, ...now.loops.map((loop) => loop.age)) * 1000;
  if (before === undefined) {
    return NaN;
  }
  const worst = now.lag.ticks.findLastIndex((n, i) => n > before.lag.ticks[i]);
  const bounds = now.lag.bounds;
  const late = worst < 0 ? 0 : bounds[Math.min(worst, bounds.length - 1)] * 1000;
  return away > 1000 ? Math.max(away, late) : late;
}

function meanLag(now) {
  const ticks = before === undefined ? 0 : sum(now.lag.ticks) - sum(before.lag.ticks);
  return ticks > 0 ? `mean ${millis(((now.lag.sum - before.lag.sum) / ticks) * 1000)}` : "no ticks: the loops sleep";
}

function memoryPerConnection(now) {
  return now.connections >= fewest ? Math.max(0, now.resident - now.before) / now.connections : NaN;
}

function took(now) {
  const time = performance.now();
  if (before !== undefined && now.uptime < before.uptime) {
    before = undefined; // another process
  }
  const grown = (counter) => perSecond(now, before, counter);
  figures.connections.add(time, now.connections);
  figures.messages.add(time, grown((a) => a.messages.in));
  figures.memory.add(time, memoryPerConnection(now));
  figures.lag.add(time, worstLag(now));
  figures.paused.add(time, now.paused);
  figures.refused.add(time, grown((a) => sum(a.refused)));
  notes = {
    connections: `${count(now.handshake)} in handshake · at most ${count(now.limit)} · +${rate(grown((a) => a.accepted))}/s`,
    messages: `in ${size(grown((a) => a.bytes.in))}/s · out ${size(grown((a) => a.bytes.out))}/s`,
    memory: `process ${size(now.resident)} · ${size(now.before)} at its start`,
    lag: meanLag(now),
    paused: `${rate(grown((a) => a.pauses))} pauses/s · ${size(now.backlog)} unsent · ${size(now.buffered)} in buffers`,
    refused: `${count(sum(now.refused))} since the start`,
  };
  showLoops(now);
  showRoutes(now);
  showReasons(time, now);
  stand(now);
  before = now;
  silent = false;
  draw();
}

function lost(ms) {
  silent = true;
  show("silent", "no answer", `for ${duration(ms / 1000)}`);
  draw();
}

// stand shows whether the gateway is healthy and ready.
function stand(now) {
  if (!now.healthy) {
    show("unhealthy", "not healthy", now.wrong.join("; "));
  } else if (!now.ready) {
    show("unready", "not ready", now.wrong.join("; "));
  } else {
    show("ready", "ready", `${now.version} · up ${duration(now.uptime)}`);
  }
}

function show(standing, word, text) {
  const element = document.getElementById("standing");
  element.dataset.standing = standing;
  element.querySelector("b").textContent = word;
  element.querySelector("span").textContent = text;
}

function draw() {
  const now = performance.now();
  for (const [id, figure] of Object.entries(figures)) {
    figure.draw(now, spanSince(began, now), silent ? "" : (notes[id] ?? ""));
  }
}

pointing(Object.values(figures), draw);
bindDrain();
follow(took, lost);
