import { it } from 'vitest';
import { connectNats } from '../../../connectors/nats/connect.js';
import { openNatsLog } from '../../../connectors/nats/log.js';
import { startTestNats } from '../../support/nats.js';
import { RivuletError } from '../../../runtime/errors.js';
it('x', { timeout: 200_000 }, async () => {
  const t0 = performance.now();
  const say = (...a: unknown[]) => console.log(((performance.now() - t0) / 1000).toFixed(2), ...a);
  const server = await startTestNats({ onEvent: (e) => say('server', e) });
  const nc = await connectNats({ url: server.url }, 'x');
  void (async () => { for await (const s of nc.status()) say('conn', s.type); })();
  const log = await openNatsLog(nc);
  await log.ensureStream({ name: 'S', subjects: ['s.>'], bytesMax: 1e8, dropsOldest: false, replicas: 1 });
  const reader = await log.read('S', { filters: ['s.>'], from: 1 });
  let got = 0; let done = false;
  void (async () => { while (!done) { const m = await reader.take(100); if (m.length === 0) break; got += m.length; say('got', got); } })().catch((e) => say('reader', e));
  await log.publish('s.a', new Uint8Array(1));
  await new Promise((r) => setTimeout(r, 500));
  say('kill'); process.kill(server.pid, 'SIGKILL');
  for (let i = 0; i < 1000 && got < 3; i++) {
    try { const s = await log.publish('s.a', new Uint8Array(1)); say('published', s); await new Promise((r) => setTimeout(r, 1000)); } catch (e) { say('publish', (e as RivuletError).code); await new Promise((r) => setTimeout(r, 50)); }
  }
  done = true; await reader.close(); await log.close(); await server.stop();
});
