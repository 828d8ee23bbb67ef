package otstest

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"

	"github.com/otsauth/otsauth/internal/otspb"
)

// store holds the tables of an instance in memory.
type store struct {
	mu     sync.RWMutex // guards tables and all that hangs below
	tables map[string]*table
}

// table holds its rows in the order of their primary keys.
type table struct {
	meta    *otspb.TableMeta
	options *otspb.TableOptions
	rows    []*row
}

// row is one row; a column keeps its versions, the newest first.
type row struct {
	key     []pb.Value
	columns map[string][]version
}

type version struct {
	timestamp int64 // milliseconds
	value     pb.Value
}

func newStore() *store { return &store{tables: map[string]*table{}} }

// names returns the tables' names in order.
func (s *store) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.tables))
}

// add adds a table, and reports false if its name is taken.
func (s *store) add(t *table) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := t.meta.GetTableName()
	if _, taken := s.tables[name]; taken {
		return false
	}
	s.tables[name] = t
	return true
}

// read and write call f with the named table, locked; nil if there is none.
func (s *store) read(name string, f func(t *table)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.tables[name])
}

func (s *store) write(name string, f func(t *table)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.tables[name])
}

// find returns where the row with key is, or would be.
func (t *table) find(key []pb.Value) (index int, found bool) {
	return slices.BinarySearchFunc(t.rows, key, func(r *row, key []pb.Value) int { return compareKeys(r.key, key) })
}

// get returns the row with key, or nil.
func (t *table) get(key []pb.Value) *row {
	if i, found := t.find(key); found {
		return t.rows[i]
	}
	return nil
}

// put makes r the row with its key.
func (t *table) put(r *row) {
	i, found := t.find(r.key)
	if found {
		t.rows[i] = r
		return
	}
	t.rows = slices.Insert(t.rows, i, r)
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
