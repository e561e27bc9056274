/** A value shared by parts of the page: components that use it are rendered again when it changes. */
import { useEffect, useState } from 'preact/hooks';

export class SharedValue<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (Object.is(value, this.current)) return;
    this.current = value;
    for (const listener of [...this.listeners]) listener();
  }

  /** Returns the function that unsubscribes. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}

export function useSharedValue<T>(cell: SharedValue<T>): T {
  const [, draw] = useState(0);
  useEffect(() => {
    const drawn = cell.value;
    const stop = cell.listen(() => draw((count) => count + 1));
    // It may have changed between the rendering and this effect.
    if (!Object.is(drawn, cell.value)) draw((count) => count + 1);
    return stop;
  }, [cell]);
  return cell.value;
}
