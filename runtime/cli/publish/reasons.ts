const REASONS_MAX = 100;

/** Why records were refused: the first reasons, each once. */
export class Reasons<T> {
  readonly reported = new Set<T>();
  omitted = 0;

  add(reason: T): void {
    if (this.reported.has(reason)) return;
    if (this.reported.size < REASONS_MAX) this.reported.add(reason);
    else this.omitted++;
  }
}
