package otstest

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// maxReadColumns is more than the documentation has, 128. (Source: the official Java
// SDK's tests, RestrictedItemTest, testCase42 and testCase43.)
const maxReadColumns = 1024

// readRequest is what the three reads have in common.
type readRequest interface {
	GetColumnsToGet() []string
	GetTimeRange() *otspb.TimeRange
	GetFilter() []byte
	GetStartColumn() string
	GetEndColumn() string
}

// selection is what a read asks for of a row.
type selection struct {
	columns    []string // none: all
	begin, end string   // the column names' range; end is exclusive, "": no limit
	versions   int      // none: all
	from, to   int64    // milliseconds; to is exclusive
	filter     filter   // nil: any row
	page       *otspb.ColumnPaginationFilter
}

func (s *Server) getRow(req *otspb.GetRowRequest) (proto.Message, *refusal) {
	if refused := checkTarget(req.GetTableName(), req.GetTransactionId()); refused != nil {
		return nil, refused
	}
	key, refused := decodeKey(req.GetPrimaryKey(), noMarks)
	if refused != nil {
		return nil, refused
	}
	selected, refused := newSelection(req, req.MaxVersions, noVersion)
	if refused != nil {
		return nil, refused
	}
	answer := &otspb.GetRowResponse{}
	s.store.read(req.GetTableName(), func(t *table) {
		if refused = checkRead(t, req.GetTableName(), key); refused != nil {
			return
		}
		if refused = checkKey(t, key.PrimaryKey, noMarks); refused != nil {
			return
		}
		answer.Row, answer.Consumed = s.readRow(t, key, selected)
	})
	return answer, refused
}

// readRow returns the selected part of a row, empty if there is none.
func (s *Server) readRow(t *table, key *pb.Row, selected selection) (*string, *otspb.ConsumedCapacity) {
	data := encodeRows()
	found, size := selected.of(t, t.get(keyValues(key.PrimaryKey), s.opts.Now()))
	if found != nil {
		data = encodeRows(found)
	}
	return data, consumed(units(size), 0)
}

// What a read says that has neither a number of versions nor a time. (Source: the
// official Java SDK's tests, ParameterLegalityTest,
// testNotSetVersionOptionsInGetOperations.)
const (
	noVersion        = "No version condition is specified."
	noVersionInBatch = "No version condition is specified while querying row."
)

func newSelection(req readRequest, maxVersions *int32, without string) (selection, *refusal) {
	s := selection{columns: req.GetColumnsToGet(), begin: req.GetStartColumn(), end: req.GetEndColumn(), to: math.MaxInt64}
	if len(s.columns) > maxReadColumns {
		return s, invalid("The number of columns from the request exceeds the limit, limit count: %d, column count: %d.", maxReadColumns, len(s.columns))
	}
	for _, name := range s.columns {
		if refused := checkColumn(name); refused != nil {
			return s, refused
		}
	}
	within := req.GetTimeRange()
	switch {
	case within == nil && maxVersions == nil:
		return s, invalid("%s", without)
	case maxVersions != nil && *maxVersions <= 0:
		return s, invalid("Invalid max versions: %d . Reason: Max versions must be positive.", *maxVersions)
	case maxVersions != nil:
		s.versions = int(*maxVersions)
	}
	if within != nil {
		if refused := s.setTime(within, maxVersions != nil); refused != nil {
			return s, refused
		}
	}
	var refused *refusal
	s.filter, s.page, refused = decodeFilter(req.GetFilter())
	return s, refused
}

func (s *selection) setTime(within *otspb.TimeRange, hasVersions bool) *refusal {
	hasRange := within.StartTime != nil || within.EndTime != nil
	switch {
	case within.SpecificTime != nil && hasRange && hasVersions:
		return invalid("Specific tiemstamp, time range and max versions cannot be given at the same time.")
	case within.SpecificTime != nil && hasVersions:
		return invalid("Specific tiemstamp and max versions cannot be given at the same time.")
	case within.SpecificTime != nil && hasRange:
		return invalid("Specific tiemstamp and time range cannot be given at the same time.")
	case within.SpecificTime != nil && within.GetSpecificTime() < 0:
		return invalid("Specific timestamp cannot be less than 0..")
	case within.SpecificTime != nil && within.GetSpecificTime() >= math.MaxInt64/1000:
		return invalid("Timestamp must be in range [0, INT64_MAX/1000).")
	case within.SpecificTime != nil:
		s.from, s.to = within.GetSpecificTime(), within.GetSpecificTime()+1
	case within.StartTime == nil || within.EndTime == nil:
		return invalid("Start and end time must be given at the same time.")
	default:
		s.from, s.to = within.GetStartTime(), within.GetEndTime()
	}
	return nil
}

// wants reports whether the column name is asked for.
func (s selection) wants(name string) bool {
	return (len(s.columns) == 0 || slices.Contains(s.columns, name)) && name >= s.begin && (s.end == "" || name < s.end)
}

// take returns the versions that are asked for.
func (s selection) take(versions []version) []version {
	var taken []version
	for _, v := range versions {
		if v.timestamp >= s.from && v.timestamp < s.to && (s.versions == 0 || len(taken) < s.versions) {
			taken = append(taken, v)
		}
	}
	return taken
}

// of returns the selected part of r, or nil if r is nil, the filter is not for
// it, or it has none of the columns that were asked for; and how many bytes were
// read: the key and the selected columns, also of a row that the filter leaves out.
// (Source: the official Java SDK's tests, CapacityUnitTest; of filtered rows it is
// assumed, since the documentation says that filters do not change what is scanned.)
func (s selection) of(t *table, r *row) (*pb.Row, int) {
	if r == nil {
		return nil, 0
	}
	columns := map[string][]version{}
	for name, versions := range r.columns {
		if taken := s.take(versions); s.wants(name) && len(taken) > 0 {
			columns[name] = taken
		}
	}
	keyWanted := len(s.columns) == 0 || slices.ContainsFunc(s.columns, func(name string) bool { return isKey(t, name) })
	found := keyWanted || len(columns) > 0
	selected := &pb.Row{PrimaryKey: t.keyCells(r.key)}
	for _, name := range s.onPage(slices.Sorted(maps.Keys(columns))) {
		for _, v := range columns[name] {
			selected.Columns = append(selected.Columns, pb.Cell{Name: name, Value: v.value, HasTimestamp: true, Timestamp: v.timestamp})
		}
	}
	size := dataSize(selected)
	if !found || s.filter != nil && !s.filter.passes(columns) {
		return nil, size
	}
	return selected, size
}

// onPage returns the names that the pagination, if there is one, asks for.
func (s selection) onPage(names []string) []string {
	if s.page == nil {
		return names
	}
	names = names[min(int(s.page.GetOffset()), len(names)):]
	return names[:min(int(s.page.GetLimit()), len(names))]
}
