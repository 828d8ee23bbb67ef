// Package plainbuffer encodes and decodes rows as Tablestore's row actions
// carry them. All integers are little endian:
//
//	buffer = 0x75 as 4 bytes, row...
//	row    = 0x01 cell... [0x02 cell...] [0x08] 0x09 checksum
//	cell   = 0x03  0x04 length name  [0x05 length value]  [0x06 op]  [0x07 time]  0x0A checksum
//	value  = type byte, payload
//
// (Source: the official Go SDK's reader and writer, v1.9.3, whose bytes the
// Node SDK's equal; the interop module compares them with ours.)
package plainbuffer
