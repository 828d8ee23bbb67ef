// Package otspb holds the protobuf messages of the Tablestore API. The code is
// generated from the .proto files beside it by "make generate".
package otspb
