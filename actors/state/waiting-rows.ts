/**
 * waiting-rows: rows that wait to be published with others, in order of arrival, also after a restart.
 *
 * A message costs as much as the work on some hundred rows, and compresses well only if it holds some thousand. The stage bounds
 * how many wait.
 */
import {
  type Columns,
  type Frame,
  frameOf,
  type FrameType,
  frameType,
  type Tables,
  tables,
} from '../../runtime/contract/stage.js';

/** `number` makes rows distinct. Texts can only be stored as keys. */
type Waiting<C extends Columns> = C & { readonly number: 'u32' };
export type WaitingTables<C extends Columns> = Tables<Waiting<C>, keyof Waiting<C> & string>;

const TABLE = 0;

const stored = <C extends Columns>(type: FrameType<C>): FrameType<Waiting<C>> =>
  frameType(`waiting-${type.name}`, { ...type.columns, number: 'u32' });

const textsOf = <C extends Columns>(type: FrameType<C>): (keyof C & string)[] =>
  Object.keys(type.columns).filter((name) => type.columns[name] === 'text');

export const waitingTables = <C extends Columns>(type: FrameType<C>) =>
  tables<Waiting<C>, keyof Waiting<C> & string>(stored(type), { key: ['number', ...textsOf(type)] });

export class WaitingRows<C extends Columns> {
  private readonly stored: FrameType<Waiting<C>>;

  constructor(
    private readonly waiting: WaitingTables<C>,
    private readonly type: FrameType<C>,
  ) {
    this.stored = stored(type);
  }

  get rows(): number {
    return this.waiting.has(TABLE) ? this.waiting.table(TABLE).rows : 0;
  }

  add({ rows, columns }: Frame<C>): void {
    const table = this.waiting.table(TABLE);
    const first = table.rows;
    const number = Uint32Array.from({ length: rows }, (_, i) => first + i);
    table.put({ type: this.stored, rows, columns: { ...columns, number } as Frame<Waiting<C>>['columns'] });
  }

  /** Removes and returns all rows. */
  release(): Frame<C> {
    if (!this.waiting.has(TABLE)) return frameOf(this.type, []);
    const table = this.waiting.table(TABLE);
    const { rows, columns } = table.frame(Uint32Array.from({ length: table.rows }, (_, row) => row));
    this.waiting.drop(TABLE);
    const own = Object.keys(this.type.columns).map((name) => [name, columns[name]] as const);
    return { type: this.type, rows, columns: Object.fromEntries(own) as Frame<C>['columns'] };
  }
}
