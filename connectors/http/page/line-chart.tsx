/** A line chart of the last minutes: an area under the first line, a dashed second. The point under the pointer is reported to the parent. */
import { useWidth } from './width.js';

export type Line = { readonly name: string; readonly values: readonly (number | undefined)[] };

interface LineChartProps {
  /** The text alternative. */
  readonly label: string;
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Label of the right end. */
  readonly end: string;
  readonly onPoint: (index: number | undefined) => void;
}

const HEIGHT = 112;
/** For a phone, where charts are stacked. */
const LOW_HEIGHT = 84;
const LOW_BELOW_WIDTH = 340;
const TOP = 10;
const BOTTOM = 18;
/** For the axis labels. */
const LEFT = 46;
/** The chart of a page that was just opened should not be one point at the edge. */
const SPAN_MS_MIN = 60_000;
const SPANS_MS = [60_000, 120_000, 300_000, 600_000];

export function LineChart({ label, times, lines, format, end: endWord, onPoint }: LineChartProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const height = width < LOW_BELOW_WIDTH ? LOW_HEIGHT : HEIGHT;
  const end = times.at(-1) ?? 0;
  const begin = times.find((_, i) => lines.some(({ values }) => values[i] !== undefined)) ?? end;
  const span = Math.max(SPAN_MS_MIN, end - begin);
  const top = niceMax(Math.max(0, ...lines.flatMap(({ values }) => values.filter((one) => one !== undefined))));
  const x = (atMs: number): number => LEFT + (width - LEFT) * (1 - (end - atMs) / span);
  const y = (value: number): number => TOP + (height - TOP - BOTTOM) * (1 - value / top);
  const onMove = (event: PointerEvent): void => {
    const left = event.clientX - ref.current!.getBoundingClientRect().left;
    const distance = (i: number): number => Math.abs(x(times[i]!) - left);
    onPoint(
      times.reduce<number | undefined>(
        (best, _, i) => (best === undefined || distance(i) < distance(best) ? i : best),
        undefined,
      ),
    );
  };
  const mark = SPANS_MS.findLast((one) => one <= span) ?? SPAN_MS_MIN;
  const floor = height - BOTTOM;
  return (
    <div class="chart" ref={ref} onPointerMove={onMove} onPointerLeave={() => onPoint(undefined)}>
      <svg width={width} height={height} role="img" aria-label={label}>
        {[top, top / 2, 0].map((value) => (
          <g key={value}>
            <line class={value === 0 ? 'axis' : 'grid'} x1={LEFT} x2={width} y1={y(value)} y2={y(value)} />
            {value > 0 && (
              <text x={0} y={y(value) + 4}>
                {format(value)}
              </text>
            )}
          </g>
        ))}
        <text x={x(end - mark)} y={height - 4} class={x(end - mark) < LEFT + 20 ? '' : 'middle'}>
          −{mark / 60_000} min
        </text>
        <text x={width} y={height - 4} class="end">
          {endWord}
        </text>
        {lines.map(({ name, values }, i) => (
          <g key={name} class={`line line-${i}`}>
            {stretches(values).map((stretch) => {
              const points = stretch.map((at) => `${x(times[at]!).toFixed(1)} ${y(values[at]!).toFixed(1)}`);
              const [first, last] = [x(times[stretch[0]!]!), x(times[stretch.at(-1)!]!)];
              return (
                <g key={stretch[0]}>
                  {i === 0 && <path class="area" d={`M${first} ${floor}L${points.join('L')}L${last} ${floor}Z`} />}
                  <path class="stroke" d={`M${points.join('L')}`} />
                </g>
              );
            })}
          </g>
        ))}
      </svg>
    </div>
  );
}

/** 1, 2, 2.5 or 5 times a power of ten, at or above the value. */
export function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 2.5, 5].find((one) => one * power >= value) ?? 10);
}

/** Runs of known values: unknown ones leave a gap. */
function stretches(values: readonly (number | undefined)[]): number[][] {
  const found: number[][] = [];
  let open: number[] | undefined;
  values.forEach((value, i) => {
    if (value === undefined) open = undefined;
    else if (open === undefined) found.push((open = [i]));
    else open.push(i);
  });
  return found;
}
