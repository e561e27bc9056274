/** A stage in the drawing: its name, how it is (an icon, a colour and a word), and four figures. */
import { iconPath } from './icons.js';
import type { StageFigures, StageState } from './status-history.js';
import { behind, count as whole, duration, figure, plural } from './wording.js';

export const STATE_WORDS: Readonly<Record<StageState, string>> = {
  running: 'Running',
  restoring: 'Restoring',
  backoff: 'Backoff',
  stopped: 'Stopped',
  failed: 'Failed',
  elsewhere: 'Elsewhere',
};

type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

interface StageNodeProps extends Box {
  readonly figures: StageFigures;
  /** By the server's clock. */
  readonly now: string;
  /** Why it has no watermark by nature. */
  readonly noWatermark: string | undefined;
  /** The stage whose mailbox it reads: its own, or the first one of its chain. */
  readonly mailboxOf: string;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  readonly onElement: (element: SVGRectElement | null) => void;
}

export const NODE_HEIGHT = 112;
export const LEDGER_HEIGHT = 44;

const INSET = 8;
const ROW = 15.5;
/** Narrower than this, labels would run into their values. */
const LABEL_WIDTH = 116;
/** The same of the longest label. */
const LONG_LABEL_WIDTH = 140;
const NAME_SIZE = 12;
/** Of a letter, as a part of the size, in a wide font: a long name is set smaller. */
const LETTER_WIDTH = 0.68;
const nameSize = (name: string, width: number): string =>
  Math.min(NAME_SIZE, (width - 2 * INSET) / (LETTER_WIDTH * name.length)).toFixed(1);

export function StageNode(props: StageNodeProps) {
  const { figures, now, noWatermark, mailboxOf, isOpen, onToggle, onElement, x, y, width, height } = props;
  const { stage, state, running, partitions, messagesPerSecond, lagMessages, lagSeconds, watermark, restarts } =
    figures;
  const isNarrow = width < LABEL_WIDTH;
  const rows = [
    ['msgs/s', figure(messagesPerSecond)],
    ['lag', mailboxOf === stage ? figure(lagMessages) : 'none'],
    watermarkRow(watermark, now, noWatermark, width),
    ['restarts', whole(restarts)],
  ] as const;
  const words = [
    `${stage}: ${STATE_WORDS[state]}`,
    `${running} of ${plural(partitions.length, 'partition')} running`,
    messagesPerSecond === undefined ? 'rate not known yet' : `${figure(messagesPerSecond)} messages per second`,
    mailboxOf === stage
      ? `lag ${plural(lagMessages ?? 0, 'message')}${lagSeconds === undefined ? '' : `, ${duration(lagSeconds)}`}`
      : `runs as one with ${mailboxOf}`,
    watermarkWords(watermark, now, noWatermark),
    plural(restarts, 'restart'),
  ].join(', ');
  return (
    <g
      class={`node ${state}${isOpen ? ' is-open' : ''}${isNarrow ? ' is-narrow' : ''}`}
      transform={`translate(${x} ${y})`}
    >
      {/* To be seen; the button that lies over it says the same in words, beginning with the name. */}
      <g aria-hidden="true">
        <rect class="card" width={width} height={height} rx={9} />
        <rect class="edge-mark" y={9} width={3} height={height - 18} rx={1.5} />
        <text class="name" font-size={nameSize(stage, width)} x={INSET} y={20}>
          {stage}
        </text>
        <g class="state" transform={`translate(${INSET} 27)`}>
          <path d={iconPath(state)} transform="scale(0.8)" />
          <text x={16} y={10}>
            {STATE_WORDS[state]}
          </text>
          <text x={width - 2 * INSET} y={10} class="end">
            {partitions.length === 0 || isNarrow ? '' : `${running}/${partitions.length}`}
          </text>
        </g>
        {rows.map(([label, value], i) => (
          <g key={label} transform={`translate(${INSET} ${57 + i * ROW})`}>
            <text class="label">{label}</text>
            <text class={`figure end${isBad(label, figures) ? ' is-bad' : ''}`} x={width - 2 * INSET}>
              {value}
            </text>
          </g>
        ))}
      </g>
      <rect
        ref={onElement}
        class="press"
        width={width}
        height={height}
        rx={9}
        role="button"
        tabindex={0}
        aria-label={words}
        aria-expanded={isOpen}
        data-stage={stage}
        onClick={onToggle}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' && event.key !== ' ') return;
          event.preventDefault();
          onToggle();
        }}
      />
    </g>
  );
}

function watermarkRow(watermark: string | undefined, now: string, none: string | undefined, width: number) {
  // `behind none` would say that it keeps up.
  if (none !== undefined) return ['watermark', 'none'] as const;
  const said = behind(watermark, now);
  return width < LONG_LABEL_WIDTH ? (['behind', said.replace('−', '')] as const) : (['watermark', said] as const);
}

function watermarkWords(watermark: string | undefined, now: string, none: string | undefined): string {
  if (none !== undefined) return `no watermark: ${none}`;
  return watermark === undefined
    ? 'watermark not known yet'
    : `watermark ${behind(watermark, now).replace('−', 'behind by ')}`;
}

const isBad = (label: string, { restarts, lagSeconds }: StageFigures): boolean =>
  (label === 'restarts' && restarts > 0) || (label === 'lag' && (lagSeconds ?? 0) > 10);

interface LedgerNodeProps extends Box {
  readonly id: string;
  /** A figure, where there is one. */
  readonly detail: string | undefined;
  /** Where in the box of a stage it stands: 0 at the top, 1 at the bottom. */
  readonly place: number;
}

/** What is no stage: where events come from, what is kept aside. */
export const LedgerNode = ({ id, detail, place, x, y, width, height }: LedgerNodeProps) => (
  <g class="node ledger" transform={`translate(${x} ${y + (height - LEDGER_HEIGHT) * place})`}>
    <rect class="card" width={width} height={LEDGER_HEIGHT} rx={LEDGER_HEIGHT / 2} />
    <text class="name middle" font-size={nameSize(id, width)} x={width / 2} y={detail === undefined ? 26 : 19}>
      {id}
    </text>
    {detail !== undefined && (
      <text class="label middle" x={width / 2} y={34}>
        {detail}
      </text>
    )}
  </g>
);
