/** How good the lists are, by what users did next, and what the ranking has learnt: hit rates of its sources, and its weights over time. */
import { useState } from 'preact/hooks';
import type { Ranking } from './answers.js';
import { FaultNotice, Panel } from './panel.js';
import { usePolling } from './polling.js';
import { STRATEGIES } from './question.js';
import { getJson } from './server.js';
import { useSharedValue } from './shared-value.js';
import { Sparkline } from './sparkline.js';
import { signOf, words } from './subject.js';
import { count, percent, UNKNOWN } from './wording.js';

const EVERY_MS = 5_000;
/** Ten minutes. */
const SAMPLES_MAX = 120;
const WEIGHTS = 6;

type Sample = { readonly atMs: number; readonly ranking: Ranking };

export function RankingPanel() {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const { fault, staleSinceMs } = usePolling(async (signal) => {
    const ranking = await getJson<Ranking>('/ranking', { signal });
    setSamples((before) => [...before, { atMs: Date.now(), ranking }].slice(-SAMPLES_MAX));
  }, EVERY_MS);
  const now = samples.at(-1)?.ranking;
  return (
    <Panel
      id="ranking"
      title="How lists are ranked"
      hint={
        now !== undefined &&
        now.judged > 0 && <>By {count(now.judged)} events, each looked for in the lists of just before</>
      }
      staleSinceMs={staleSinceMs}
    >
      {fault !== undefined && now === undefined && <FaultNotice fault={fault} again />}
      {now?.judged === 0 && <p class="nothing">No event has been judged yet: publish events of users who come back.</p>}
      {now !== undefined && now.judged > 0 && (
        <div class="halves">
          <HitRates ranking={now} />
          <Weights samples={samples} ranking={now} />
        </div>
      )}
      {now?.experiment !== undefined && now.experiment !== null && <Experiment experiment={now.experiment} />}
    </Panel>
  );
}

/** The first arm is what others are compared with. */
function Experiment({ experiment: { name, arms } }: { readonly experiment: NonNullable<Ranking['experiment']> }) {
  return (
    <div class="experiment" tabIndex={0} role="region" aria-label="The arms of the experiment">
      <table class="list">
        <caption>Experiment {name}: of what was shown, what users did something with</caption>
        <thead>
          <tr>
            <th scope="col">Arm</th>
            <th scope="col">Order by</th>
            {['Users', 'Shown', 'Followed', 'Rate', 'Hit rate', 'p'].map((title) => (
              <th key={title} scope="col" class="number">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {arms.map(({ arm, strategy, percent: share, ...of }) => (
            <tr key={arm}>
              <th scope="row">{arm}</th>
              <td>
                {STRATEGIES[strategy] ?? strategy}, {share} %
              </td>
              {[
                ...[count(of.users), count(of.impressions), count(of.clicks)],
                ...[of.click_through_rate, of.hit_rate].map((rate) => (rate === null ? UNKNOWN : percent(rate))),
                of.p_value === null ? UNKNOWN : of.p_value < 0.001 ? '< 0.001' : of.p_value.toFixed(3),
              ].map((text, i) => (
                <td key={i} class="number">
                  {text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HitRates({ ranking }: { readonly ranking: Ranking }) {
  const own = useSharedValue(words);
  const models = [...ranking.models].sort((a, b) => b.hit_rate - a.hit_rate);
  const best = Math.max(models[0]?.hit_rate ?? 0, Number.MIN_VALUE);
  return (
    <table class="list">
      <caption class="unseen">How often what came next was among the first ten, the best source first</caption>
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col" class="score">
            In the first ten
          </th>
        </tr>
      </thead>
      <tbody>
        {models.map(({ model, hit_rate: rate }) => (
          <tr key={model} class={model === 'hybrid' ? 'is-chosen' : ''}>
            <th scope="row">{signOf(model, own)}</th>
            <td class="score">
              <div class="scored">
                <span class="bar" aria-hidden="true">
                  <span style={{ width: `${(100 * rate) / best}%` }} />
                </span>
                {percent(rate)}
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Weights({ samples, ranking }: { readonly samples: readonly Sample[]; readonly ranking: Ranking }) {
  const own = useSharedValue(words);
  const largest = [...ranking.weights].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, WEIGHTS);
  return (
    <table class="list">
      <caption class="unseen">The largest weights, and how they have changed since the page was opened</caption>
      <thead>
        <tr>
          <th scope="col">Weight of</th>
          <th scope="col" aria-label="Since the page was opened" />
          <th scope="col" class="number">
            Value
          </th>
        </tr>
      </thead>
      <tbody>
        {largest.map(({ feature, weight }) => (
          <tr key={feature}>
            <th scope="row">{signOf(feature, own)}</th>
            <td>
              <Sparkline
                points={samples.map(({ atMs, ranking: { weights } }) => ({
                  atMs,
                  score: weights.find((one) => one.feature === feature)?.weight ?? 0,
                }))}
              />
            </td>
            <td class="number">{weight.toFixed(2)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
