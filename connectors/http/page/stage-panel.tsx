/** The partitions of a stage, one by one. */
import { useEffect, useRef } from 'preact/hooks';
import { chainOf, type Status } from './answers.js';
import { withoutWatermark } from './event-time.js';
import { Icon } from './icons.js';
import { STATE_WORDS } from './stage-node.js';
import type { StageFigures } from './status-history.js';
import { behind, bytes, count, duration, figure, moment, UNKNOWN } from './wording.js';

interface StagePanelProps {
  readonly figures: StageFigures;
  readonly status: Status;
  readonly onClose: () => void;
}

const COLUMNS = ['Partition', 'State', 'Messages/s', 'Lag', 'Watermark', 'Rows out', 'Keys', 'Snapshots', 'Restarts'];

export function StagePanel({ figures, status, onClose }: StagePanelProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // It stands below the whole drawing: who opened it should not have to look for it.
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth';
    heading.current?.closest('section')?.scrollIntoView({ block: 'nearest', behavior });
  }, []);
  const { stage, partitions } = figures;
  const from = status.edges.filter((edge) => edge.to === stage).map((edge) => edge.from);
  const to = status.edges.filter((edge) => edge.from === stage).map((edge) => edge.to);
  const noWatermark = withoutWatermark(stage, status.edges);
  const chain = chainOf(status, stage);
  return (
    <section
      class="stage-panel"
      aria-labelledby="stage-panel-title"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <header class="panel-head">
        <div>
          <h3 id="stage-panel-title" ref={heading} tabIndex={-1}>
            {stage}
          </h3>
          <p class="hint">
            {from.length > 0 && <>reads from {[...new Set(from)].join(', ')}</>}
            {from.length > 0 && to.length > 0 && '; '}
            {to.length > 0 && <>writes to {[...new Set(to)].join(', ')}</>}
          </p>
          {chain !== undefined && (
            <p class="hint">
              {chain.join(' + ')} run as one: the mailbox is that of {chain[0]}, the snapshot that of all
            </p>
          )}
          {noWatermark !== undefined && <p class="hint">no watermark: {noWatermark}</p>}
        </div>
        <button type="button" class="quiet square" onClick={onClose} aria-label={`Close ${stage}`}>
          <Icon name="close" />
        </button>
      </header>
      {partitions.length === 0 ? (
        <p class="nothing">Other nodes run the partitions of this stage.</p>
      ) : (
        <PartitionTable figures={figures} now={status.now} hasWatermark={noWatermark === undefined} />
      )}
    </section>
  );
}

/** On a phone each row becomes a card; the roles say that it is still a table. */
function PartitionTable({
  figures: { stage, partitions },
  now,
  hasWatermark,
}: {
  readonly figures: StageFigures;
  readonly now: string;
  readonly hasWatermark: boolean;
}) {
  return (
    <table class="list stacking" role="table">
      <caption class="unseen">Partitions of {stage}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map((name, i) => (
            <th key={name} scope="col" role="columnheader" class={i < 2 ? '' : 'number'}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {partitions.map((one) => {
          const lag = one.lag_seconds === undefined ? '' : ` (${duration(one.lag_seconds)})`;
          const values = [
            figure(one.messagesPerSecond),
            `${count(one.lag_messages)}${one.lag_messages === 0 ? '' : lag}`,
            watermarkOf(one, now, hasWatermark),
            count(one.rows_out),
            count(one.state_keys),
            `${count(one.snapshots)}${one.snapshots === 0 ? '' : `, ${bytes(one.snapshot_bytes)}`}`,
            count(one.restarts),
          ];
          return (
            <tr key={one.partition} role="row">
              <th scope="row" role="rowheader" data-label={COLUMNS[0]}>
                {one.partition}
              </th>
              <td role="cell" data-label={COLUMNS[1]}>
                <span class={`state-word ${one.state}`}>
                  <Icon name={one.state} /> {STATE_WORDS[one.state]}
                </span>
                {one.last_error !== undefined && <div class="last-error">{one.last_error}</div>}
              </td>
              {values.map((value, i) => (
                <td key={i} role="cell" class="number" data-label={COLUMNS[i + 2]}>
                  {value}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function watermarkOf({ watermark }: StageFigures['partitions'][number], now: string, hasWatermark: boolean): string {
  if (!hasWatermark) return 'none';
  return watermark === undefined ? UNKNOWN : `${moment(watermark)} (${behind(watermark, now)})`;
}
