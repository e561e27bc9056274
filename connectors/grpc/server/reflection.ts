/**
 * Server reflection (v1 and v1alpha), so that `grpcurl` and others need no .proto files.
 *
 * The library expects the package definition that @grpc/proto-loader makes of .proto files, and reads only its descriptors. The generated code
 * contains the same descriptors, so they are taken from there: no files to find, and exactly the compiler's output. (Go clients reject what
 * proto-loader makes of a message with a map, such as ErrorInfo or the list of the health service.)
 */
import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { EnumTypeDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { asBuffer } from './service-definition.js';
import type { LongLivedStreams } from './long-lived-streams.js';

/** Adds reflection for these files and all their imports. */
export function addReflection(to: LongLivedStreams, files: readonly DescFile[]): void {
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
