/**
 * experiment: which arm of an experiment a user is in, without state; and whether arms differ.
 *
 *   arm(u)   the first arm whose shares, with those before it, add up to more than hash(name, u)        hash in [0, 100)
 *
 *   rate r = Σ c(u) / Σ n(u)        n(u)  items shown to user u, c(u) those that u then did something with
 *   var r = Σ (c(u) − r n(u))² / (Σ n(u))²                        by users, since what is shown to one user is not independent
 *   Λ = √(V / (V + τ²)) · exp(τ² d² / (2 V (V + τ²)))             d = r − r₀, V = var r + var r₀, r₀ of the first arm
 *   p = min(1, 1 / Λ)
 *
 * p is valid whenever one looks, so that an experiment may be ended as soon as it is small (mixture sequential probability ratio test: Johari, Pekelis and
 * Walsh 2017). Sums follow from sums, so an event costs nothing but additions.
 */
import { partitionOf } from '../../runtime/contract/stage.js';

export interface Arm<S = string> {
  readonly name: string;
  readonly strategy: S;
  /** Of users, in percent. */
  readonly percent: number;
}

export interface Experiment<S = string> {
  readonly name: string;
  /** The first one is what others are compared with. */
  readonly arms: readonly Arm<S>[];
}

const BUCKETS = 10_000;
/** A difference that is worth finding. */
const TAU = 0.01;
/** Fewer users say nothing of how they differ. */
const USERS_MIN = 30;

export function armOf<S>({ name, arms }: Experiment<S>, user: string): Arm<S> {
  const place = (partitionOf(`${name}\n${user}`, BUCKETS) * 100) / BUCKETS;
  let before = 0;
  return arms.find(({ percent }) => (before += percent) > place) ?? arms.at(-1)!;
}

/** Of an arm, so far. */
export interface ArmSums {
  readonly users: number;
  /** Σ n, Σ c, Σ n², Σ n c, Σ c² */
  readonly shown: number;
  readonly followed: number;
  readonly shownSquared: number;
  readonly both: number;
  readonly followedSquared: number;
  /** Events of users to whom something was shown lately, and those of an item that was. */
  readonly judged: number;
  readonly hits: number;
}

export const NO_SUMS: ArmSums = {
  ...{ users: 0, shown: 0, followed: 0, shownSquared: 0, both: 0, followedSquared: 0, judged: 0, hits: 0 },
};

/** A user to whom `shown` items were shown, of which the user followed `followed`. */
export interface OfUser {
  readonly shown: number;
  readonly followed: number;
}

/** The sums after a user's counts have changed. */
export function withUser(sums: ArmSums, before: OfUser, after: OfUser): ArmSums {
  return {
    ...sums,
    users: sums.users + Number(before.shown === 0),
    shown: sums.shown + after.shown - before.shown,
    followed: sums.followed + after.followed - before.followed,
    shownSquared: sums.shownSquared + after.shown ** 2 - before.shown ** 2,
    both: sums.both + after.shown * after.followed - before.shown * before.followed,
    followedSquared: sums.followedSquared + after.followed ** 2 - before.followed ** 2,
  };
}

/** NaN before anything was shown. */
export const followRate = ({ followed, shown }: ArmSums): number => followed / shown;

function variance(sums: ArmSums): number {
  const rate = followRate(sums);
  return (sums.followedSquared - 2 * rate * sums.both + rate ** 2 * sums.shownSquared) / sums.shown ** 2;
}

/** Whether the rate of an arm differs from that of the first; 1 where too little is known. */
export function alwaysValidP(arm: ArmSums, first: ArmSums): number {
  if (Math.min(arm.users, first.users) < USERS_MIN) return 1;
  const v = variance(arm) + variance(first);
  if (!(v > 0)) return 1;
  const difference = followRate(arm) - followRate(first);
  const mixed = v + TAU ** 2;
  return Math.min(1, Math.sqrt(mixed / v) * Math.exp((-(TAU ** 2) * difference ** 2) / (2 * v * mixed)));
}
