// Charts over time, drawn by uPlot: <div class="chart" data-chart='{"times": [seconds], "unit": "usd", "stacked": true,
// "series": [{"name": "...", "values": [...], "tone": "model"}]}'>. Colours are the tokens `--bar-TONE`.
"use strict";
(() => {
  const TONES = ["model", "tool", "wait", "child", "step", "failed"];
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const units = {
    usd: (v) => v === null ? "–" : `$${v >= 1 || v === 0 ? v.toFixed(2) : v >= 0.01 ? v.toFixed(4) : Number(v.toPrecision(2))}`,
    seconds: (v) => v === null ? "–" : v < 1 ? `${Math.round(v * 1000)} ms` : `${whole.format(v)} s`,
    percent: (v) => v === null ? "–" : `${whole.format(v * 100)} %`,
    count: (v) => v === null ? "–" : whole.format(v),
  };

  function stacked(series) {
    const below = series[0]?.values.map(() => 0) ?? [];
    return series.map((each) => each.values.map((value, i) => (below[i] += value ?? 0)));
  }

  function draw(place) {
    const given = JSON.parse(place.dataset.chart);
    const said = units[given.unit] || units.count;
    const colours = given.series.map((each, i) => token(`--bar-${each.tone || TONES[i % TONES.length]}`));
    const shown = given.stacked ? stacked(given.series) : given.series.map((each) => each.values);
    const bars = given.stacked || given.bars ? uPlot.paths.bars({ size: [0.7, 40], align: 0 }) : undefined;
    const lines = given.series.map((each, i) => ({
      label: each.name,
      stroke: colours[i],
      fill: bars ? colours[i] : undefined,
      width: bars ? 0 : 2,
      paths: bars,
      points: { show: !bars && given.times.length < 40 },
      value: (_, v, __, at) => at === null ? "–" : said(each.values[at]),
    }));
    const order = given.stacked ? lines.map((_, i) => lines.length - 1 - i) : lines.map((_, i) => i); // the highest first
    const axis = { stroke: token("--ink-soft"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const half = bars ? (given.times.length > 1 ? given.times[1] - given.times[0] : 86400) / 2 : 0; // room for the first and last
    place.replaceChildren();
    return new uPlot({
      width: place.clientWidth,
      height: Number(place.dataset.height || 224),
      cursor: { y: false, points: { show: !bars } },
      legend: { live: true },
      scales: { x: { range: (_, low, high) => [low - half, high + half] }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(said) }],
      series: [{ value: (_, v) => v === null ? "" : new Date(v * 1000).toLocaleString() }, ...order.map((i) => lines[i])],
    }, [given.times, ...order.map((i) => shown[i])], place);
  }

  function all(from) {
    for (const place of from.querySelectorAll("[data-chart]")) {
      if (place.drawn === place.dataset.chart) continue;
      place.drawn = place.dataset.chart;
      place.plot?.destroy();
      place.plot = draw(place);
      place.setAttribute("data-keep", "");
    }
  }

  function again() {
    for (const place of document.querySelectorAll("[data-chart]")) place.drawn = null;
    all(document);
  }

  let timer = 0;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(again, 150); });
  document.addEventListener("callboard:theme", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("callboard:changed", (event) => all(event.target));
  all(document);
})();
