#!/usr/bin/env node
/** The `rivulet` command. */
import * as module from 'node:module';

// From Node 22.1 on compiled code is cached: this saves some tenths of a second of CPU per start, of threads too.
if ('enableCompileCache' in module) (module.enableCompileCache as () => unknown)();
const { run } = await import('./program.js');

// `rivulet dlq ls | head` closes the output early, which is not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const code = await run(process.argv.slice(2));
// Where writes to a pipe are asynchronous, the last ones must finish before the exit.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit(code);
