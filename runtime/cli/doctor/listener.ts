/** Doctor: detects what listens on a port. A node is identified by its health, which is open to all clients, whatever is expected there. */
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { ChannelCredentials, Client, type ServiceError, status as Code } from '@grpc/grpc-js';
import { z } from 'zod';
import { authorityOf, type Address } from '../../../connectors/facade/address.js';
import { serviceDefinition } from '../../../connectors/grpc/server/service-definition.js';
import { healthAnswer } from '../../../connectors/http/routes/health-report.js';
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../../proto/gen/grpc/health/v1/health_pb.js';
import { EventService } from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import { asError } from '../../contract/errors.js';
import { type Certificate, connectTls } from './tls.js';
import { harmless, shortened } from '../terminal.js';

const ANSWER_MS_MAX = 3_000;
const BODY_CHARACTERS_MAX = 4 * 2 ** 20;
const SAID_CHARACTERS_MAX = 120;

/** The used fields of GET /health; a node of another version may omit some, or add others. */
const healthReport = z.object({
  status: healthAnswer.shape.status,
  version: z.string().optional().catch(undefined),
  reasons: z.array(z.string()).catch([]),
  dependencies: z
    .object({ nats: z.object({ status: z.string(), url: z.string() }) })
    .optional()
    .catch(undefined),
});
/** Possibly a node that is newer than this doctor. */
const someStatus = z.object({ status: z.string() });

export type HealthReport = z.output<typeof healthReport>;
export type ServingStatusName = keyof typeof Serving;

/** `certificate`: present with TLS. */
export type Listener =
  | { readonly kind: 'http'; readonly certificate: Certificate | undefined; readonly health: HealthReport }
  | {
      readonly kind: 'grpc';
      readonly certificate: Certificate | undefined;
      readonly node: ServingStatusName;
      readonly events: ServingStatusName;
    }
  | { readonly kind: 'nats' }
  /** Nothing accepts connections there. */
  | { readonly kind: 'nobody'; readonly saw: string }
  /** Not a response of a node. */
  | { readonly kind: 'other'; readonly saw: string }
  /** May be a node or something else. */
  | { readonly kind: 'unknown'; readonly saw: string; readonly tls?: { readonly certificate?: Certificate } };

export async function listenerAt(place: Address): Promise<Listener> {
  const first = await firstWords(place);
  if (first.kind === 'nobody') return first;
  if (first.kind === 'silent') return { kind: 'unknown', saw: `it says nothing for ${ANSWER_MS_MAX / 1000} s` };
  if (first.kind === 'closed')
    return (await tlsAt(place)) ?? { kind: 'unknown', saw: 'it closes each connection without a word' };
  const plain = await plainAt(place, first.words);
  // To a client without TLS, a TLS listener responds with a TLS alert, or with a bad request.
  return plain ?? (await tlsAt(place)) ?? { kind: 'other', saw: `it says ${quoted(first.words.toString('latin1'))}` };
}

async function plainAt(place: Address, words: Buffer): Promise<Listener | undefined> {
  switch (protocolOf(words)) {
    case 'nats':
      return { kind: 'nats' };
    case 'http':
      return (BAD_REQUEST.test(words.toString('latin1')) ? await tlsAt(place) : undefined) ?? httpAt(place, false);
    case 'http2':
      return grpcAt(place, undefined);
    case 'tls':
      return undefined;
    case 'other':
      return { kind: 'other', saw: `it says ${quoted(words.toString('latin1'))}` };
  }
}

const BAD_REQUEST = /^HTTP\/\S+ 400/;

/** The listener over TLS; `undefined` if there is none. */
async function tlsAt(place: Address): Promise<Listener | undefined> {
  const tls = await connectTls(place, ['h2', 'http/1.1'], ANSWER_MS_MAX);
  if ('error' in tls) {
    if (!tls.speaksTls) return undefined;
    return { kind: 'unknown', saw: `it speaks TLS, and breaks off: ${tls.error}`, tls: {} };
  }
  tls.socket.destroy();
  return tls.socket.alpnProtocol === 'h2' ? grpcAt(place, tls.certificate) : httpAt(place, true);
}

/** The first bytes in response to GET /health over HTTP/1.1: each protocol has its own greeting or refusal. */
function firstWords(place: Address): Promise<FirstWords> {
  return new Promise((answer) => {
    let words = Buffer.alloc(0);
    let isConnected = false;
    const socket: Socket = connect(place, () => {
      isConnected = true;
      socket.write(`GET /health HTTP/1.1\r\nhost: ${place.host}\r\nconnection: close\r\n\r\n`);
    });
    const end = (kind: 'closed' | 'silent', saw: string): void => {
      if (!isConnected) answer({ kind: 'nobody', saw });
      else answer(words.length > 0 ? { kind: 'words', words } : { kind });
      socket.destroy();
    };
    socket.setTimeout(ANSWER_MS_MAX, () => end('silent', `no answer within ${ANSWER_MS_MAX / 1000} s`));
    socket.on('error', (error) => end('closed', error.message));
    socket.once('close', () => end('closed', 'it closes the connection'));
    socket.on('data', (more) => {
      words = Buffer.concat([words, more]);
      if (words.length < FIRST_BYTES_MIN) return;
      answer({ kind: 'words', words });
      socket.destroy();
    });
  });
}

type FirstWords =
  | { readonly kind: 'words'; readonly words: Buffer }
  | { readonly kind: 'closed' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'nobody'; readonly saw: string };

/** The longest prefix that identifies a protocol: `HTTP/1.1 400`. */
const FIRST_BYTES_MIN = 12;

function protocolOf(words: Buffer): 'http' | 'http2' | 'nats' | 'tls' | 'other' {
  const text = words.toString('latin1', 0, 5);
  if (text === 'HTTP/') return 'http';
  if (text === 'INFO ') return 'nats';
  // A TLS alert; SETTINGS of stream 0, the first frame of HTTP/2.
  if (words[0] === 21 && words[1] === 3) return 'tls';
  return words.length >= 9 && words[3] === 4 && words.readUInt32BE(5) === 0 ? 'http2' : 'other';
}

async function httpAt(place: Address, secure: boolean): Promise<Listener> {
  const answer = await asked(place, '/health', { secure });
  if ('error' in answer) return { kind: 'unknown', saw: `it speaks HTTP, and breaks off: ${answer.error}` };
  const health = healthReport.safeParse(answer.body);
  if (health.success) return { kind: 'http', certificate: answer.certificate, health: health.data };
  const other = someStatus.safeParse(answer.body);
  const status = other.success ? ` and the status ${quoted(other.data.status)}` : '';
  const saw = `it answers GET /health with ${answer.code}${status}`;
  // Missing credentials, rate limits, a proxy in front of a node that is down: not the responses of an unrelated service.
  const refuses = [401, 403, 407, 408, 429].includes(answer.code) || answer.code >= 500;
  const mayBe = refuses || other.success;
  const tls = answer.certificate === undefined ? {} : { tls: { certificate: answer.certificate } };
  return mayBe ? { kind: 'unknown', saw, ...tls } : { kind: 'other', saw: `${saw}, not as a node does` };
}

export interface Answer {
  readonly code: number;
  readonly body: unknown;
  readonly certificate: Certificate | undefined;
}

export interface Question {
  readonly secure: boolean;
  readonly token?: string | undefined;
  /** Whether a server with this certificate may receive the request, with its token. */
  readonly isTrusted?: (certificate: Certificate) => boolean;
}

/** The certificate is checked before anything is sent. */
export async function asked(
  place: Address,
  path: string,
  { secure, token, isTrusted = () => true }: Question,
): Promise<Answer | { readonly error: string }> {
  const tls = secure ? await connectTls(place, ['http/1.1'], ANSWER_MS_MAX) : undefined;
  if (tls !== undefined && 'error' in tls) return { error: tls.error };
  if (tls !== undefined && !isTrusted(tls.certificate)) {
    tls.socket.destroy();
    return { error: 'it shows another certificate' };
  }
  const headers = { connection: 'close', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  // An agent would open its own connection.
  const over = tls === undefined ? { agent: false as const } : { createConnection: () => tls.socket };
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  return new Promise((resolve) => {
    const fail = (error: unknown): void => resolve({ error: asError(error).message });
    const asking = request({ ...place, path, headers, signal, ...over }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (text.length > BODY_CHARACTERS_MAX) response.destroy(new Error('its answer has no end'));
      });
      response.once('error', fail);
      response.once('end', () =>
        resolve({ code: response.statusCode!, body: parsed(text), certificate: tls?.certificate }),
      );
    });
    asking.once('error', fail);
    // Also for responses such as 101, which cause no other event.
    asking.once('close', () => fail(new Error('it closes the connection')));
    asking.end();
  });
}

/** `undefined`: not JSON, so not a node's response. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const CHECK = serviceDefinition(Health).check;

async function grpcAt(place: Address, certificate: Certificate | undefined): Promise<Listener> {
  // Only a health check, without a token: the certificate is checked separately.
  const credentials =
    certificate === undefined
      ? ChannelCredentials.createInsecure()
      : ChannelCredentials.createSsl(null, null, null, { rejectUnauthorized: false });
  const client = new Client(authorityOf(place), credentials, {
    'grpc.enable_http_proxy': 0,
    // TLS does not accept an address as a server name.
    ...(certificate === undefined ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
  });
  const health = (service: string): Promise<ServingStatusName> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        ...([CHECK.path, CHECK.requestSerialize, CHECK.responseDeserialize] as const),
        create(HealthCheckRequestSchema, { service }),
        { deadline: Date.now() + ANSWER_MS_MAX },
        (error, answer) => (error === null ? resolve(Serving[answer!.status] as ServingStatusName) : reject(error)),
      );
    });
  try {
    const [node, events] = [await health(''), await health(EventService.typeName)];
    return { kind: 'grpc', certificate, node, events };
  } catch (error) {
    const { code, details } = error as ServiceError;
    // OpenSSL's message, which hides the relevant part.
    const saw = /alert certificate required|alert bad certificate/.test(details)
      ? 'it speaks HTTP/2 with TLS, and wants a certificate of who calls'
      : `it speaks HTTP/2, and a health check of gRPC ends with ${Code[code]}: ${quoted(details)}`;
    if (code === Code.UNIMPLEMENTED || code === Code.NOT_FOUND) return { kind: 'other', saw };
    return { kind: 'unknown', saw, ...(certificate === undefined ? {} : { tls: { certificate } }) };
  } finally {
    client.close();
  }
}

const quoted = (text: string): string => `“${shortened(harmless(text.trim()), SAID_CHARACTERS_MAX)}”`;
