/** What happens to nodes at each step; and what ended by itself comes back, as an orchestrator would see to. */
import { reactionOf, RivuletError } from '../../runtime/contract/errors.js';
import { type ClusterNode, LEASE_MS } from './cluster-node.js';
import type { ClusterWorld } from './cluster-world.js';
import { Refused } from './world.js';

const REMEMBERED = 0.004;
const JUMP_MAX_MS = 2 * 3_600_000;
const JOINS_WITHIN_MS = 4 * LEASE_MS;

export class ClusterInjector {
  private readonly damageAtStep: number;
  private damaged = false;
  /** Nodes that are down, and come back when their time has come. */
  private readonly down = new Set<ClusterNode>();
  /** What ends by itself, unless the faults end first. */
  private readonly mending = new Set<() => void>();

  constructor(private readonly world: ClusterWorld) {
    this.damageAtStep = Math.floor(world.job.steps * (0.2 + 0.7 * world.schedule.random()));
  }

  get done(): boolean {
    return this.down.size === 0;
  }

  begin(): void {
    const [first, ...others] = this.world.nodes;
    first!.start();
    for (const node of others) this.comesBack(node, JOINS_WITHIN_MS);
  }

  step(): void {
    const { world } = this;
    const { schedule, faults } = world;
    this.revive();
    if (world.calm) return;
    const { step } = faults;
    if (faults.damage && schedule.step >= this.damageAtStep) this.damage();
    const up = world.nodes.filter(({ process }) => process !== undefined && process.leaving === undefined);
    if (up.length === 0) return;
    if (schedule.chance(REMEMBERED)) schedule.pick(up).remember();
    if (schedule.chance(step.kill)) this.kill(schedule.pick(up));
    else if (schedule.chance(step.leave)) this.leave(schedule.pick(up));
    else if (schedule.chance(step.stop)) this.stop(schedule.pick(up));
    else if (schedule.chance(step.cutOff)) this.cutOff(schedule.pick(up));
    else if (schedule.chance(step.diskFull)) this.fill(schedule.pick(up));
    if (schedule.chance(step.serverRestart)) this.restartServer();
    if (schedule.chance(step.clockJump)) this.jump(schedule.pick(up));
  }

  /** The faults are over. */
  mend(): void {
    for (const end of this.mending) end();
    this.mending.clear();
    for (const node of this.world.nodes) node.diskFull = false;
  }

  private count(fault: string, node: ClusterNode): void {
    this.world.count(fault);
    this.world.schedule.note(() => `fault: ${fault} of ${node.id}`);
  }

  /** Some time within the next leases. */
  private during(leases: number, begin: () => void, end: () => void): void {
    const { schedule } = this.world;
    begin();
    const ends = (): void => {
      if (this.mending.delete(ends)) end();
    };
    this.mending.add(ends);
    void schedule.clock.sleep(schedule.random() * leases * LEASE_MS).then(ends);
  }

  private kill(node: ClusterNode): void {
    this.count('kill', node);
    node.kill();
    const { schedule } = this.world;
    if (schedule.chance(0.25)) {
      this.count('oldDisk', node);
      node.putBackOldDisks();
    } else if (schedule.chance(0.25)) {
      this.count('emptyDisk', node);
      node.wipe();
    }
    this.comesBack(node, 3 * LEASE_MS);
  }

  private leave(node: ClusterNode): void {
    this.count('leave', node);
    void node.process!.leave();
  }

  private stop(node: ClusterNode): void {
    if (node.isStopped) return;
    this.count('stop', node);
    this.during(
      4,
      () => node.stop(),
      () => {
        this.world.schedule.note(() => `${node.id} goes on`);
        node.resume();
      },
    );
  }

  private cutOff(node: ClusterNode): void {
    if (node.cutOff) return;
    this.count('cutOff', node);
    this.during(
      4,
      () => (node.cutOff = true),
      () => (node.cutOff = false),
    );
  }

  private fill(node: ClusterNode): void {
    this.count('diskFull', node);
    node.diskFull = true;
  }

  private restartServer(): void {
    this.world.count('serverRestart');
    this.world.schedule.note(() => 'the log server restarts');
    this.world.server.restart();
  }

  private jump(node: ClusterNode): void {
    this.count('clockJump', node);
    node.offsetMs = (this.world.schedule.random() * 2 - 1) * JUMP_MAX_MS;
  }

  /** One object, behind its digest. */
  private damage(): void {
    const { schedule, objects } = this.world;
    if (this.damaged) return;
    const names = objects.namesNow();
    if (names.length === 0) return;
    this.damaged = true;
    const name = schedule.pick(names);
    this.world.count('damage');
    schedule.note(() => `${name} is damaged`);
    objects.damage(name);
  }

  private comesBack(node: ClusterNode, withinMs: number): void {
    const { schedule } = this.world;
    this.down.add(node);
    void schedule.clock.sleep(schedule.random() * withinMs).then(() => {
      this.down.delete(node);
      node.diskFull = false;
      node.start();
    });
  }

  private revive(): void {
    for (const node of this.world.nodes) {
      const { process } = node;
      if (process === undefined) {
        if (!this.down.has(node)) this.comesBack(node, LEASE_MS);
      } else if (process.failure !== undefined && process.leaving === undefined) {
        this.mustBeExpected(process.failure, process.cluster === undefined);
        if (this.world.schedule.chance(0.5)) void process.leave();
        else node.kill();
      }
    }
  }

  /** What may end a node, and when. */
  private mustBeExpected(failure: Error, joining: boolean): void {
    const code = failure instanceof RivuletError ? failure.code : undefined;
    if (code === 'OBJECT_DAMAGED' && this.damaged) throw new Refused(failure as RivuletError);
    if (code === 'STATE_WRITE') return;
    // Who starts while the log is unreachable says so, and is started again.
    if (joining && reactionOf(failure) === 'transient') return;
    throw failure;
  }
}
