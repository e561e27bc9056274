#!/usr/bin/env node
/** The `rivulet` command. */
import * as module from 'node:module';

// From Node 22.1 on what was compiled once is kept: a start, of threads too, is some tenths of a second of CPU shorter.
if ('enableCompileCache' in module) (module.enableCompileCache as () => unknown)();
const { run } = await import('./program.js');

// `rivulet dlq ls | head` closes our output early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const code = await run(process.argv.slice(2));
// Where writes to a pipe are asynchronous, the last ones must be through before the end.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit(code);
