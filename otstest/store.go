package otstest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"

	"github.com/otsauth/otsauth/internal/otspb"
)

// store holds the tables of an instance in memory.
type store struct {
	now func() time.Time

	mu     sync.RWMutex // guards tables and all that hangs below
	tables map[string]*table
}

// table holds its rows in the order of their primary keys.
type table struct {
	meta       *otspb.TableMeta
	options    *otspb.TableOptions
	throughput *otspb.CapacityUnit
	stream     *otspb.StreamSpecification
	indexes    []*otspb.IndexMeta
	isIndex    bool // it is a view, only to be read
	created    time.Time
	adjusted   time.Time // when the throughput was last set
	streamed   time.Time // when the stream was last set
	sequence   int64     // the last number that an auto-increment key got
	rows       []*row
	dropAt     int // at so many rows the dead ones are dropped
}

// row is one row; a column keeps its versions, the newest first. A row in a
// table is never changed, only replaced.
type row struct {
	key     []pb.Value
	written int64 // milliseconds; a row without columns lives as long as one written then
	columns map[string][]version
}

type version struct {
	timestamp int64 // milliseconds
	value     pb.Value
}

// minDrop is the least number of rows of which the dead ones are dropped.
const minDrop = 128

func newStore(now func() time.Time) *store { return &store{now: now, tables: map[string]*table{}} }

// names returns the tables' names in order.
func (s *store) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.tables))
}

// find returns the table or the index with a name; nil: there is none.
func (s *store) find(name string) *table {
	if t := s.tables[name]; t != nil {
		return t
	}
	if t, index := s.index(name); t != nil {
		return t.view(index, s.now())
	}
	return nil
}

// taken reports whether a table or an index has the name.
func (s *store) taken(name string) bool {
	_, index := s.index(name)
	return s.tables[name] != nil || index != nil
}

// add adds a table, unless its name or that of an index is taken, or there would be
// more than limit tables. An index counts as one. (Source: the documentation's limits
// and error codes; of the message for the limit, the official Java SDK's tests,
// RestrictedItemTest, testCase15.)
func (s *store) add(t *table, limit int) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{t.meta.GetTableName()}
	for _, index := range t.indexes {
		names = append(names, index.GetName())
	}
	if i := slices.IndexFunc(names, s.taken); i >= 0 {
		return refuse(http.StatusConflict, "OTSObjectAlreadyExist", "Requested table already exists.", "there is a table or an index %q", names[i])
	}
	n := 1 + len(t.indexes)
	for _, other := range s.tables {
		n += 1 + len(other.indexes)
	}
	if n > limit {
		return refuse(http.StatusForbidden, "OTSQuotaExhausted", fmt.Sprintf("Number of tables exceeds the quota:%d.", limit), "there would be %d tables and indexes, and may be %d", n, limit)
	}
	s.tables[names[0]] = t
	return nil
}

// remove removes a table with its rows and indexes. (Source: the documentation of
// DeleteTable.)
func (s *store) remove(name string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused := checkWritable(s.find(name), name); refused != nil {
		return refused
	}
	delete(s.tables, name)
	return nil
}

// read and write call f with the named table or index, locked; nil if there is none.
func (s *store) read(name string, f func(t *table)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.find(name))
}

func (s *store) write(name string, f func(t *table)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.find(name))
}

// writeAll calls f with the named tables or indexes, all locked at once.
func (s *store) writeAll(names []string, f func(tables []*table)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tables := make([]*table, len(names))
	for i, name := range names {
		tables[i] = s.find(name)
	}
	f(tables)
}

// find returns where the row with key is, or would be.
func (t *table) find(key []pb.Value) (index int, found bool) {
	return slices.BinarySearchFunc(t.rows, key, func(r *row, key []pb.Value) int { return compareKeys(r.key, key) })
}

// get returns what lives at now of the row with key, or nil.
func (t *table) get(key []pb.Value, now time.Time) *row {
	if i, found := t.find(key); found {
		return t.live(t.rows[i], now)
	}
	return nil
}

// live returns r without the versions that are older than the table's time to
// live, or nil if nothing is left.
func (t *table) live(r *row, now time.Time) *row {
	ttl := int64(t.options.GetTimeToLive())
	if ttl <= 0 {
		return r
	}
	oldest := now.UnixMilli() - ttl*1000
	left := &row{key: r.key, written: r.written, columns: map[string][]version{}}
	for name, versions := range r.columns {
		n, _ := slices.BinarySearchFunc(versions, oldest, func(v version, ts int64) int { return cmp.Compare(ts, v.timestamp) })
		if n < len(versions) && versions[n].timestamp == oldest {
			n++
		}
		if n > 0 {
			left.columns[name] = versions[:n:n]
		}
	}
	if len(left.columns) == 0 && r.written < oldest {
		return nil
	}
	return left
}

// remove removes the row with key if there is one.
func (t *table) remove(key []pb.Value) {
	if i, found := t.find(key); found {
		t.rows = slices.Delete(t.rows, i, i+1)
	}
}

// trim drops the versions beyond the table's limit.
func (t *table) trim() {
	limit := int(t.options.GetMaxVersions())
	for i, r := range t.rows {
		changed := r.clone()
		for name, versions := range changed.columns {
			changed.columns[name] = versions[:min(limit, len(versions))]
		}
		t.rows[i] = changed
	}
}

// clone returns a copy of r that can be changed.
func (r *row) clone() *row {
	c := &row{key: r.key, written: r.written, columns: make(map[string][]version, len(r.columns))}
	for name, versions := range r.columns {
		c.columns[name] = slices.Clone(versions)
	}
	return c
}

// put makes r the row with its key. From time to time it drops what is past its
// time to live: whenever the table has twice the rows that were left.
func (t *table) put(r *row, now time.Time) {
	i, found := t.find(r.key)
	if found {
		t.rows[i] = r
		return
	}
	t.rows = slices.Insert(t.rows, i, r)
	if len(t.rows) >= max(t.dropAt, minDrop) {
		t.dropDead(now)
		t.dropAt = 2 * len(t.rows)
	}
}

// dropDead drops what is past its time to live at now.
func (t *table) dropDead(now time.Time) {
	if t.options.GetTimeToLive() <= 0 {
		return
	}
	left := make([]*row, 0, len(t.rows))
	for _, r := range t.rows {
		if live := t.live(r, now); live != nil {
			left = append(left, live)
		}
	}
	t.rows = left
}

func compareKeys(a, b []pb.Value) int {
	return slices.CompareFunc(a, b, pb.Value.Compare)
}

// addVersion adds a version of a column, replaces one of the same timestamp,
// and drops the oldest beyond the table's limit.
func (t *table) addVersion(r *row, column string, v version) {
	versions := r.columns[column]
	i, found := slices.BinarySearchFunc(versions, v.timestamp, func(v version, ts int64) int { return cmp.Compare(ts, v.timestamp) })
	if found {
		versions[i] = v
	} else {
		versions = slices.Insert(versions, i, v)
	}
	if limit := int(t.options.GetMaxVersions()); limit > 0 && len(versions) > limit {
		versions = versions[:limit]
	}
	r.columns[column] = versions
}
