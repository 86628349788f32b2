/* node purge.mjs TABLER_CSS REPOSITORY OUT_FOLDER: Tabler's css with the rules that our pages use, one a line, and the names of all its classes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PurgeCSS } from 'purgecss';

const [tabler, repository, out] = process.argv.slice(2);
const whole = readFileSync(tabler, 'utf8');

/* Words of templates, of Python and of scripts: whatever might be the name of a class keeps that class. */
const content = [
  `${repository}/templates/**/*.html`,
  `${repository}/tests/gallery_templates/*.html`,
  `${repository}/{finops_site,costs,budgets,tagging,reservations}/**/*.py`,
  `${repository}/finops_site/static/finops/*.js`,
  `${repository}/finops_site/static/vendor/t*/*.js`,
];

const [kept] = await new PurgeCSS().purge({
  content,
  css: [{ raw: whole }, { raw: readFileSync(`${repository}/finops_site/static/finops/finops.css`, 'utf8') }],
  keyframes: true, fontFace: true, variables: true, safelist: { standard: [/^ts-/] },
});
const rules = kept.css.replace(/\/\*[^]*?\*\//g, '').replace(/\s+/g, ' ').replace(/ ?([{};:,]) ?/g, (all, sign) => (sign === ':' || sign === ',' ? all : sign));
writeFileSync(`${out}/tabler.min.css`, rules.replace(/;}/g, '}').replace(/}/g, '}\n').trim() + '\n');
const classes = new Set(Array.from(whole.matchAll(/\.(-?[_a-zA-Z](?:[\w-]|\\.)*)/g), (found) => found[1].replaceAll('\\', '')));
writeFileSync(`${out}/classes.txt`, Array.from(classes).sort().join('\n') + '\n');
