/** The parts of a node that take long to load (composition): nothing heavy is imported but here. */
/** What takes long to load, while NATS starts. */
export async function loadParts() {
  const [{ mainTopology }, worker, { startGrpcServer }, { eventPublisher }, { viewsOf }, { Telemetry }, { startHttp }] =
    await Promise.all([
      import('../actors/topology.js'),
      import('./main-worker.js'),
      import('../connectors/grpc/server.js'),
      import('./main-publisher.js'),
      import('./main-view.js'),
      import('./telemetry.js'),
      import('./main-http.js'),
    ]);
  return { mainTopology, ...worker, startGrpcServer, eventPublisher, viewsOf, Telemetry, startHttp };
}

export type Parts = Awaited<ReturnType<typeof loadParts>>;
