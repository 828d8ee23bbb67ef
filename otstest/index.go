package otstest

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// The limits of secondary indexes. (Source: the documentation's limits; of all but
// maxIndexPrimaryKeys also the official Java SDK's tests, SecondaryIndexTest.)
const (
	maxIndexes          = 5 // of a table
	maxIndexKeys        = 4 // columns that an index names
	maxIndexColumns     = 32
	maxIndexPrimaryKeys = 8 // with those that the table adds
)

// checkIndexes refuses secondary indexes that cannot be: one is named as a table, and
// is over the table's own columns. (Source of the messages for numbers: the official
// Java SDK's tests, SecondaryIndexTest. What else the service answers is assumed.)
func checkIndexes(meta *otspb.TableMeta, indexes []*otspb.IndexMeta) *refusal {
	if len(indexes) > maxIndexes {
		return invalid("Number of index per table exceeds the quota:%d.", maxIndexes)
	}
	seen := map[string]bool{meta.GetTableName(): true}
	for _, index := range indexes {
		name := index.GetName()
		if refused := checkName(name); refused != nil {
			return refused
		}
		switch {
		case !isKnown(index.GetIndexType()) || !isKnown(index.GetIndexUpdateMode()):
			return refuseMessage("the index %q has the type %d and the update mode %d", name, index.GetIndexType(), index.GetIndexUpdateMode())
		case seen[name]:
			return invalid("Duplicated index name: '%s'.", name)
		}
		seen[name] = true
		if refused := checkIndexColumns(meta, index); refused != nil {
			return refused
		}
	}
	return nil
}

func checkIndexColumns(meta *otspb.TableMeta, index *otspb.IndexMeta) *refusal {
	key, types, seen := index.GetPrimaryKey(), keyTypes(meta), map[string]bool{}
	switch {
	case len(key) < 1 || len(key) > maxIndexKeys:
		return invalid("The number of primary key columns must be in range: [1, %d] in index.", maxIndexKeys)
	case len(index.GetDefinedColumn()) > maxIndexColumns:
		return invalid("The number of attribute columns must be in range: [0, %d] in index.", maxIndexColumns)
	}
	for _, name := range key {
		switch kind, exists := types[name]; {
		case !exists:
			return invalid("Column does not exist:%s.", name)
		case kind == 0:
			return invalid("Invalid column type, only STRING,INTEGER,BINARY is allowed.")
		case seen[name]:
			return invalid("Duplicated primary key name: '%s'.", name)
		}
		seen[name] = true
	}
	for _, column := range meta.GetPrimaryKey() {
		if column.Option != nil && column.GetName() == key[0] {
			return invalid("First primary key can't be auto increment, table: %s.", index.GetName())
		}
		seen[column.GetName()] = true
	}
	if first := meta.GetPrimaryKey()[0].GetName(); index.GetIndexType() == otspb.IndexType_IT_LOCAL_INDEX && key[0] != first {
		return invalid("The first primary key column of the local index '%s' must be '%s'.", index.GetName(), first)
	}
	for _, name := range index.GetDefinedColumn() {
		if _, exists := types[name]; !exists {
			return invalid("Column does not exist:%s.", name)
		}
		if seen[name] {
			return invalid("Duplicated attribute column name with primary key column: %s.", name)
		}
		seen[name] = true
	}
	return nil
}

// checkIndexed refuses options that a table with indexes cannot have. (Source: the
// documentation's limits of secondary indexes, and of the message for the time to
// live its page on that error; the other message is assumed.)
func checkIndexed(indexes []*otspb.IndexMeta, options *otspb.TableOptions) *refusal {
	switch {
	case len(indexes) == 0:
		return nil
	case options.GetMaxVersions() > 1:
		return invalid("Don't support max versions larger than 1 on table with index")
	case options.GetTimeToLive() != neverExpires && (options.AllowUpdate == nil || options.GetAllowUpdate()):
		return invalid("Don't support allow update operation on table with index and ttl")
	}
	return nil
}

// keyTypes returns the types of a table's columns as key columns of an index; 0: it
// cannot be one.
func keyTypes(meta *otspb.TableMeta) map[string]otspb.PrimaryKeyType {
	types := map[string]otspb.PrimaryKeyType{}
	for _, column := range meta.GetPrimaryKey() {
		types[column.GetName()] = column.GetType()
	}
	for _, column := range meta.GetDefinedColumn() {
		switch column.GetType() {
		case otspb.DefinedColumnType_DCT_INTEGER:
			types[column.GetName()] = otspb.PrimaryKeyType_INTEGER
		case otspb.DefinedColumnType_DCT_STRING:
			types[column.GetName()] = otspb.PrimaryKeyType_STRING
		case otspb.DefinedColumnType_DCT_BLOB:
			types[column.GetName()] = otspb.PrimaryKeyType_BINARY
		default:
			types[column.GetName()] = 0
		}
	}
	return types
}

// index returns the index with a name and its table; nil: there is none.
func (s *store) index(name string) (*table, *otspb.IndexMeta) {
	for _, t := range s.tables {
		for _, index := range t.indexes {
			if index.GetName() == name {
				return t, index
			}
		}
	}
	return nil, nil
}

// view returns an index as a table that is read like any other. It is made anew for
// each request, so that it is never behind its table.
func (t *table) view(index *otspb.IndexMeta, now time.Time) *table {
	v := &table{
		meta: t.indexMeta(index), options: t.options, throughput: t.throughput,
		created: t.created, adjusted: t.adjusted, streamed: t.streamed, isIndex: true,
	}
	for _, r := range t.rows {
		if live := t.live(r, now); live != nil {
			if made := t.indexRow(live, v.meta); made != nil {
				v.rows = append(v.rows, made)
			}
		}
	}
	slices.SortFunc(v.rows, func(a, b *row) int { return compareKeys(a.key, b.key) })
	return v
}

// indexMeta returns an index's schema: its key columns, behind them those of the
// table's that it does not name, and its other columns. (Source: the documentation of
// secondary indexes.)
func (t *table) indexMeta(index *otspb.IndexMeta) *otspb.TableMeta {
	meta, types := &otspb.TableMeta{TableName: index.Name}, keyTypes(t.meta)
	names := slices.Clone(index.GetPrimaryKey())
	for _, column := range t.meta.GetPrimaryKey() {
		if !slices.Contains(names, column.GetName()) {
			names = append(names, column.GetName())
		}
	}
	for _, name := range names {
		meta.PrimaryKey = append(meta.PrimaryKey, &otspb.PrimaryKeySchema{Name: proto.String(name), Type: types[name].Enum()})
	}
	for _, column := range t.meta.GetDefinedColumn() {
		if slices.Contains(index.GetDefinedColumn(), column.GetName()) {
			meta.DefinedColumn = append(meta.DefinedColumn, column)
		}
	}
	return meta
}

// indexRow returns what an index has of a row; nil: nothing, since a value of its key
// is missing. (Source: the documentation of global secondary indexes, on sparse ones;
// that a value that cannot be one of the key counts as missing is assumed.)
func (t *table) indexRow(r *row, meta *otspb.TableMeta) *row {
	made := &row{written: r.written, columns: map[string][]version{}}
	for _, column := range meta.GetPrimaryKey() {
		value, exists := t.newest(r, column.GetName())
		if !exists || value.Kind() != keyKind(column.GetType()) || len(value.Text()) > maxStringKey {
			return nil
		}
		made.key = append(made.key, value)
	}
	for _, column := range meta.GetDefinedColumn() {
		if versions := r.columns[column.GetName()]; len(versions) > 0 {
			made.columns[column.GetName()] = versions
		}
	}
	return made
}

// newest returns the newest value of a column of the row's or of its key.
func (t *table) newest(r *row, name string) (value pb.Value, exists bool) {
	for i, column := range t.meta.GetPrimaryKey() {
		if column.GetName() == name {
			return r.key[i], true
		}
	}
	if versions := r.columns[name]; len(versions) > 0 {
		return versions[0].value, true
	}
	return value, false
}
