// Package otspb holds the protobuf messages of the Tablestore API. The code is
// generated from tablestore.proto by "make generate".
package otspb
