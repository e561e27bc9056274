/** Events in, latency and calls: three figures with their last ten minutes. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type Line, LineChart } from './line-chart.js';
import { StaleSince } from './stale-since.js';
import type { History, Sample } from './status-history.js';
import { count, duration, figure, moment, percent, plural } from './wording.js';

interface FiguresProps {
  readonly history: History | undefined;
  readonly staleSinceMs: number | undefined;
}

export function Figures({ history, staleSinceMs }: FiguresProps) {
  const samples = history?.samples ?? [];
  const { counters, requests, answers, latency } = history?.status ?? {};
  return (
    <section class="figures" aria-label="Figures of the last ten minutes">
      <Figure
        title="Events in"
        unit="per second on this node"
        samples={samples}
        staleSinceMs={staleSinceMs}
        format={figure}
        lines={[{ name: 'events per second', of: (sample) => sample.eventsPerSecond }]}
      >
        {counters !== undefined && (
          <>
            <b>{count(counters.on_time)}</b> on time, <b>{count(counters.late)}</b> late,{' '}
            <b>{count(counters.dead_letter)}</b> dead letters, <b>{count(counters.duplicates)}</b> duplicates on this
            node
          </>
        )}
      </Figure>
      <Figure
        title="From event to list"
        unit="median"
        samples={samples}
        staleSinceMs={staleSinceMs}
        format={duration}
        lines={[
          { name: 'median', of: (sample) => sample.p50Seconds },
          { name: '99 of 100 within', of: (sample) => sample.p99Seconds },
        ]}
      >
        {latency !== undefined && (
          <>
            99 of 100 within <b>{duration(samples.at(-1)?.p99Seconds)}</b> <span class="key" aria-hidden="true" />
          </>
        )}
      </Figure>
      <Figure
        title="Requests"
        unit="per second"
        samples={samples}
        staleSinceMs={staleSinceMs}
        format={figure}
        lines={[{ name: 'requests per second', of: (sample) => sample.requestsPerSecond }]}
      >
        {requests !== undefined && (
          <>
            <b>{count(requests.grpc_total)}</b> by gRPC, <b>{count(requests.http_total)}</b> by HTTP since the start
          </>
        )}
        {answers !== undefined && answers.count > 0 && (
          <span class="shares" title={`Of ${plural(answers.count, 'list')} in the last five minutes`}>
            Lists: <b>{percent(answers.fallback / answers.count)}</b> fallback,{' '}
            <b>{percent(answers.empty / answers.count)}</b> empty
          </span>
        )}
      </Figure>
    </section>
  );
}

interface FigureProps {
  readonly title: string;
  readonly unit: string;
  readonly samples: readonly Sample[];
  readonly staleSinceMs: number | undefined;
  readonly lines: readonly { readonly name: string; readonly of: (sample: Sample) => number | undefined }[];
  readonly format: (value: number | undefined) => string;
  readonly children: ComponentChildren;
}

function Figure({ title, unit, samples, staleSinceMs, lines, format, children }: FigureProps) {
  const [pointed, setPointed] = useState<number>();
  const drawn: Line[] = lines.map(({ name, of }) => ({ name, values: samples.map(of) }));
  const at = pointed !== undefined && pointed < samples.length ? pointed : undefined;
  const shown = (line: Line): number | undefined => line.values.at(at ?? -1);
  return (
    <div class={staleSinceMs === undefined ? 'panel figure' : 'panel figure is-stale'}>
      <h2>
        {title}
        <span class="at">
          {at !== undefined && moment(new Date(samples[at]!.atMs).toISOString())}
          {at === undefined && staleSinceMs !== undefined && <StaleSince atMs={staleSinceMs} />}
        </span>
      </h2>
      <p class="value">
        {format(shown(drawn[0]!))} <span class="unit">{unit}</span>
        {at !== undefined && drawn[1] !== undefined && (
          <span class="unit">
            , {drawn[1].name} {format(shown(drawn[1]))}
          </span>
        )}
      </p>
      <LineChart
        label={`${title}: ${drawn.map((line) => inWords(line, format, staleSinceMs === undefined ? 'now' : 'last')).join('; ')}`}
        end={staleSinceMs === undefined ? 'now' : 'last'}
        times={samples.map(({ atMs }) => atMs)}
        lines={drawn}
        format={format}
        onPoint={setPointed}
      />
      <p class="detail">{children}</p>
    </div>
  );
}

function inWords({ name, values }: Line, format: (value: number | undefined) => string, end: string): string {
  const known = values.filter((one) => one !== undefined);
  if (known.length === 0) return `${name} is not known yet`;
  return `${name} ${end} ${format(values.at(-1))}, between ${format(Math.min(...known))} and ${format(Math.max(...known))} since the page was opened, at most ten minutes ago`;
}
