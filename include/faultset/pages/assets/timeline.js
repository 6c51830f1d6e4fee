// The timeline of an experiment: one span of time for all rows, zoomed and moved together.
"use strict";
(() => {
  const root = document.getElementById("timeline");
  if (!root) return;
  const lane = root.querySelector(".lane"), axisPlace = root.querySelector(".axis"), rows = root.querySelector(".rows");
  const shownSpan = document.getElementById("span"), state = document.getElementById("state"), filter = document.getElementById("filter");
  const search = document.getElementById("find"), evidence = document.getElementById("evidence");
  const HEIGHT = 66, AT_ONCE = 24, LANE = 26, MOST_LANES = 5, MOST_BUTTONS = 250;
  let told, from, to, axis, charts = new Map(), visible = new Set(), selected = null, loading = null, later;
  const past = [];

  const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const width = () => Math.max(120, lane.clientWidth);
  const pixels = () => Math.min(1200, Math.max(50, Math.floor(width())));
  const clock = (second, long) => new Date(second * 1000).toISOString().slice(long ? 0 : 11, to - from < 20 ? 23 : 19).replace("T", " ");
  const inUtc = second => uPlot.tzDate(new Date(second * 1000), "UTC");
  const short = text => text.length > 34 ? text.slice(0, 33) + "…" : text;

  // --- the span of time -------------------------------------------------------------------------------------------
  function go(start, end, remember = true) {
    const least = 1, whole = told.end - told.start;
    const length = Math.min(Math.max(end - start, least), whole);
    const begin = Math.min(Math.max(start, told.start), told.end - length);
    if (remember && from !== undefined) past.push([from, to]);
    if (past.length > 50) past.shift();
    [from, to] = [begin, begin + length];
    shownSpan.textContent = `${clock(from, true)} – ${clock(to)} UTC`;
    axis?.setScale("x", {min: from, max: to});
    for (const chart of charts.values()) chart.plot?.setScale("x", {min: from, max: to});
    drawLane();
    soon();
  }
  const zoom = (factor, middle = (from + to) / 2) => go(middle - (middle - from) * factor, middle + (to - middle) * factor);
  const move = share => go(from + (to - from) * share, to + (to - from) * share);
  const moves = {
    in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.5), right: () => move(0.5),
    all: () => go(told.start, told.end), back: () => { const last = past.pop(); if (last) go(...last, false); },
  };
  for (const button of root.querySelectorAll("[data-move]")) button.addEventListener("click", () => moves[button.dataset.move]());
  const keys = {"+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", "0": "all", Home: "all", Backspace: "back"};
  root.addEventListener("keydown", event => {
    if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const chosen = keys[event.key];
    if (chosen) { event.preventDefault(); moves[chosen](); }
  });

  // --- injections -------------------------------------------------------------------------------------------------
  const place = second => (second - from) / (to - from) * width();
  function part(parent, kind, start, end) {
    if (!(end > start)) return;
    const element = document.createElement("span");
    element.className = kind;
    element.style.left = `${start}px`;
    element.style.width = `${Math.max(end - start, 1)}px`;
    parent.append(element);
  }
  function drawLane() {
    const focused = document.activeElement?.dataset?.number;
    const inside = told.injections.filter(one => one.start < to && Math.max(one.faultEndLatest, one.endLatest) > from);
    lane.replaceChildren();
    const ends = [];
    const groups = inside.length > MOST_BUTTONS ? grouped(inside) : inside.map(one => [one]);
    for (const group of groups) {
      const [one] = group, last = group.at(-1);
      const left = Math.max(place(one.start), -2), right = Math.max(place(group.length > 1 ? last.end : one.end), left + 22);
      const tail = Math.max(right, Math.min(place(Math.max(...group.map(each => each.faultEndLatest))), width() + 2));
      let row = ends.findIndex(end => end <= left);
      if (row < 0) row = ends.length < MOST_LANES ? ends.length : MOST_LANES - 1;
      ends[row] = tail + 2;
      const button = document.createElement("button");
      button.type = "button";
      button.className = `injection ${group.length > 1 ? "many" : one.effect}`;
      button.style.left = `${left}px`;
      button.style.top = `${row * LANE}px`;
      button.style.width = `${right - left}px`;
      if (group.length > 1) {
        button.textContent = group.length;
        button.setAttribute("aria-label", `${group.length} injections from ${clock(one.start, true)} UTC; zooms in`);
        button.addEventListener("click", () => go(one.start - 2, last.end + 2));
      } else {
        button.textContent = one.number;
        button.dataset.number = one.number;
        button.setAttribute("aria-label", `Injection ${one.number}: ${one.action}, effect ${one.effect}, ${clock(one.start, true)} to ${clock(one.end)} UTC`);
        button.title = `${one.id}\n${one.action}, effect ${one.effect}${one.outcome ? `, outcome ${one.outcome}` : ""}\ncommand ${clock(one.start)} – ${clock(one.end)} UTC\nfault's end ${one.faultEndKnown ? clock(one.faultEnd) : "unknown"}`;
        button.setAttribute("aria-expanded", String(selected === one.number));
        button.addEventListener("click", () => open(one.number));
        const own = document.createElement("span");
        own.className = "extent";
        own.style.top = `${row * LANE}px`;
        part(own, "doubt", place(one.start), place(one.startLatest));
        part(own, "doubt", place(one.end), place(one.endLatest));
        part(own, "fault", Math.max(right, place(one.end)), place(one.faultEnd));
        part(own, "fault open", Math.max(right, place(one.faultEnd)), place(one.faultEndLatest));
        lane.append(own);
      }
      lane.append(button);
    }
    lane.style.height = `${Math.max(1, ends.length) * LANE}px`;
    if (!inside.length) lane.textContent = told.injections.length ? "no injection in this span" : "no injection";
    if (focused) lane.querySelector(`[data-number="${focused}"]`)?.focus();
  }
  function grouped(some) {
    const bins = new Map();
    for (const one of some) {
      const bin = Math.floor(Math.max(0, place(one.start)) / 26);
      bins.set(bin, [...(bins.get(bin) ?? []), one]);
    }
    return [...bins.values()];
  }

  async function open(number) {
    selected = number;
    drawLane();
    redraw();
    evidence.hidden = false;
    evidence.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`${root.dataset.injections}/${number}?part=1`);
      if (!response.ok) throw new Error(`The server answered ${response.status}; open the page again.`);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      evidence.replaceChildren(document.adoptNode(page.getElementById("part")));
      const heading = evidence.querySelector("h2");
      heading.tabIndex = -1;
      heading.focus({preventScroll: true});
      evidence.scrollIntoView({block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
      evidence.querySelector("[data-zoom]")?.addEventListener("click", () => {
        const one = told.injections[number - 1];
        const length = Math.max(one.faultEnd - one.start, 20);
        go(one.start - length, one.faultEnd + 2 * length);
        root.scrollIntoView();
      });
      evidence.querySelector("[data-close]")?.addEventListener("click", () => {
        evidence.hidden = true; selected = null; drawLane(); redraw();
        lane.querySelector(`[data-number="${number}"]`)?.focus();
      });
    } catch (error) {
      evidence.textContent = error.message || "It cannot be loaded; open the page again.";
    }
    evidence.removeAttribute("aria-busy");
  }
  for (const link of document.querySelectorAll("a[data-injection]"))
    link.addEventListener("click", event => { event.preventDefault(); open(Number(link.dataset.injection)); });

  // --- rows -------------------------------------------------------------------------------------------------------
  const shows = {
    moved: track => track.moved || track.kind === "workload",
    hit: track => told.hit.includes(track.node) || track.kind === "workload",
    all: () => true,
  };
  const units = {workload: "the load", metrics: "metrics", logs: "logs", traces: "traces"};
  function fill() {
    for (const chart of charts.values()) chart.plot?.destroy();
    charts = new Map(); visible.clear(); watcher.disconnect();
    const wanted = search.value.trim().toLowerCase();
    const some = told.tracks.filter(track => shows[filter.value](track) && `${track.kind} ${track.node} ${track.kpi}`.toLowerCase().includes(wanted));
    rows.replaceChildren();
    let group = "";
    for (const track of some) {
      const name = `${track.kind} ${track.node}`;
      if (name !== group) {
        group = name;
        const heading = document.createElement("h3");
        heading.textContent = track.kind === "workload" ? `${told.workloads[track.node] ?? track.node}` : track.node;
        const kind = document.createElement("span");
        kind.className = "mute";
        kind.textContent = ` ${units[track.kind]}`;
        heading.append(kind);
        rows.append(heading);
      }
      const row = document.createElement("div");
      row.className = "track";
      row.dataset.id = track.id;
      const label = document.createElement("div");
      label.className = "label";
      const title = document.createElement("b");
      title.textContent = short(words[track.kpi] ?? track.kpi);
      title.title = track.kpi;
      const value = document.createElement("span");
      value.className = "value mute";
      label.append(title, value);
      if (track.moved) {
        const moved = document.createElement("span");
        moved.className = "tag moved";
        const arrows = new Set(track.impacts.map(impact => ({up: "↑", down: "↓"})[impact[2]] ?? ""));
        const counts = ["detected", "reviewed"].map(source => [track.impacts.filter(impact => impact[3] === source).length, source]);
        moved.textContent = `${counts.filter(([count]) => count).map(([count, source]) => `${count} ${source}`).join(", ")} ${[...arrows].join("")}`;
        label.append(moved);
      }
      const holder = document.createElement("div");
      holder.className = "chart";
      holder.setAttribute("role", "img");
      holder.setAttribute("aria-label", described(track));
      row.append(label, holder);
      rows.append(row);
      charts.set(track.id, {track, holder, value, plot: null});
      watcher.observe(row);
    }
    if (!some.length) rows.textContent = told.tracks.length ? "Nothing is shown: choose another view, or clear the search." : "This version has no telemetry and no iterations to draw.";
    state.textContent = "";
  }
  const words = {iterations: "load: iterations started", iteration_failures: "failed iterations", iteration_duration: "iteration duration, s"};
  function described(track) {
    const moved = track.impacts.map(([start, end, direction, source]) => `${direction || "moved"} ${clock(start)} to ${clock(end)} (${source})`);
    return `${words[track.kpi] ?? track.kpi} of ${track.node}: ${moved.length ? moved.slice(0, 8).join(", ") : "no impact"}`;
  }
  const watcher = new IntersectionObserver(entries => {
    for (const entry of entries) {
      const id = Number(entry.target.dataset.id);
      if (entry.isIntersecting) visible.add(id); else visible.delete(id);
    }
    soon();
  }, {rootMargin: "200px"});

  function soon() { clearTimeout(later); later = setTimeout(load, 110); }
  async function load() {
    const mark = `${from} ${to} ${pixels()}`;
    const ids = [...visible].filter(id => charts.get(id) && charts.get(id).mark !== mark).sort((a, b) => a - b);
    if (!ids.length) return;
    loading?.abort();
    const asked = loading = new AbortController();
    state.textContent = "loading …";
    try {
      for (let first = 0; first < ids.length; first += AT_ONCE) {
        const some = ids.slice(first, first + AT_ONCE), count = pixels(), span = [from, to];
        const address = `${root.dataset.series}?tracks=${some.join(",")}&from=${span[0]}&to=${span[1]}&pixels=${count}`;
        for (const drawn of await Faultset.ask(address, asked.signal)) show(drawn, span, count, mark);
        for (const id of some) if (charts.get(id)?.mark !== mark) show({id, i: [], lo: [], hi: null, gaps: [], counts: false}, span, count, mark);
      }
      state.textContent = "";
    } catch (error) {
      if (error.name !== "AbortError") state.textContent = `${error.message} Press “Whole run” to try again.`;
    }
  }
  function show(drawn, span, count, mark) {
    const chart = charts.get(drawn.id);
    if (!chart) return;
    const step = (span[1] - span[0]) / count;
    const x = Array.from({length: count}, (_, index) => span[0] + (index + 0.5) * step);
    const low = new Array(count).fill(undefined), high = new Array(count).fill(undefined);
    drawn.i.forEach((index, n) => { low[index] = drawn.lo[n]; high[index] = (drawn.hi ?? drawn.lo)[n]; });
    for (const index of drawn.gaps) if (index > 0 && low[index - 1] === undefined) { low[index - 1] = null; high[index - 1] = null; }
    if (!drawn.i.length) { low.fill(null); high.fill(null); }
    chart.mark = mark;
    chart.counts = drawn.counts;
    chart.holder.classList.toggle("none", !drawn.i.length);
    if (chart.plot && chart.plot.width === width() && chart.theme === document.documentElement.dataset.theme) {
      chart.plot.setData([x, low, high], false);
      chart.plot.setScale("x", {min: from, max: to});
      return;
    }
    chart.plot?.destroy();
    chart.holder.replaceChildren();
    chart.theme = document.documentElement.dataset.theme;
    chart.plot = new uPlot(options(chart), [x, low, high], chart.holder);
  }
  // Both ends of a scale in one unit, with as many digits as tell them apart.
  function axisValues(min, max) {
    const most = Math.max(Math.abs(min), Math.abs(max));
    const [unit, size] = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e4]].find(([, at]) => most >= at) ?? ["", 1];
    const by = size === 1e4 ? 1e3 : size, digits = Math.min(Math.max(1 - Math.floor(Math.log10((max - min) / by || 1)), 0), 6);
    return [min, max].map(value => `${Number((value / by).toFixed(digits))}${unit && ` ${unit}`}`);
  }
  const readable = value => value === null || value === undefined ? "" : Number(value.toPrecision(5)).toLocaleString("en");
  function options(chart) {
    const line = color(chart.track.kpi === "iteration_failures" ? "--fail" : "--series"), fill = color("--series-band"), mute = color("--mute"), grid = color("--line");
    const path = chart.counts ? uPlot.paths.stepped({align: 1}) : undefined;
    return {
      width: width(), height: HEIGHT, padding: [5, 0, 5, 0], legend: {show: false}, tzDate: inUtc,
      cursor: {sync: {key: "timeline", filters: {sub: kind => kind === "mousemove" || kind === "mouseleave"}}, y: false, points: {show: false}, drag: {x: true, y: false, setScale: false}},
      select: {show: true},
      scales: {x: {time: true, auto: false, min: from, max: to}, y: {range: (_, min, max) => chart.counts ? [0, Math.max(max ?? 0, 1)] : spread(min, max)}},
      axes: [{show: false}, {show: true, side: 1, size: 0, ticks: {show: false}, grid: {stroke: grid, width: 1}, values: () => [], splits: (_, _i, min, max) => [min + (max - min) / 2]}],
      series: [{}, {stroke: line, width: 1, fill: chart.counts ? fill : undefined, paths: path, points: {show: false}, spanGaps: false},
        {stroke: line, width: chart.counts ? 0 : 1, paths: path, points: {show: false}, spanGaps: false}],
      bands: chart.counts ? [] : [{series: [2, 1], fill}],
      hooks: {
        drawClear: [plot => under(plot, chart.track)],
        draw: [plot => scaleText(plot, mute)],
        setSelect: [plot => {
          if (plot.select.width < 4) return;
          const start = plot.posToVal(plot.select.left, "x"), end = plot.posToVal(plot.select.left + plot.select.width, "x");
          plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
          go(start, end);
        }],
        setCursor: [plot => {
          const index = plot.cursor.idx;
          const high = index === null || index === undefined ? null : plot.data[2][index], low = index === null || index === undefined ? null : plot.data[1][index];
          chart.value.textContent = high === null || high === undefined ? "" : low === high ? readable(high) : `${readable(low)} – ${readable(high)}`;
        }],
      },
    };
  }
  function spread(min, max) {
    if (min === null || max === null || min === undefined || max === undefined) return [0, 1];
    if (min === max) return [min - Math.max(1, Math.abs(min) * 0.05), max + Math.max(1, Math.abs(max) * 0.05)];
    return [min - (max - min) * 0.08, max + (max - min) * 0.08];
  }
  // Injections' windows, and over them what moved; outlined where a person said so.
  function under(plot, track) {
    const {ctx, bbox} = plot, x = second => plot.valToPos(second, "x", true);
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    for (const one of told.injections) {
      if (one.start > to || one.faultEndLatest < from) continue;
      ctx.fillStyle = color("--window");
      ctx.fillRect(x(one.start), bbox.top, Math.max(x(one.faultEnd) - x(one.start), 1), bbox.height);
      if (one.number === selected) { ctx.strokeStyle = color("--brand"); ctx.lineWidth = 2; ctx.strokeRect(x(one.start), bbox.top, Math.max(x(one.faultEnd) - x(one.start), 2), bbox.height); }
    }
    for (const [start, end, , source] of track.impacts) {
      const left = x(start), wide = Math.max(x(end) - left, 2);
      if (source === "reviewed") { ctx.strokeStyle = color("--full"); ctx.lineWidth = 1.5; ctx.setLineDash([4, 3]); ctx.strokeRect(left, bbox.top + 1, wide, bbox.height - 2); ctx.setLineDash([]); }
      else { ctx.fillStyle = color("--impact"); ctx.fillRect(left, bbox.top, wide, bbox.height); ctx.fillStyle = color("--full"); ctx.fillRect(left, bbox.top + bbox.height - 3, wide, 3); }
    }
    ctx.restore();
  }
  function scaleText(plot, mute) {
    const {ctx, bbox} = plot, {min, max} = plot.scales.y, ratio = devicePixelRatio;
    if (min === null || min === undefined) return;
    ctx.save();
    ctx.fillStyle = mute; ctx.font = `${11 * ratio}px system-ui, sans-serif`; ctx.textBaseline = "top";
    const [low, high] = axisValues(min, max);
    ctx.fillText(high, bbox.left + 3 * ratio, bbox.top + 1);
    ctx.textBaseline = "bottom";
    ctx.fillText(low, bbox.left + 3 * ratio, bbox.top + bbox.height - 1);
    ctx.restore();
  }
  function redraw() { for (const chart of charts.values()) chart.plot?.redraw(false); }
  function drawAxis() {
    axis?.destroy();
    axisPlace.replaceChildren();
    axis = new uPlot({
      width: width(), height: 40, padding: [0, 0, 0, 0], legend: {show: false}, cursor: {show: false}, tzDate: inUtc,
      scales: {x: {time: true, auto: false, min: from, max: to}},
      axes: [{side: 2, size: 40, stroke: color("--mute"), grid: {show: false}, ticks: {stroke: color("--strong"), size: 5}, font: "12px system-ui, sans-serif",
        values: [[3600 * 24, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{YYYY}-{MM}-{DD}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1], [0.001, "{HH}:{mm}:{ss}.{fff}", null, null, null, null, null, null, 1]]}, {show: false}],
      series: [{}, {show: false}],
    }, [[from, to], [null, null]], axisPlace);
  }
  function again() { drawAxis(); for (const chart of charts.values()) { chart.mark = null; } drawLane(); soon(); }
  let sized = 0;
  new ResizeObserver(() => { if (told && Math.abs(width() - sized) > 1) { sized = width(); again(); } }).observe(root);
  document.addEventListener("faultset:theme", () => { if (told) again(); });
  filter.addEventListener("change", fill);
  search.addEventListener("input", () => { clearTimeout(fill.later); fill.later = setTimeout(fill, 180); });

  (async () => {
    try {
      told = await Faultset.ask(root.dataset.drawing);
    } catch (error) { state.textContent = error.message; return; }
    root.hidden = false;
    if (!told.tracks.some(track => track.moved)) filter.value = told.hit.length ? "hit" : "all";
    [from, to] = [told.start, told.end];
    sized = width();
    drawAxis();
    fill();
    go(told.start, told.end, false);
    if (told.more) Faultset.say(`${told.more} more injections are in the table below, not in the timeline.`);
    const chosen = new URLSearchParams(location.search).get("injection");
    if (chosen && told.injections[Number(chosen) - 1]) open(Number(chosen));
  })();
})();
