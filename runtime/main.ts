#!/usr/bin/env node
/** The `rivulet` command. */
import { run } from './cli/program.js';

// `rivulet dlq ls | head` closes our output early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const code = await run(process.argv.slice(2));
// Where writes to a pipe are asynchronous, the last ones must be through before the end.
await new Promise((resolve) => process.stdout.write('', resolve));
process.exit(code);
