package plainbuffer

import (
	"errors"
	"fmt"
)

// A Tag announces a part of a buffer.
type Tag byte

// The tags. (Source: the official SDKs' writers; the documentation's grammar
// does not match their bytes.)
const (
	TagPrimaryKey   Tag = 0x01
	TagColumns      Tag = 0x02
	TagCell         Tag = 0x03
	TagName         Tag = 0x04
	TagValue        Tag = 0x05
	TagOp           Tag = 0x06
	TagTimestamp    Tag = 0x07
	TagDeleteRow    Tag = 0x08
	TagRowChecksum  Tag = 0x09
	TagCellChecksum Tag = 0x0A
	TagExtension    Tag = 0x0B
)

// The ways in which a buffer can be broken, for errors.Is. The comments say
// what Got and Want of the [SyntaxError] are.
var (
	ErrHeader    = errors.New("no PlainBuffer header") // the headers, as integers
	ErrTruncated = errors.New("truncated")             // the bytes that are left, and needed
	ErrTag       = errors.New("unexpected tag")        // the tags
	ErrChecksum  = errors.New("checksum mismatch")     // the checksums
	ErrValue     = errors.New("malformed value")       // the byte that cannot be, 0

	// ErrNoCells says that no cell follows TagPrimaryKey or TagColumns, which
	// is Want; Got is the tag that does. It is an ErrTag.
	ErrNoCells = fmt.Errorf("%w: no cell follows", ErrTag)
	// ErrKind says that the type byte, which is Got, is unknown. It is an
	// ErrValue.
	ErrKind = fmt.Errorf("%w: unknown type", ErrValue)
	// ErrOp says that the operation, which is Got, is unknown. It is an ErrValue.
	ErrOp = fmt.Errorf("%w: unknown operation", ErrValue)
	// ErrLength says that a value is said to have Got bytes and takes Want. It
	// is an ErrValue.
	ErrLength = fmt.Errorf("%w: wrong length", ErrValue)
)

// A SyntaxError says what is wrong with a buffer, and where.
type SyntaxError struct {
	Offset    int    // of the first byte that is wrong
	Err       error  // one of the errors above
	Cell      string // the name of the cell, if it is known; not in Error, since it is data
	Got, Want int64  // what the comment on Err says
}

// Error returns the problem, what was found and wanted, and the offset.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("plainbuffer: %v at byte %d (got %d, want %d)", e.Err, e.Offset, e.Got, e.Want)
}

// Unwrap returns the problem.
func (e *SyntaxError) Unwrap() error { return e.Err }
