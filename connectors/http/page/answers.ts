/** Types of the server's responses, as far as the page reads them. Times are ISO-8601 text in UTC; unknown values are absent. */

type ListedItem = {
  readonly rank: number;
  readonly item_id: string;
  readonly title?: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
  readonly score: number;
};

export type RecommendedItem = ListedItem & {
  readonly type: string;
  readonly reason?: string;
  readonly contributions?: readonly { readonly source: string; readonly share: number }[];
};

export type SimilarItems = { readonly items: readonly ListedItem[] };

export type ExperimentArm = {
  readonly arm: string;
  readonly strategy: string;
  readonly percent: number;
  readonly users: number;
  readonly impressions: number;
  readonly clicks: number;
  readonly click_through_rate: number | null;
  readonly hit_rate: number | null;
  readonly p_value: number | null;
};

export type Ranking = {
  readonly judged: number;
  readonly models: readonly { readonly model: string; readonly hit_rate: number }[];
  readonly weights: readonly { readonly feature: string; readonly weight: number }[];
  readonly experiment: { readonly name: string; readonly arms: readonly ExperimentArm[] } | null;
};

export type Recommendations = {
  readonly user_id: string;
  readonly is_random: boolean;
  readonly count: number;
  readonly as_of?: string;
  readonly stale?: boolean;
  readonly model?: string;
  readonly arm?: string;
  readonly items: readonly RecommendedItem[];
};

export type TrendingItem = ListedItem & {
  readonly views?: number;
  readonly clicks?: number;
  readonly velocity?: number;
};

type TrendingHead = {
  readonly revision: number;
  readonly as_of?: string;
  readonly window_start?: string;
  readonly window_end?: string;
};

export type TrendingSnapshot = TrendingHead & { readonly items: readonly TrendingItem[] };

export type TrendingDelta = TrendingHead & {
  readonly from_revision: number;
  readonly entered?: readonly TrendingItem[];
  readonly moved?: readonly TrendingItem[];
  readonly left?: readonly string[];
};

export type TrendingHeartbeat = { readonly revision: number; readonly as_of?: string };

export type PartitionState = 'restoring' | 'running' | 'backoff' | 'stopped' | 'failed';

export type StagePartition = {
  readonly partition: number;
  readonly state: PartitionState;
  readonly messages_in: number;
  readonly rows_out: number;
  readonly busy_seconds: number;
  readonly lag_messages?: number;
  readonly lag_seconds?: number;
  readonly watermark?: string;
  readonly restarts: number;
  readonly last_error?: string;
  readonly state_keys: number;
  readonly snapshots: number;
  readonly snapshot_seconds: number;
  readonly snapshot_bytes: number;
};

export type StageStatus = { readonly stage: string; readonly partitions: readonly StagePartition[] };

export type TopologyEdge = { readonly from: string; readonly to: string; readonly label?: string };

export type SupervisedChild = {
  readonly name: string;
  readonly state: PartitionState;
  readonly since?: string;
  readonly restarts: number;
  readonly last_error?: string;
};

export type SupervisedShard = SupervisedChild & { readonly instances: readonly SupervisedChild[] };

export type SupervisedTop = SupervisedChild & {
  readonly level: 'server' | 'thread';
  readonly shards: readonly SupervisedShard[];
};

export type Status = {
  readonly version: string;
  /** What the items are. */
  readonly subject: 'items' | 'films';
  readonly node: string;
  readonly now: string;
  readonly started_at: string;
  readonly serving: boolean;
  readonly reasons?: readonly string[];
  readonly as_of?: string;
  readonly edges: readonly TopologyEdge[];
  /** Stages that run as one. */
  readonly chains: readonly (readonly string[])[];
  readonly stages: readonly StageStatus[];
  readonly supervision: readonly SupervisedTop[];
  readonly counters: {
    readonly events: number;
    readonly on_time: number;
    readonly late: number;
    readonly dead_letter: number;
    readonly duplicates: number;
  };
  readonly latency: { readonly p50_seconds?: number; readonly p99_seconds?: number; readonly count: number };
  readonly requests: { readonly http_total: number; readonly grpc_total: number };
  /** Of the last five minutes. */
  readonly answers: { readonly count: number; readonly fallback: number; readonly empty: number };
};

/** The stages that run as one with this one, itself among them; absent: it runs alone. */
export const chainOf = ({ chains }: Status, stage: string): readonly string[] | undefined =>
  chains.find((one) => one.includes(stage));

export type DeadLetter = {
  readonly id: string;
  readonly stage: string;
  readonly rule: string;
  readonly field?: string;
  readonly reason: string;
  readonly subject?: string;
  readonly sequence?: number;
  readonly file?: string;
  readonly line?: number;
  readonly index?: number;
  readonly stored_at: string;
  readonly retried_at?: string;
  readonly original?: string;
  readonly original_base64?: string;
  readonly original_bytes?: number;
  /** URL of the full original, when this is only the beginning. */
  readonly original_url?: string;
};

export type LateEvent = {
  readonly id: string;
  readonly user_id?: string;
  readonly item_id?: string;
  readonly event_type?: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
  readonly window_start?: string;
  readonly window_end?: string;
  readonly stored_at: string;
};

export type Page<T> = { readonly count: number; readonly items: readonly T[]; readonly next_cursor?: string };

export type Problem = {
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly reason?: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
  readonly retry_after_seconds?: number;
};
