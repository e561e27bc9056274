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
      'a shard that was being closed while it took in a newer copy ended its node, since the copies did not answer',
  },
  { job: 'cluster', seed: 2, reason: 'a node ended because the tables were away for a moment' },
  {
    job: 'live-interval',
    seed: 2_002_005,
    reason: 'the simulation drained while a source had not ticked since it had started: its last epoch never ended',
  },
  {
    job: 'toy-live',
    seed: 3_000_824,
    reason: 'an answer that a dead instance had under way arrived when the repair had been planned without it',
  },
  {
    job: 'toy-live',
    seed: 3_001_802,
    reason:
      'what was lost unread under nodes that ran on, its writer having nothing more to say, was waited for without an end',
  },
  {
    job: 'toy-bounded',
    seed: 3_004_308,
    reason: 'the same, where the sink waited',
  },
  {
    job: 'toy-live',
    seed: 2_002_438,
    reason: 'a claim that was lost unread counted as an input: claims are not said again as answers are',
  },
  {
    job: 'toy-bounded',
    seed: 3_003_807,
    reason: 'what stood before the end that was cut off had been trimmed: said again it counted as said twice',
  },
  {
    job: 'toy-bounded',
    seed: 2_003_929,
    reason: 'the same, trimmed by a sink that did not know of the cut',
  },
  {
    job: 'bounded',
    seed: 6_003_735,
    reason: 'what was on its way to several destinations was held against the bound of one, while its actor restarted',
  },
  {
    job: 'toy-bounded',
    seed: 6_002_449,
    reason:
      'an owner without state began a purged line anew, and the one with the snapshot went on behind it: answers between were never said',
  },
  {
    job: 'toy-bounded',
    seed: 108_992_466,
    reason:
      'a writer’s first message was lost unread: refused, but for a snapshot that was cut before the second and behind one of another writer',
  },
  {
    job: 'toy-live',
    seed: 9_200_323,
    reason:
      'a mailbox that was trimmed without a record, since no copies are made, was replayed from its start: publishers’ messages show no gap',
  },
  {
    job: 'live-interval',
    seed: 22,
    reason:
      'of two partitions that write to the history one went on where the log had gone back and the other had written since',
  },
];
