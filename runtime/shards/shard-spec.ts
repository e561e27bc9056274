/** A shard, the unit of placement: the instances of one partition whose stages share a store. */
export interface ShardSpec {
  /** `<kind>-<partition>`; names the store. */
  readonly name: string;
  readonly partition: number;
  readonly stages: readonly string[];
  /** Runs on every node: a view, which only reads. */
  readonly everywhere?: boolean;
}
