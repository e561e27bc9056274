/** What moves as one: the instances with one number of the stages that share a store. */
export interface ShardSpec {
  /** `<kind>-<partition>`; names the store. */
  readonly name: string;
  readonly partition: number;
  readonly stages: readonly string[];
  /** Runs on every node: a view, which only reads. */
  readonly everywhere?: boolean;
}
