/** grpcurl and ghz, which know nothing but the address and ask server reflection for the rest. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { facade } from '../connectors/grpc/facade.js';
import { type FoundTool, GHZ, goTool, GRPCURL } from '../support/go-tools.js';
import { type Missing, skipped } from '../support/requirements.js';

const SERVICES = ['grpc.health.v1.Health', 'rivulet.v1.EventService', 'rivulet.v1.RecommendationService'];
const run = promisify(execFile);

const [grpcurlTool, ghzTool] = [await goTool(GRPCURL), await goTool(GHZ)];
const why = (tool: FoundTool): Missing => ('missing' in tool ? tool.missing : undefined);

describe.skipIf('missing' in grpcurlTool)(`grpcurl${skipped(why(grpcurlTool))}`, () => {
  const command = 'command' in grpcurlTool ? grpcurlTool.command : '';
  const grpcurl = async (...args: string[]): Promise<string> => (await run(command, ['-plaintext', ...args])).stdout;

  it('lists and describes', async () => {
    const { address } = await facade();
    expect((await grpcurl(address, 'list')).trim().split('\n')).toEqual(SERVICES);
    expect(await grpcurl(address, 'describe', 'rivulet.v1.RecommendedItem')).toContain('optional string title = 7;');
    expect(await grpcurl(address, 'describe', 'google.rpc.ErrorInfo')).toContain('map<string, string> metadata = 3;');
    for (const symbol of [...SERVICES, 'rivulet.v1.Event', 'google.rpc.Status']) {
      expect(await grpcurl(address, 'describe', symbol)).toContain(`${symbol} is a`);
    }
  });

  it('calls, knowing nothing but the address', async () => {
    const { address, server } = await facade();
    server.setServing(true);
    const answer = await grpcurl(
      '-d',
      '{"user_id": "512", "limit": 1}',
      address,
      'rivulet.v1.RecommendationService/GetRecommendations',
    );
    expect(JSON.parse(answer)).toMatchObject({
      userId: '512',
      items: [{ itemId: '1004856', rank: 1, score: 12.5 }],
      asOf: '2019-10-01T00:05:00.250Z',
    });
    const event =
      '{"user_id": "512", "item_id": "1", "event_type": "EVENT_TYPE_VIEW", "event_time": "2019-10-01T00:00:00Z"}';
    const summary = await grpcurl(
      '-d',
      `{"events": [${event}]} {"events": [{}]}`,
      address,
      'rivulet.v1.EventService/PublishEvents',
    );
    expect(JSON.parse(summary)).toMatchObject({
      accepted: '1',
      rejected: '1',
      errors: [{ index: '1', field: 'event_type' }],
    });
    expect(JSON.parse(await grpcurl(address, 'grpc.health.v1.Health/Check'))).toEqual({ status: 'SERVING' });
  });

  it('shows the details of an error', async () => {
    const { address } = await facade();
    const call = grpcurl('-d', '{"limit": 101}', address, 'rivulet.v1.RecommendationService/GetRecommendations');
    const { stderr } = await call.then(
      () => expect.unreachable(),
      (error: unknown) => error as { stderr: string },
    );
    expect(stderr).toContain('InvalidArgument');
    expect(stderr).toContain('"@type": "type.googleapis.com/google.rpc.BadRequest"');
    expect(stderr).toContain('"field": "user_id"');
    expect(stderr).toContain('"field": "limit"');
  });
});

describe.skipIf('missing' in ghzTool)(`ghz${skipped(why(ghzTool))}`, () => {
  const command = 'command' in ghzTool ? ghzTool.command : '';

  it('calls a thousand times, knowing nothing but the address', async () => {
    const { address, server } = await facade();
    server.setServing(true);
    const load = ['--total', '1000', '--concurrency', '20', '--connections', '2', '--format', 'json'];
    const call = ['--call', 'rivulet.v1.RecommendationService/GetRecommendations', '--data', '{"user_id": "512"}'];
    const report = JSON.parse((await run(command, ['--insecure', ...load, ...call, address])).stdout);
    expect(report).toMatchObject({ count: 1000, statusCodeDistribution: { OK: 1000 } });
  });
});
