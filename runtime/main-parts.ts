/** The parts of a node that take long to load (composition): nothing heavy is imported but here. */
/** What takes long to load, while NATS starts. */
export async function loadParts() {
  const [{ mainTopology }, worker, { startGrpcServer }, { eventPublisher }, { viewsOf }, { Telemetry }, { startHttp }] =
    await Promise.all([
      import('../actors/topology.js'),
      import('./node/worker.js'),
      import('../connectors/grpc/server/server.js'),
      import('./node/publisher.js'),
      import('./node/views.js'),
      import('./telemetry/registry.js'),
      import('./node/http-facade.js'),
    ]);
  return { mainTopology, ...worker, startGrpcServer, eventPublisher, viewsOf, Telemetry, startHttp };
}

export type Parts = Awaited<ReturnType<typeof loadParts>>;
