// The style sheet of the HTML report: one column, readable on a phone, in the dark and on paper. System fonts only: nothing is fetched.

export const reportStyle = `
:root { color-scheme: light dark; --text: #1f2430; --muted: #5b6270; --line: #d9dde3; --back: #ffffff; --raised: #f5f6f8; --accent: #0067a6; --good: #00694f; --bad: #a84300; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8ec; --muted: #a3abb8; --line: #363c48; --back: #14171d; --raised: #1d2129; --accent: #6bb8ef; --good: #4cc7a0; --bad: #f2915a; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.55 "Source Sans 3", "Source Sans Pro", system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
.subtitle, figcaption, .note { color: var(--muted); }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
a { color: var(--accent); }
.findings { background: var(--raised); border-left: 4px solid var(--accent); padding: .6rem 1rem; margin: 1.25rem 0; border-radius: 0 6px 6px 0; }
.findings p { margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .28rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; }
thead th[colspan] { text-align: center; }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; }
th.name, td.name { text-align: left; }
tbody th { text-align: left; font-weight: 500; }
table.facts th { color: var(--muted); font-weight: 400; padding-right: 1.5rem; vertical-align: top; }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.better { color: var(--good); }
.worse { color: var(--bad); }
figure { margin: 1.25rem 0 2rem; break-inside: avoid; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
figcaption { margin-top: .4rem; font-size: .95rem; max-width: 46rem; }
pre { background: var(--raised); padding: .8rem 1rem; overflow-x: auto; border-radius: 6px; font: .88rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
details { margin: .75rem 0; }
summary { cursor: pointer; font-weight: 600; }
footer { margin-top: 3rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .9rem; }
@media print {
  :root { color-scheme: light; --text: #000; --muted: #444; --line: #bbb; --back: #fff; --raised: #f3f3f3; --accent: #000; --good: #00553f; --bad: #8a3700; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, summary { break-after: avoid; }
  table { font-size: 8.5pt; }
  th, td { padding: .15rem .4rem; }
  .scroll { overflow: visible; }
  tr, pre { break-inside: avoid; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; height: auto; }
}
`;
