/** The page's style sheet. Two tones of ink, one of colour; numbers line up; the plots' strokes are set here. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #fffefb; --ink: #1d1f21; --quiet: #5f6468; --rule: #dcdad3; --grid: #ecebe5;
  --green: #2b7a4b; --pale: #dfe8de; --grey: #b9bcb8; --red: #a8402f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181a; --ink: #e4e4e0; --quiet: #9ba09f; --rule: #393d3f; --grid: #282c2e;
    --green: #6fc08c; --pale: #2c3830; --grey: #5d6462; --red: #e08a78;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 40px clamp(16px, 4vw, 48px) 64px; max-width: 1180px;
  background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.kicker { margin: 0; color: var(--quiet); }
.kicker time { white-space: nowrap; }
h1 { margin: 6px 0 0; font-size: clamp(24px, 3.4vw, 36px); font-weight: 600; line-height: 1.25; letter-spacing: -0.01em; text-wrap: balance; }
h1 span { display: inline-block; }
h2 { margin: 0 0 12px; font-size: 18px; font-weight: 600; line-height: 1.3; }
section { margin-top: 44px; min-width: 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); column-gap: 56px; }
.name { overflow-wrap: anywhere; }
.note { max-width: 62ch; margin: 10px 0 0; font-size: 14px; color: var(--quiet); }

table { width: 100%; border-collapse: collapse; font-size: 15px; font-variant-numeric: tabular-nums; }
table.compact { width: auto; min-width: min(100%, 560px); }
th, td { padding: 5px 0 5px 20px; text-align: right; vertical-align: baseline; white-space: nowrap; border-top: 1px solid var(--grid); font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
thead th, thead td { border-top: 0; border-bottom: 1px solid var(--rule); color: var(--quiet); font-size: 13px; }
tbody tr:first-child > * { border-top: 0; }
tfoot > tr > * { border-top: 1px solid var(--rule); }
th[scope="row"] { white-space: normal; }
.quiet { color: var(--quiet); }
.strong { font-weight: 600; }
.words { text-align: left; white-space: normal; }
.missed { color: var(--red); }
.dims { color: var(--quiet); font-size: 13px; white-space: nowrap; }
.layers th[scope="row"] { width: 40%; }
.layers .bars { width: 32%; text-align: left; }
.key { display: inline-block; width: 10px; height: 10px; margin: 0 4px 0 0; }
.key.left { background: var(--green); }
.key.removed { margin-left: 10px; background: var(--pale); }
.bar { display: block; width: 100%; transform: translateY(1px); }
.bar .left { fill: var(--green); }
.bar .removed { fill: var(--pale); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)); gap: 6px 56px; margin: 0; font-size: 15px; font-variant-numeric: tabular-nums; }
dl > div { display: flex; justify-content: space-between; gap: 16px; border-bottom: 1px solid var(--grid); padding-bottom: 5px; }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
pre { margin: 0 0 16px; padding: 12px 16px; background: var(--grid); border-radius: 4px; font-size: 14px; white-space: pre-wrap; overflow-wrap: anywhere; }

.plot { margin: 0 0 22px; }
.plot figcaption { margin-bottom: 12px; font-size: 14px; color: var(--quiet); }
.plot > svg { display: block; width: calc(100% - 48px - 104px); margin: 0 104px 0 48px; overflow: visible; font-size: 13px; }
.plot.open > svg { width: calc(100% - 48px - 8px); margin-right: 8px; }
.plot.with-axis > svg { margin-bottom: 46px; }
.shapes { overflow: visible; }
.grid { stroke: var(--grid); }
.axis { stroke: var(--rule); }
.tick { fill: var(--quiet); }
.value { fill: var(--green); font-weight: 600; }
.line { fill: none; stroke: var(--green); stroke-width: 1.75px; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.dot { fill: var(--green); }
.reference { stroke: var(--quiet); stroke-dasharray: 3 4; }
.area.before { fill: var(--grey); }
.area.after { fill: var(--green); }
details { margin-top: 4px; font-size: 14px; }
summary { color: var(--quiet); cursor: pointer; }
footer { margin-top: 56px; font-size: 13px; color: var(--quiet); }

@media (max-width: 640px) {
  body { padding-top: 24px; }
  table { font-size: 14px; }
  th, td { padding-left: 8px; }
  .plot > svg { width: calc(100% - 40px - 96px); margin-left: 40px; margin-right: 96px; font-size: 12px; }
  .plot.open > svg { width: calc(100% - 40px - 4px); margin-right: 4px; }
  /* A row becomes its name and, below it, its numbers: long names leave them no room beside. */
  .stack, .stack thead, .stack tbody, .stack tfoot { display: block; }
  .stack tr { display: flex; flex-wrap: wrap; padding: 5px 0; border-top: 1px solid var(--grid); }
  .stack thead tr { border-top: 0; border-bottom: 1px solid var(--rule); }
  .stack tfoot tr { border-top-color: var(--rule); }
  .stack tbody tr:first-child { border-top: 0; }
  .stack tr > *, .stack tfoot > tr > * { flex: 1 1 15%; min-width: 0; padding: 0; border: 0; text-align: right; }
  .stack tr > :first-child, .stack tfoot > tr > :first-child { flex: 0 0 100%; text-align: left; }
  .stack tr > .bars, .stack tfoot > tr > .bars { flex: 3 1 28%; padding-left: 14px; }
  .stack tr > .words { flex: 2 1 30%; }
}
@media print {
  :root { --page: #fff; --ink: #000; --quiet: #444; --rule: #bbb; --grid: #e4e4e4; --green: #2b7a4b; --pale: #dfe8de; --grey: #b9bcb8; --red: #a8402f; color-scheme: light; }
  body { padding: 0; font-size: 10pt; }
  table, pre, dl, .note { font-size: 9pt; }
  .columns { grid-template-columns: 1fr 1fr; column-gap: 32px; }
  section { margin-top: 28px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, tr, h1, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`;
