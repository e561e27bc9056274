/**
 * chain(stages): stages that run as one. What one emits for another of them is handed over by a call, in the order that the log would have given.
 *
 *   a: x → y, z    b: y → w        chain: x → z, w
 *
 * It is a stage like any other, with one mailbox, one snapshot, one fence: its states are those of all, its inputs and outputs those that lead in and out.
 * An epoch that ends for the chain ends for each of its stages in turn, after what the one before has emitted for it; so does a tick.
 *
 * Law: the rows of its outputs are those of its stages one after the other.
 */
import { catchError, ignoreElements, merge, mergeMap, NEVER, Observable, Subject, tap } from 'rxjs';
import { asError } from '../contract/errors.js';
import type { Topology } from '../contract/graph.js';
import {
  type AnyStage,
  type Counter,
  type Emission,
  type OutPort,
  type Progress,
  stage,
  type StageSpec,
} from '../contract/stage.js';
import type { Frame } from '../frames/frame.js';

/** An input of the chain, and where it leads: more than one stage may read the same output of another. */
export interface ChainInput {
  readonly name: string;
  readonly to: readonly Port[];
}

export interface Port {
  readonly stage: string;
  readonly name: string;
}

export interface ChainLinks {
  readonly stages: readonly AnyStage[];
  readonly inputs: readonly ChainInput[];
  /** Outputs that lead to others of the chain. */
  readonly inner: readonly { readonly from: Port; readonly to: Port }[];
  /** Outputs that lead out of it. */
  readonly outputs: readonly Port[];
}

type Context = Parameters<StageSpec['pipeline']>[0];
type ChainContext = Context & { readonly tallies?: readonly Tally[] };

/** What a stage of a chain has done since that was last looked at; of the first only `rowsOut` is known. Telemetry only. */
export interface Tally {
  messages: number;
  rows: number;
  rowsOut: number;
  ms: number;
}

export const newTally = (): Tally => ({ messages: 0, rows: 0, rowsOut: 0, ms: 0 });

/** What one of its stages has thrown. */
export class StageFailure extends Error {
  constructor(
    readonly stage: string,
    override readonly cause: Error,
  ) {
    super(`${stage}: ${cause.message}`);
  }
}

/** Of a stage of a chain, in the chain: the first has the names that it has alone. */
export const nameInChain = (of: Port, head: AnyStage): string =>
  of.stage === head.id ? of.name : `${of.stage}.${of.name}`;

/** The stages that run as this one: itself, if it is no chain. */
export const stagesIn = (one: AnyStage): readonly AnyStage[] => one.chain ?? [one];

/** The one that runs a stage: itself, or its chain. */
export const hostOf = ({ stages }: Pick<Topology, 'stages'>, id: string): AnyStage =>
  stages.find((one) => stagesIn(one).some((stage) => stage.id === id))!;

/** Whose state it is, by its name in the chain. */
export const stateOf = (host: AnyStage, name: string): string =>
  name.includes('.') ? name.slice(0, name.indexOf('.')) : host.id;

/** Whose counter it is: that of the stage that declares it; what none declares is the first one's. */
export const counterOf = (host: AnyStage, counter: Counter): string =>
  (stagesIn(host).find(({ counts }) => counts?.includes(counter)) ?? host).id;

export function chain(links: ChainLinks): AnyStage {
  const { stages, inputs, outputs } = links;
  const head = stages[0]!;
  const stageOf = (id: string): AnyStage => stages.find((one) => one.id === id)!;
  return stage({
    id: head.id,
    key: head.key,
    chain: stages,
    // A snapshot of the first stage alone, or of another version of any of them, is not one of the chain.
    version: Number(stages.map(({ version }) => String(version).padStart(2, '0')).join('')),
    inputs: Object.fromEntries(inputs.map(({ name, to: [port] }) => [name, stageOf(port!.stage).inputs[port!.name]!])),
    outputs: Object.fromEntries(
      outputs.map((port): [string, OutPort['type']] => [
        nameInChain(port, head),
        stageOf(port.stage).outputs[port.name]!,
      ]),
    ),
    state: Object.fromEntries(
      stages.flatMap(({ id, state }) =>
        Object.entries(state).map(([name, spec]) => [nameInChain({ stage: id, name }, head), spec]),
      ),
    ),
    counts: stages.flatMap(({ counts = [] }) => counts),
    holdsBack: (states) => stages.some((one) => one.holdsBack?.(ownStates(one, head, states) as never) ?? false),
    pipeline: (context) => runAll(links, context),
  }) as AnyStage;
}

/** The pipeline of a chain. In order: an epoch end, and a tick, reaches a stage after what the one before has emitted for it. */
function runAll({ stages, inputs, inner, outputs }: ChainLinks, context: ChainContext): Observable<Emission> {
  const head = stages[0]!;
  const isOut = new Set(outputs.map((port) => nameInChain(port, head)));
  const { tallies = stages.map(newTally) } = context;
  const inside = timed(tallies);
  const handedOver = new Map<string, Subject<Frame>>();
  const handOver = ({ stage: id, name }: Port, frame: Frame): void => {
    const at = stages.findIndex((one) => one.id === id);
    tallies[at]!.messages++;
    tallies[at]!.rows += frame.rows;
    inside(at, () => handedOver.get(`${id}.${name}`)!.next(frame));
  };
  const run = (one: AnyStage, at: number): Observable<Emission> => {
    const out = Object.fromEntries(
      Object.keys(one.outputs).map((name) => [
        name,
        (frame: Frame, progress?: Progress): Emission => ({ output: name, frame, ...(progress && { progress }) }),
      ]),
    );
    const within = <T>(values: Observable<T>): Observable<T> =>
      at === 0 ? values : new Observable((to) => values.subscribe((value) => inside(at, () => to.next(value))));
    const feeds: Observable<never>[] = [];
    const ins = Object.keys(one.inputs).map((name) => {
      const given = inputs.find(({ to }) => to.some((port) => isPort(port, one, name)))?.name;
      if (at === 0) return [name, given === undefined ? NEVER : context.inputs[given]];
      const port = new Subject<Frame>();
      handedOver.set(`${one.id}.${name}`, port);
      if (given !== undefined) {
        const frames = context.inputs[given] as Observable<Frame>;
        feeds.push(
          frames.pipe(
            tap((frame) => handOver({ stage: one.id, name }, frame)),
            ignoreElements(),
          ),
        );
      }
      return [name, port];
    });
    const own = {
      ...context,
      ...{
        inputs: Object.fromEntries(ins) as typeof context.inputs,
        state: ownStates(one, head, context.state),
        out,
      },
      epochEnds: within(context.epochEnds),
      ticks: within(context.ticks),
      inputEnd: within(context.inputEnd),
    };
    const emissions = one.pipeline(own as never).pipe(
      mergeMap((emission) => {
        const { frame, output: name } = emission;
        const output = nameInChain({ stage: one.id, name }, head);
        const next = inner.filter(({ from }) => isPort(from, one, name));
        if (next.length > 0 || isOut.has(output)) tallies[at]!.rowsOut += frame.rows;
        if (frame.rows > 0) for (const { to } of next) handOver(to, frame);
        return isOut.has(output) ? [{ ...emission, output }] : [];
      }),
      catchError((error: unknown) => {
        throw new StageFailure(one.id, asError(error));
      }),
    );
    return merge(...feeds, emissions);
  };
  return merge(...stages.map(run));
}

const isPort = (port: Port, { id }: AnyStage, name: string): boolean => port.stage === id && port.name === name;

/** Runs work as that of one of the stages: its time counts as theirs, without that of stages which it hands over to. */
function timed(tallies: readonly Tally[]): (at: number, work: () => void) => void {
  let [current, sinceMs] = [0, 0];
  const turnTo = (next: number): void => {
    const nowMs = performance.now();
    tallies[current]!.ms += nowMs - sinceMs;
    [current, sinceMs] = [next, nowMs];
  };
  return (at, work) => {
    const before = current;
    turnTo(at);
    work();
    turnTo(before);
  };
}

/** The states of one of the stages, by its own names. */
const ownStates = (one: AnyStage, head: AnyStage, states: Context['state']): Context['state'] =>
  Object.fromEntries(Object.keys(one.state).map((name) => [name, states[nameInChain({ stage: one.id, name }, head)]!]));
