/**
 * Server reflection (v1 and v1alpha), so that `grpcurl` and others need no .proto files.
 *
 * The library wants the package definition that @grpc/proto-loader makes of .proto files, and reads only the descriptors in it. Those are in
 * the generated code already, exactly as the compiler made them, so they come from there: nothing to find on disk, nothing to get out of step.
 */
import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { service as healthService } from 'grpc-health-check';
import { file_google_rpc_error_details } from '../../proto/gen/google/rpc/error_details_pb.js';
import { file_google_rpc_status } from '../../proto/gen/google/rpc/status_pb.js';
import { asBuffer } from './service-definition.js';
import type { StandingStreams } from './standing-streams.js';

/** Adds reflection for the files of these services and all they need, the health service, and the details of errors. */
export function addReflection(to: StandingStreams, files: readonly DescFile[]): void {
  const all = withDependencies([...files, file_google_rpc_status, file_google_rpc_error_details]);
  const fileDescriptorProtos = all.map((file) => asBuffer(toBinary(FileDescriptorProtoSchema, file.proto)));
  const described = { fileDescriptorProtos } as unknown as PackageDefinition[string];
  const health = Object.values(healthService).map(({ requestType }) => requestType as PackageDefinition[string]);
  new ReflectionService({ rivulet: described, health: health[0]! }).addToServer(to);
}

function withDependencies(files: readonly DescFile[]): readonly DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...found];
}
