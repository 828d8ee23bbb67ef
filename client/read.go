package client

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/internal/otspb"
)

// A TimeRange chooses versions of columns by their timestamps, in whole
// milliseconds: from Start, exclusive of End; or, if At is set, exactly that
// version.
type TimeRange struct {
	// Start is the oldest timestamp. Zero: no bound.
	Start time.Time
	// End is newer than the newest timestamp. Zero: no bound.
	End time.Time
	// At is the one timestamp to read; Start, End and MaxVersions must then be
	// zero.
	At time.Time
}

// endOfTime is the timestamp that stands for no bound, as in the Java SDK.
const endOfTime = 1<<63 - 1

// message checks the range and returns it on the wire; nil is none.
func (r *TimeRange) message() (*otspb.TimeRange, error) {
	if r == nil {
		return nil, nil
	}
	if !r.At.IsZero() {
		if !r.Start.IsZero() || !r.End.IsZero() {
			return nil, &otsauth.ConfigError{Field: "TimeRange", Problem: "has At and a bound; set either"}
		}
		return &otspb.TimeRange{SpecificTime: proto.Int64(r.At.UnixMilli())}, nil
	}
	start, end := int64(0), int64(endOfTime)
	if !r.Start.IsZero() {
		start = r.Start.UnixMilli()
	}
	if !r.End.IsZero() {
		end = r.End.UnixMilli()
	}
	if start < 0 || start >= end { // no document says what the service does then, as one does of At
		return nil, &otsauth.ConfigError{Field: "TimeRange", Problem: "is empty or begins before 1970; End must be after Start"}
	}
	return &otspb.TimeRange{StartTime: &start, EndTime: &end}, nil
}

// choice is what of the rows a read wants.
type choice struct {
	columns     []string
	maxVersions int
	times       *TimeRange
	filter      Filter
	start, end  string // columns
}

// chosen is a choice on the wire.
type chosen struct {
	columns     []string
	maxVersions int32 // 0: the time says which
	times       *otspb.TimeRange
	filter      []byte
	start, end  *string
}

// message checks the choice.
func (c *choice) message(t text) (m chosen, err error) {
	if m.columns, err = t.names(c.columns); err != nil {
		return chosen{}, err
	}
	if m.maxVersions, err = atLeastOne("MaxVersions", cmp.Or(c.maxVersions, 1)); err != nil {
		return chosen{}, err
	}
	if m.times, err = c.times.message(); err != nil {
		return chosen{}, err
	}
	// The service takes one version's time or a number of versions, not both.
	if m.times != nil && m.times.SpecificTime != nil {
		m.maxVersions = 0
	}
	if m.maxVersions == 0 && c.maxVersions != 0 {
		return chosen{}, &otsauth.ConfigError{Field: "MaxVersions", Problem: "cannot be set beside TimeRange.At, which is one version"}
	}
	if m.filter, err = encodeFilter(t, c.filter); err != nil {
		return chosen{}, err
	}
	if m.start, err = optionalColumn(t, c.start); err != nil {
		return chosen{}, err
	}
	m.end, err = optionalColumn(t, c.end)
	return m, err
}

// optionalColumn returns a column's name on the wire; "" is none.
func optionalColumn(t text, name string) (*string, error) {
	if name == "" {
		return nil, nil
	}
	sent, err := t.column(name)
	return &sent, err
}
