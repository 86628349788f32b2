/* Draws every [data-chart] with ECharts. Numbers here are for geometry only; words come from the server. */
(function () {
  "use strict";

  var drawn = new Map();

  function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function palette() {
    var theme = { ink: color("--ink"), soft: color("--ink-3"), line: color("--line"), surface: color("--surface"), other: color("--chart-other"), series: [] };
    for (var place = 1; place <= 10; place++) theme.series.push(color("--chart-" + place));
    return theme;
  }

  function escape(text) {
    var box = document.createElement("span");
    box.textContent = text;
    return box.innerHTML;
  }

  function geometry(value) { return value === null || value === undefined ? null : Number(value); }

  /* As finops_site/lib/money.py has it for an axis: 12.5k, 3M, 0.25. */
  function compact(value) {
    var size = Math.abs(value), power = 0;
    function cut() { return Math.round(size / Math.pow(1000, power) * 100) / 100; }
    while (power < 4 && cut() >= 1000) power++;
    return (value < 0 ? "-" : "") + marks.write(String(size < 1 ? Number(size.toPrecision(10)) : cut())) + marks.letters[power];
  }

  function unit(chart) { return chart.currency || chart.unit || ""; }

  function tone(one, place, theme) {
    if (one.other) return theme.other;
    if (one.kind === "band") return color("--tone-calm");
    return one.tone ? color("--tone-" + one.tone) || theme.series[0] : theme.series[place % theme.series.length];
  }

  function tooltipLine(mark, name, words, extra) {
    return '<div class="tip-row">' + mark + '<span class="tip-name">' + escape(name) + '</span><span class="tip-value">' + escape(words) + (extra ? " " + escape(extra) : "") + "</span></div>";
  }

  function mark(shade) { return '<svg class="tip-mark" width="10" height="10" viewBox="0 0 10 10"><rect width="10" height="10" rx="3" fill="' + shade + '"/></svg>'; }

  /* One tooltip for all series of a category: largest first, nothing that is zero or absent. */
  function axisTip(chart) {
    return function (points) {
      var rows = points.filter(function (point) { return geometry(chart.series[point.seriesIndex].data[point.dataIndex]) !== null; });
      var many = rows.filter(function (point) { return geometry(chart.series[point.seriesIndex].data[point.dataIndex]) !== 0; });
      rows = (many.length ? many : rows).sort(function (a, b) {
        return Math.abs(chart.series[b.seriesIndex].data[b.dataIndex]) - Math.abs(chart.series[a.seriesIndex].data[a.dataIndex]);
      });
      var lines = rows.map(function (point) {
        var one = chart.series[point.seriesIndex];
        return tooltipLine(mark(point.color), one.name, one.labels[point.dataIndex], unit(chart));
      });
      var lack = (chart.unfinished || [])[points[0].dataIndex];
      return '<div class="tip"><div class="tip-title">' + escape(points[0].axisValueLabel) + (lack ? ", " + escape(lack) : "") + "</div>" + (lines.join("") || '<div class="tip-row">not in the bill</div>') + "</div>";
    };
  }

  function tooltip(theme, more) {
    return Object.assign({
      confine: true, appendTo: "body", className: "chart-tip", backgroundColor: theme.surface, borderColor: theme.line,
      borderWidth: 1, padding: 0, textStyle: { color: theme.ink, fontFamily: "inherit" }, extraCssText: "", transitionDuration: 0.1
    }, more);
  }

  function animated() { return !window.matchMedia("(prefers-reduced-motion: reduce)").matches; }

  function cartesian(chart, theme, width) {
    var stacked = chart.kind === "stacked-bar" || (chart.kind === "area" && chart.series.length > 1);
    var bars = chart.kind === "stacked-bar" || chart.kind === "bar";
    var legend = chart.series.length > 1;
    var steps = chart.across ? names(chart, theme, width) : { type: "category", data: chart.categories, boundaryGap: bars, axisTick: { show: false }, axisLine: { lineStyle: { color: theme.line } }, axisLabel: { color: theme.soft, fontSize: 12, hideOverlap: true, margin: 12, alignMinLabel: bars ? undefined : "left", alignMaxLabel: bars ? undefined : "right" } };
    var amounts = { type: "value", splitNumber: width < 500 ? 3 : 4, axisLabel: { color: theme.soft, fontSize: 12, formatter: compact, hideOverlap: true }, splitLine: { lineStyle: { color: theme.line, type: [3, 4] } } };
    return {
      animation: animated(), animationDuration: 350,
      color: chart.series.map(function (one, place) { return tone(one, place, theme); }),
      textStyle: { fontFamily: "Inter, system-ui, sans-serif", color: theme.ink },
      grid: { left: chart.across || (bars && width < 500) ? 14 : 4, right: chart.across || (bars && width < 500) ? 34 : 12, top: 16, bottom: 8, containLabel: true },
      legend: legend ? { show: false } : undefined,
      tooltip: tooltip(theme, { trigger: "axis", axisPointer: { type: bars ? "shadow" : "line", lineStyle: { color: theme.soft, type: "solid", width: 1 }, shadowStyle: { color: theme.soft, opacity: 0.1 } }, formatter: axisTip(chart) }),
      xAxis: chart.across ? amounts : steps,
      yAxis: chart.across ? steps : amounts,
      series: chart.series.map(function (one, place) { if (one.kind === "band") return band(one, tone(one, place, theme)); if (one.kind === "step") return step(one, chart, tone(one, place, theme)); return bars && one.kind !== "line" ? bar(one, stacked, chart, theme, tone(one, place, theme)) : line(one, stacked && one.kind !== "line", chart, tone(one, place, theme)); })
    };
  }

  /* Names read from top to bottom, the bars going across: all of them have room. */
  function names(chart, theme, width) {
    return { type: "category", data: chart.categories, inverse: true, axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: theme.soft, fontSize: 12, interval: 0, margin: 12, width: Math.round(width * (width < 500 ? 0.36 : 0.24)), overflow: "truncate" } };
  }

  /* Diagonal stripes over a bar whose days are not all there. */
  var HATCHED = { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: -Math.PI / 4, color: "rgba(255, 255, 255, 0.5)" };

  /* What a colour means is seen without it too. */
  var PATTERNS = {
    stripes: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: Math.PI / 4, color: "rgba(255, 255, 255, 0.4)" },
    dots: { symbol: "circle", symbolSize: 0.7, dashArrayX: [[6, 6], [0, 6, 6, 0]], dashArrayY: [6, 0], color: "rgba(255, 255, 255, 0.5)" },
    lines: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], color: "rgba(255, 255, 255, 0.5)" }
  };

  function bars(one, chart) {
    return one.data.map(function (value, place) {
      var lack = (chart.unfinished || [])[place];
      return lack ? { value: geometry(value), itemStyle: { decal: HATCHED } } : geometry(value);
    });
  }

  /* Where a bar leads: the question about its series and its step of time alone. */
  function narrower(chart, series, place) {
    var one = chart.series[series];
    if (one.url) return one.url;
    if (!chart.narrow) return "";
    return [chart.narrow.base, one.narrow, chart.narrow.categories[place]].filter(Boolean).join("&");
  }

  /* Each series names its own colour: ECharts deals the list out by its own count, which leaves bands out. */
  function bar(one, stacked, chart, theme, shade) {
    return { name: one.name, type: "bar", stack: stacked ? "all" : undefined, data: bars(one, chart), barMaxWidth: 44, barCategoryGap: chart.categories.length > 40 ? "12%" : "30%", itemStyle: stacked ? { color: shade, decal: PATTERNS[one.pattern], borderColor: theme.surface, borderWidth: chart.categories.length > 60 ? 0 : 0.75, borderRadius: 1.5 } : { color: shade, borderRadius: chart.across ? 3 : [3, 3, 0, 0] }, emphasis: { focus: "series" } };
  }

  /* A strip between low and high: each step draws its piece up to the next one. */
  function band(one, shade) {
    return {
      name: one.name, type: "custom", silent: true, z: 1, encode: { x: 0, y: [1, 2] }, itemStyle: { color: shade },
      data: one.data.map(function (value, place) { return [place, geometry(one.low[place]), geometry(one.high[place])]; }),
      renderItem: function (params, api) {
        var here = params.dataIndex, next = here + 1;
        if (next >= one.data.length || [one.low[here], one.high[here], one.low[next], one.high[next]].some(function (value) { return value === null; })) return;
        var corners = [api.coord([here, one.low[here]]), api.coord([next, one.low[next]]), api.coord([next, one.high[next]]), api.coord([here, one.high[here]])];
        return { type: "polygon", shape: { points: corners }, style: { fill: shade, opacity: 0.2 } };
      }
    };
  }

  /* A bar of a waterfall: from one level to the next. */
  function step(one, chart, shade) {
    return {
      name: one.name, type: "custom", encode: chart.across ? { x: [1, 2], y: 0 } : { x: 0, y: [1, 2] }, itemStyle: { color: shade },
      data: one.data.map(function (value, place) { return [place, geometry(one.low[place]), geometry(one.high[place])]; }),
      renderItem: function (params, api) {
        var here = params.dataIndex;
        if (one.data[here] === null) return;
        var ends = [one.low[here], one.high[here]].map(function (level) { return api.coord(chart.across ? [level, here] : [here, level]); });
        var along = chart.across ? 0 : 1, room = Math.min(24, api.size([1, 1])[1 - along] * 0.62);
        var from = Math.min(ends[0][along], ends[1][along]), length = Math.max(1.5, Math.abs(ends[0][along] - ends[1][along]));
        var beside = ends[0][1 - along] - room / 2;
        var shape = chart.across ? { x: from, y: beside, width: length, height: room, r: 2 } : { x: beside, y: from, width: room, height: length, r: 2 };
        return { type: "rect", shape: shape, style: { fill: shade } };
      }
    };
  }

  function line(one, stacked, chart, shade) {
    var area = chart.kind === "area" && one.kind !== "line";
    return {
      name: one.name, type: "line", stack: stacked ? "all" : undefined, data: one.data.map(function (value) { return stacked ? geometry(value) || 0 : geometry(value); }), showSymbol: chart.categories.length < 2, symbol: "circle", symbolSize: 6, connectNulls: false, itemStyle: { color: shade },
      lineStyle: { color: shade, width: stacked ? 1.25 : 2.25, type: one.dashed ? [5, 4] : "solid" }, emphasis: { focus: "series", lineStyle: { width: 2.5 } },
      areaStyle: area ? { opacity: stacked ? 0.7 : 1, color: stacked ? shade : fade(shade) } : undefined
    };
  }

  function fade(shade) {
    return { type: "linear", x: 0, y: 0, x2: 0, y2: 1, colorStops: [{ offset: 0, color: shade + "40" }, { offset: 1, color: shade + "05" }] };
  }

  function sparkline(chart, theme) {
    var one = chart.series[0];
    var shade = tone(one, 0, theme);
    return {
      animation: false, grid: { left: 2, right: 2, top: 4, bottom: 2 },
      tooltip: tooltip(theme, { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: theme.line } }, formatter: axisTip(chart) }),
      textStyle: { fontFamily: "Inter, system-ui, sans-serif" },
      xAxis: { type: "category", show: false, boundaryGap: false, data: chart.categories },
      yAxis: { type: "value", show: false, min: "dataMin", max: "dataMax" },
      series: [{ type: "line", data: one.data.map(geometry), showSymbol: false, symbol: "circle", lineStyle: { width: 2, color: shade }, itemStyle: { color: shade }, areaStyle: { color: fade(shade) } }]
    };
  }

  function treemap(chart, theme) {
    var whole = chart.series.reduce(function (sum, one) { return sum + Math.max(geometry(one.data[0]) || 0, 0); }, 0);
    return {
      animation: animated(), animationDuration: 350,
      textStyle: { fontFamily: "Inter, system-ui, sans-serif" },
      tooltip: tooltip(theme, { formatter: function (point) { return point.data && point.data.words ? '<div class="tip">' + tooltipLine(mark(point.color), point.name, point.data.words, unit(chart)) + "</div>" : ""; } }),
      series: [{
        type: "treemap", roam: false, nodeClick: chart.series.some(function (one) { return one.url; }) ? "link" : false, breadcrumb: { show: false },
        left: 0, right: 0, top: 0, bottom: 0, squareRatio: 1.4,
        itemStyle: { borderColor: theme.surface, borderWidth: 2, gapWidth: 2, borderRadius: 5 },
        label: { position: "insideTopLeft", distance: 8, fontSize: 12, lineHeight: 17, overflow: "truncate", formatter: function (point) { return point.value < whole * 0.03 ? point.name : point.name + "\n" + point.data.words + " " + unit(chart); } },
        data: chart.series.map(function (one, place) {
          return { name: one.name, value: Math.max(geometry(one.data[0]) || 0, 0), words: one.labels[0], link: one.url, target: "self", itemStyle: { color: tone(one, place, theme) }, label: { color: on(tone(one, place, theme)) } };
        })
      }]
    };
  }

  /* Dark or white words, whichever reads better on the shade. */
  function on(shade) {
    var parts = [1, 3, 5].map(function (place) {
      var part = parseInt(shade.slice(place, place + 2), 16) / 255;
      return part <= 0.03928 ? part / 12.92 : Math.pow((part + 0.055) / 1.055, 2.4);
    });
    var light = 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    return light > 0.27 ? "#0f1520" : "#ffffff";
  }

  function options(chart, theme, width) {
    if (chart.kind === "treemap") return treemap(chart, theme);
    if (chart.kind === "sparkline") return sparkline(chart, theme);
    return cartesian(chart, theme, width);
  }

  function draw(place) {
    if (drawn.has(place)) return;
    var source = document.getElementById(place.dataset.chart);
    if (!source) return;
    var chart = JSON.parse(source.textContent);
    if (chart.across) place.style.height = Math.min(320, 64 + 28 * chart.categories.length) + "px";
    var picture = echarts.init(place, null, { renderer: "svg" });
    drawn.set(place, { picture: picture, chart: chart, hidden: new Set() });
    if (chart.narrow) opens(picture, chart);
    paint(place);
    sizes.observe(place);
  }

  /* A bar leads where its series and step do; alone in its step it may be a pixel high, so that all of the step leads there. */
  function opens(picture, chart) {
    function go(series, step) {
      var address = narrower(chart, series, step);
      if (address) window.location.assign(address);
    }
    if (chart.series.length > 1) {
      picture.on("click", function (point) { go(point.seriesIndex, point.dataIndex); });
      return;
    }
    function stepAt(event) {
      var step = picture.convertFromPixel({ seriesIndex: 0 }, [event.offsetX, event.offsetY])[chart.across ? 1 : 0];
      return step >= 0 && step < chart.categories.length ? step : null;
    }
    picture.getZr().on("click", function (event) {
      var step = stepAt(event);
      if (step !== null) go(0, step);
    });
    picture.getZr().on("mousemove", function (event) {
      if (stepAt(event) !== null) picture.getZr().setCursorStyle("pointer");
    });
  }

  /* The legend is ours: it wraps, and each name is a switch for the keyboard too. */
  function legend(place, chart, theme) {
    if (chart.series.length < 2 || chart.kind === "treemap" || chart.kind === "sparkline") return;
    var known = drawn.get(place);
    if (!known.legend) {
      known.legend = document.createElement("div");
      known.legend.className = "chart-legend";
      known.legend.setAttribute("role", "group");
      known.legend.setAttribute("aria-label", gettext("Series"));
      place.after(known.legend);
    }
    known.legend.replaceChildren.apply(known.legend, chart.series.map(function (one, number) {
      var button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!known.hidden.has(one.name)));
      button.innerHTML = mark(tone(one, number, theme)) + "<span>" + escape(one.name) + "</span>";
      button.addEventListener("click", function () {
        var off = !known.hidden.delete(one.name);
        if (off) known.hidden.add(one.name);
        button.setAttribute("aria-pressed", String(!off));
        known.picture.dispatchAction({ type: off ? "legendUnSelect" : "legendSelect", name: one.name });
      });
      button.addEventListener("mouseenter", function () { known.picture.dispatchAction({ type: "highlight", seriesName: one.name }); });
      button.addEventListener("mouseleave", function () { known.picture.dispatchAction({ type: "downplay", seriesName: one.name }); });
      return button;
    }));
  }

  function paint(place) {
    var known = drawn.get(place);
    legend(place, known.chart, palette());
    known.picture.setOption(options(known.chart, palette(), place.clientWidth), true);
    known.hidden.forEach(function (name) { known.picture.dispatchAction({ type: "legendUnSelect", name: name }); });
  }

  /* On paper charts are as wide as the sheet, in the colours of light. */
  var screenTheme = "";
  window.addEventListener("beforeprint", function () {
    screenTheme = document.documentElement.dataset.bsTheme;
    document.documentElement.dataset.bsTheme = "light";
    drawn.forEach(function (known, place) {
      var width = Math.min(place.clientWidth, 640), still = options(known.chart, palette(), width);
      still.animation = false;
      known.picture.resize({ width: width });
      known.picture.setOption(still, true);
      known.picture.getZr().flush();
    });
  });
  window.addEventListener("afterprint", function () {
    document.documentElement.dataset.bsTheme = screenTheme;
    drawn.forEach(function (known, place) { known.picture.resize({ width: "auto" }); paint(place); });
  });

  var sizes = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) {
      var known = drawn.get(entry.target);
      if (known) known.picture.resize();
    });
  });

  function forgetGone() {
    drawn.forEach(function (known, place) {
      if (document.contains(place)) return;
      sizes.unobserve(place);
      known.picture.dispose();
      drawn.delete(place);
    });
  }

  function begin() {
    forgetGone();
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  begin();
  document.addEventListener("htmx:load", begin);
  document.addEventListener("finops:theme", function () { Array.from(drawn.keys()).forEach(paint); });
})();
