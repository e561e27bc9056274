/** A tracer for a child process, by `NODE_OPTIONS=--require`: each span is a line of JSON in the file that SPANS_FILE names. */
const { appendFileSync } = require('node:fs');
const { threadId } = require('node:worker_threads');
const { trace } = require('@opentelemetry/api');
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const exporter = {
  export(spans, done) {
    for (const span of spans) {
      const { name, kind, attributes } = span;
      const { traceId, spanId } = span.spanContext();
      const parent = span.parentSpanContext?.spanId;
      const linked = span.links.map(({ context }) => context.spanId);
      const line = { name, kind, traceId, spanId, parent, linked, attributes, threadId };
      appendFileSync(process.env.SPANS_FILE, `${JSON.stringify(line)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: () => Promise.resolve(),
};
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
