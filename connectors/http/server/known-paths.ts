/** Which methods a path has: who asks with another one is told them (405), which routers do not. */
export class KnownPaths {
  private readonly patterns = new Map<string, { readonly shape: RegExp; readonly methods: Set<string> }>();

  /** `url`: as Fastify has it, `/items/:id` or `/ui/*`. */
  add(method: string | readonly string[], url: string): void {
    // Preflights, of any path: there is nothing at it.
    if (url === '*') return;
    let known = this.patterns.get(url);
    if (known === undefined) {
      const parts = url.split(/(:\w+|\*)/).map((part) => {
        if (part.startsWith(':')) return '[^/]+';
        return part === '*' ? '.*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
      });
      known = { shape: new RegExp(`^${parts.join('')}/?$`), methods: new Set() };
      this.patterns.set(url, known);
    }
    for (const one of [method].flat()) known.methods.add(one);
  }

  methodsOf(path: string): readonly string[] {
    const found = new Set<string>();
    for (const { shape, methods } of this.patterns.values()) {
      if (shape.test(path)) for (const method of methods) found.add(method);
    }
    return [...found].sort();
  }
}
