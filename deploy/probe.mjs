/**
 * Asks the node in this container how it is, for those who start and stop it. Ends with 0 for yes, 1 for no, and says why on stdout.
 *
 *   node probe.mjs ready    it serves: send it calls
 *   node probe.mjs alive    its event loop answers, whatever it says: a node that waits for NATS is to be left alone, one that hangs is to be ended
 *
 * A bare TCP connect would not tell: the kernel takes connections for a process that hangs. Reads RIVULET_HTTP_HOST, RIVULET_HTTP_PORT,
 * RIVULET_TLS_CERT_FILE, RIVULET_TLS_CLIENT_CA_FILE and RIVULET_DATA_DIR; what only a configuration file says it does not know.
 */
import { readFileSync } from 'node:fs';
import { request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { join } from 'node:path';

const TIMEOUT_MS = 4_000;

const { env } = process;
const [, , question] = process.argv;
if (question !== 'ready' && question !== 'alive') {
  console.error('usage: node probe.mjs ready|alive');
  process.exit(2);
}

const end = (yes, why) => {
  console.log(why);
  process.exit(yes ? 0 : 1);
};

/** Of clients that show a certificate this is none. What the node notes for `rivulet doctor` says the same. */
function noted() {
  const file = join(env.RIVULET_DATA_DIR || './.rivulet', 'health.json');
  try {
    const { serving, reasons } = JSON.parse(readFileSync(file, 'utf8'));
    end(serving, serving ? 'serving' : reasons.join('; '));
  } catch (error) {
    end(false, `${file} cannot be read: ${error.message}`);
  }
}

const everywhere = { '0.0.0.0': '127.0.0.1', '::': '::1' };
const named = env.RIVULET_HTTP_HOST || '127.0.0.1';
const options = {
  host: everywhere[named] ?? named,
  port: Number(env.RIVULET_HTTP_PORT || 8080),
  path: '/health',
  // It asks itself; a certificate is for the name that others know.
  rejectUnauthorized: false,
  timeout: TIMEOUT_MS,
};

if (question === 'ready' && env.RIVULET_TLS_CLIENT_CA_FILE) noted();
else {
  const asked = (env.RIVULET_TLS_CERT_FILE ? secure : plain)(options, (response) => {
    if (question === 'alive') end(true, `answers: ${response.statusCode}`);
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => (text += piece));
    response.on('end', () => end(response.statusCode === 200, `${response.statusCode} ${text}`));
  });
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  asked.on('error', (error) => {
    // It has read the request to refuse it: its loop runs.
    const isRefused = /^ERR_SSL_|^EPROTO$/.test(error.code ?? '');
    end(question === 'alive' && isRefused, error.message);
  });
  asked.end();
}
