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
import { merge, mergeMap, NEVER, type Observable, Subject } from 'rxjs';
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

/** Of a stage of a chain, in the chain: the first has the names that it has alone. */
export const nameInChain = (of: Port, head: AnyStage): string =>
  of.stage === head.id ? of.name : `${of.stage}.${of.name}`;

/** The stages that run as this one: itself, if it is no chain. */
export const stagesIn = (one: AnyStage): readonly AnyStage[] => one.chain ?? [one];

/** The one that runs a stage: itself, or its chain. */
export const hostOf = ({ stages }: Pick<Topology, 'stages'>, id: string): AnyStage =>
  stages.find((one) => stagesIn(one).some((stage) => stage.id === id))!;

/** Whose counter it is: that of the stage that declares it; what none declares is the first one's. */
export const counterOf = (host: AnyStage, counter: Counter): string =>
  (stagesIn(host).find(({ counts }) => counts?.includes(counter)) ?? host).id;

export function chain({ stages, inputs, inner, outputs }: ChainLinks): AnyStage {
  const head = stages[0]!;
  const stageOf = (id: string): AnyStage => stages.find((one) => one.id === id)!;
  const isOut = new Set(outputs.map((port) => nameInChain(port, head)));
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
    pipeline: (context) => {
      const handedOver = new Map<string, Subject<Frame>>();
      const portOf = (id: string, name: string): string => `${id}.${name}`;
      for (const { to } of inner) handedOver.set(portOf(to.stage, to.name), new Subject());
      const inputsOf = ({ id, inputs: own }: AnyStage) =>
        Object.fromEntries(
          Object.keys(own).map((name) => {
            const of = inputs.find(({ to }) => to.some((port) => port.stage === id && port.name === name));
            return [name, of === undefined ? (handedOver.get(portOf(id, name)) ?? NEVER) : context.inputs[of.name]];
          }),
        );
      const run = (one: AnyStage): Observable<Emission> => {
        const out = Object.fromEntries(
          Object.keys(one.outputs).map((name) => [
            name,
            (frame: Frame, progress?: Progress): Emission => ({ output: name, frame, ...(progress && { progress }) }),
          ]),
        );
        const state = ownStates(one, head, context.state);
        return one.pipeline({ ...context, inputs: inputsOf(one), state, out } as never).pipe(
          mergeMap((emission) => {
            if (emission.frame.rows > 0) {
              for (const { from, to } of inner) {
                if (from.stage === one.id && from.name === emission.output)
                  handedOver.get(portOf(to.stage, to.name))!.next(emission.frame);
              }
            }
            const output = nameInChain({ stage: one.id, name: emission.output }, head);
            return isOut.has(output) ? [{ ...emission, output }] : [];
          }),
        );
      };
      // In order: an epoch end, and a tick, reaches a stage after what the one before has emitted for it.
      return merge(...stages.map(run));
    },
  }) as AnyStage;
}

/** The states of one of the stages, by its own names. */
const ownStates = (one: AnyStage, head: AnyStage, states: Context['state']): Context['state'] =>
  Object.fromEntries(Object.keys(one.state).map((name) => [name, states[nameInChain({ stage: one.id, name }, head)]!]));
