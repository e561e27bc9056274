/**
 * Server reflection (v1 and v1alpha), so that `grpcurl` and others need no .proto files.
 *
 * The library wants the package definition that @grpc/proto-loader makes of .proto files, and reads only the descriptors in it. Those are in
 * the generated code already, so they come from there: nothing to find on disk, and exactly what the compiler made. (What proto-loader makes
 * of a message with a map, such as ErrorInfo or the health service's list, Go clients refuse.)
 */
import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { EnumTypeDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { asBuffer } from './service-definition.js';
import type { StandingStreams } from './standing-streams.js';

/** Adds reflection for these files and all that they import. */
export function addReflection(to: StandingStreams, files: readonly DescFile[]): void {
  const fileDescriptorProtos = withImports(files).map((file) =>
    asBuffer(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  const described: EnumTypeDefinition = {
    format: 'Protocol Buffer 3 EnumDescriptorProto',
    type: {},
    fileDescriptorProtos,
  };
  new ReflectionService({ described }).addToServer(to);
}

function withImports(files: readonly DescFile[]): readonly DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...found];
}
