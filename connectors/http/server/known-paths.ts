/** The methods of each path: an unsupported one is answered with 405, which routers do not do. */
export class KnownPaths {
  private readonly patterns = new Map<string, { readonly shape: RegExp; readonly methods: Set<string> }>();

  /** `url`: in Fastify's form, `/items/:id` or `/ui/*`. */
  add(method: string | readonly string[], url: string): void {
    // Preflight requests of any path: not a resource.
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
