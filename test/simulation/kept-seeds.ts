/** Seeds that once failed, each with what was wrong. They stay, although a change of the simulation makes other runs of them. */
export interface KeptSeed {
  readonly job: string;
  readonly seed: number;
  readonly lie?: 'none';
  readonly reason: string;
}

export const KEPT_SEEDS: readonly KeptSeed[] = [
  {
    job: 'toy-live',
    seed: 23,
    reason: 'an owner went on although what it had said to a topic was gone (no `said` in the snapshot)',
  },
  { job: 'toy-live', seed: 34, reason: 'the same, in a ledger, whose subjects may lose their last message by right' },
  { job: 'live', seed: 6, lie: 'none', reason: 'a clock that went back by hours held frames up for hours' },
  {
    job: 'cluster',
    seed: 334,
    reason:
      'another owner trimmed publishers’ messages before they were read: they were missing from the state, unheard',
  },
  {
    job: 'cluster',
    seed: 1023,
    reason: 'what a dead process had under way made its successor believe that it was twice',
  },
  { job: 'cluster', seed: 14, reason: 'a damaged copy ended in a bug, not in OBJECT_DAMAGED' },
  {
    job: 'cluster',
    seed: 600_045,
    reason:
      'a unit that was being closed while it took in a newer copy ended its node, since the copies did not answer',
  },
  { job: 'cluster', seed: 2, reason: 'a node ended because the tables were away for a moment' },
];
