package interop_test

import (
	"fmt"
	"time"
)

// details are what the service says of a table that no request chose. A client
// does not tell what is nil.
type details struct {
	Name, Status, StreamID *string
	Created, StreamSince   *int64 // microseconds
	ReservedSince          *int64 // seconds
	IdleStream             *int   // the hours of a stream that is off
}

// unusual lists what is not as it is of every table here: it is active, its
// clock stands still, and its stream has a name if it is on. So a client that
// does not tell something has the same result as one that does.
func (f formatter) unusual(table string, d *definition) []string {
	var streamID string
	var streamSince int64
	if d.Streamed {
		streamID, streamSince = table+"_stream", f.now.UnixMicro()
	}
	var lines []string
	lines = deviation(lines, "name %q", d.Details.Name, table)
	lines = deviation(lines, "status %q", d.Details.Status, "ACTIVE")
	lines = deviation(lines, "created %d", d.Details.Created, f.now.UnixMicro())
	lines = deviation(lines, "reserved since %d", d.Details.ReservedSince, f.now.Unix())
	lines = deviation(lines, "stream id %q", d.Details.StreamID, streamID)
	lines = deviation(lines, "stream since %d", d.Details.StreamSince, streamSince)
	return deviation(lines, "stream off, %d", d.Details.IdleStream, 0)
}

// deviation adds a line for what a client tells, if it is not the usual.
func deviation[T comparable](lines []string, format string, told *T, usual T) []string {
	if told == nil || *told == usual {
		return lines
	}
	return append(lines, fmt.Sprintf(format, *told))
}

// mode is how an index is kept, if that does not follow from its kind.
func (i *index) mode() string {
	usual := "async"
	if i.Local {
		usual = "sync"
	}
	return join(" ", deviation(nil, "%s", i.Mode, usual))
}

// since returns a time in a unit, or zero if there is none.
func since(at time.Time, unit time.Duration) *int64 {
	var n int64
	if !at.IsZero() {
		n = at.UnixMicro() / int64(unit/time.Microsecond)
	}
	return &n
}
