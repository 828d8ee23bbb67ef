package otstest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// indexedRequest makes the table "t" of pk, a string, and n, an integer, that declares
// a column s of texts, i of integers and d of floats, with indexes.
func indexedRequest(indexes ...*otspb.IndexMeta) *otspb.CreateTableRequest {
	request := tableRequest("t", &otspb.TableOptions{TimeToLive: proto.Int32(-1), MaxVersions: proto.Int32(1)}, nil)
	for name, kind := range map[string]otspb.DefinedColumnType{
		"s": otspb.DefinedColumnType_DCT_STRING, "i": otspb.DefinedColumnType_DCT_INTEGER, "d": otspb.DefinedColumnType_DCT_DOUBLE,
	} {
		request.TableMeta.DefinedColumn = append(request.TableMeta.DefinedColumn, &otspb.DefinedColumnSchema{Name: proto.String(name), Type: kind.Enum()})
	}
	request.IndexMetas = indexes
	return request
}

func globalIndex(name string, key, columns []string) *otspb.IndexMeta {
	return &otspb.IndexMeta{
		Name: proto.String(name), PrimaryKey: key, DefinedColumn: columns,
		IndexUpdateMode: otspb.IndexUpdateMode_IUM_ASYNC_INDEX.Enum(), IndexType: otspb.IndexType_IT_GLOBAL_INDEX.Enum(),
	}
}

func localIndex(name string, key, columns []string) *otspb.IndexMeta {
	index := globalIndex(name, key, columns)
	index.IndexUpdateMode, index.IndexType = otspb.IndexUpdateMode_IUM_SYNC_INDEX.Enum(), otspb.IndexType_IT_LOCAL_INDEX.Enum()
	return index
}

// newIndexed starts a server with the table of indexedRequest, and an index "by_s" of
// s, with i, and "within" of pk and i.
func newIndexed(t *testing.T) *Server {
	t.Helper()
	s := NewServer(t, &Options{Now: (&testClock{time.Unix(1000, 0)}).Now})
	require.Nil(t, call(t, s, "CreateTable", indexedRequest(globalIndex("by_s", []string{"s"}, []string{"i"}), localIndex("within", []string{"pk", "i"}, nil)), &otspb.CreateTableResponse{}))
	return s
}

// indexLines reads all of an index, as lines of names and values.
func indexLines(t *testing.T, s *Server, name string, key ...string) []string {
	t.Helper()
	infinite := func(v pb.Kind) []byte {
		var cells []pb.Cell
		for _, column := range key {
			cells = append(cells, pb.Cell{Name: column, Value: pb.MarkValue(v)})
		}
		return encoded(cells)
	}
	got := &otspb.GetRangeResponse{}
	request := &otspb.GetRangeRequest{
		TableName: &name, Direction: otspb.Direction_FORWARD.Enum(), MaxVersions: proto.Int32(1),
		InclusiveStartPrimaryKey: infinite(pb.InfMin), ExclusiveEndPrimaryKey: infinite(pb.InfMax),
	}
	require.Nil(t, call(t, s, "GetRange", request, got))
	if got.GetRows() == "" {
		return nil
	}
	rows, err := pb.Decode(got.GetRows())
	require.NoError(t, err)
	var lines []string
	for _, r := range rows {
		var words []string
		for _, c := range append(r.PrimaryKey, r.Columns...) {
			words = append(words, c.Name+"="+valueText(c.Value))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func TestIndexesThatCannotBeAreRefused(t *testing.T) {
	meta := indexedRequest().TableMeta
	indexes := func(all ...*otspb.IndexMeta) []*otspb.IndexMeta { return all }
	index := func(name string, key ...string) *otspb.IndexMeta { return globalIndex(name, key, nil) }
	keeping := func(columns ...string) []*otspb.IndexMeta { return indexes(globalIndex("i", []string{"s"}, columns)) }
	var five []*otspb.IndexMeta
	for i := range 5 {
		five = append(five, index(fmt.Sprint("i", i), "s"))
	}
	for name, c := range map[string]struct {
		indexes []*otspb.IndexMeta
		want    string // "": accepted
	}{
		"none":                         {nil, ""},
		"over declared columns":        {indexes(index("i", "s"), index("j", "s", "pk")), ""},
		"five":                         {five, ""},
		"six":                          {append(five, index("j", "s")), "Number of index per table exceeds the quota:5."},
		"with a bad name":              {indexes(index("bad name!", "s")), "Invalid table name: 'bad name!'."},
		"twice":                        {indexes(index("i", "s"), index("i", "s")), "Duplicated index name: 'i'."},
		"named as the table":           {indexes(index("t", "s")), "Duplicated index name: 't'."},
		"without columns":              {indexes(index("i")), "The number of primary key columns must be in range: [1, 4] in index."},
		"over five columns":            {indexes(index("i", "s", "i", "pk", "n", "d")), "The number of primary key columns must be in range: [1, 4] in index."},
		"over an unknown column":       {indexes(index("i", "nosuch")), "Column does not exist:nosuch."},
		"over a float":                 {indexes(index("i", "d")), "Invalid column type, only STRING,INTEGER,BINARY is allowed."},
		"over a column twice":          {indexes(index("i", "s", "s")), "Duplicated primary key name: 's'."},
		"keeping declared columns":     {keeping("i", "d"), ""},
		"keeping 33 columns":           {keeping(make([]string, 33)...), "The number of attribute columns must be in range: [0, 32] in index."},
		"keeping an unknown column":    {keeping("x"), "Column does not exist:x."},
		"keeping a column twice":       {keeping("i", "i"), "Duplicated attribute column name with primary key column: i."},
		"keeping a column of its key":  {keeping("s"), "Duplicated attribute column name with primary key column: s."},
		"keeping a table's key column": {keeping("n"), "Duplicated attribute column name with primary key column: n."},
		"local":                        {indexes(localIndex("i", []string{"pk", "s"}, nil)), ""},
		"local and of another first column": {
			indexes(localIndex("i", []string{"s", "pk"}, nil)), "The first primary key column of the local index 'i' must be 'pk'.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			refused := checkIndexes(meta, c.indexes)
			if c.want == "" {
				require.Nil(t, refused)
				return
			}
			require.Equal(t, c.want, refused.Message)
		})
	}

	numbered := tableRequest("t", nil, otspb.PrimaryKeyOption_AUTO_INCREMENT.Enum()).TableMeta
	require.Equal(t, "First primary key can't be auto increment, table: i.", checkIndexes(numbered, indexes(index("i", "n"))).Message)
	require.Nil(t, checkIndexes(numbered, indexes(index("i", "pk", "n"))))
}

func TestATableWithIndexesHasOptionsForThem(t *testing.T) {
	options := func(ttl, versions int32, allow *bool) *otspb.TableOptions {
		return &otspb.TableOptions{TimeToLive: &ttl, MaxVersions: &versions, AllowUpdate: allow}
	}
	refusal := func(message string) *Refusal { return &Refusal{400, "OTSParameterInvalid", message} }
	for name, c := range map[string]struct {
		options *otspb.TableOptions
		want    *Refusal
	}{
		"one version for ever":               {options(-1, 1, nil), nil},
		"two versions":                       {options(-1, 2, nil), refusal("Don't support max versions larger than 1 on table with index")},
		"a time to live":                     {options(86400, 1, nil), refusal("Don't support allow update operation on table with index and ttl")},
		"a time to live with updates":        {options(86400, 1, proto.Bool(true)), refusal("Don't support allow update operation on table with index and ttl")},
		"a time to live and no more updates": {options(86400, 1, proto.Bool(false)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(t, nil)
			request := indexedRequest(globalIndex("by_s", []string{"s"}, nil))
			request.TableOptions = c.options
			require.Equal(t, c.want, call(t, s, "CreateTable", request, &otspb.CreateTableResponse{}))

			s = newIndexed(t)
			update := &otspb.UpdateTableRequest{TableName: proto.String("t"), TableOptions: c.options}
			require.Equal(t, c.want, call(t, s, "UpdateTable", update, &otspb.UpdateTableResponse{}))
			described := &otspb.DescribeTableResponse{}
			require.Nil(t, call(t, s, "DescribeTable", &otspb.DescribeTableRequest{TableName: proto.String("t")}, described))
			require.Equal(t, c.want == nil, described.GetTableOptions().GetTimeToLive() == c.options.GetTimeToLive() && described.GetTableOptions().GetMaxVersions() == c.options.GetMaxVersions(),
				"a refused update changes nothing")
		})
	}
}

func TestAnIndexFollowsItsTable(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for name, c := range map[string]struct {
		columns       []pb.Cell // of the row "a", 1
		byS, byPKAndI []string
	}{
		"a row with all columns":      {[]pb.Cell{integer("i", 5), text("s", "x"), text("other", "y")}, []string{`s="x" pk="a" n=1 i=5`}, []string{`pk="a" i=5 n=1`}},
		"a row without other columns": {[]pb.Cell{text("s", "x")}, []string{`s="x" pk="a" n=1`}, nil},
		"a row without a key column":  {[]pb.Cell{integer("i", 5)}, nil, []string{`pk="a" i=5 n=1`}},
		"a row of another type":       {[]pb.Cell{integer("s", 1), text("i", "x")}, nil, nil},
		"a row whose value is too long for a key": {
			[]pb.Cell{text("s", long), integer("i", 1)}, nil, []string{`pk="a" i=1 n=1`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIndexed(t)
			put(t, s, key("a", 1), c.columns...)
			require.Equal(t, c.byS, indexLines(t, s, "by_s", "s", "pk", "n"))
			require.Equal(t, c.byPKAndI, indexLines(t, s, "within", "pk", "i", "n"))
		})
	}

	s := newIndexed(t)
	byS := func() []string { return indexLines(t, s, "by_s", "s", "pk", "n") }
	put(t, s, key("a", 1), text("s", "y"))
	put(t, s, key("a", 2), text("s", "x"))
	put(t, s, key("b", 1), text("s", "x"))
	require.Equal(t, []string{`s="x" pk="a" n=2`, `s="x" pk="b" n=1`, `s="y" pk="a" n=1`}, byS(), "the order is the index's")
	require.Nil(t, update(t, s, key("a", 1), ignore(), text("s", "w"), integer("i", 1)))
	require.Equal(t, []string{`s="w" pk="a" n=1 i=1`, `s="x" pk="a" n=2`, `s="x" pk="b" n=1`}, byS(), "a row moves with its value")
	require.Nil(t, update(t, s, key("a", 1), ignore(), with(text("s", ""), pb.DeleteAllVersions)))
	require.Equal(t, []string{`s="x" pk="a" n=2`, `s="x" pk="b" n=1`}, byS(), "a row leaves with its value")
	require.Nil(t, call(t, s, "DeleteRow", &otspb.DeleteRowRequest{TableName: proto.String("t"), PrimaryKey: deletion(key("a", 2)), Condition: ignore()}, &otspb.DeleteRowResponse{}))
	require.Equal(t, []string{`s="x" pk="b" n=1`}, byS())
}

func TestARowLeavesAnIndexAtTheEndOfItsLife(t *testing.T) {
	clock := &testClock{time.Unix(1000, 0)}
	s := NewServer(t, &Options{Now: clock.Now})
	request := indexedRequest(globalIndex("by_s", []string{"s"}, []string{"i"}))
	request.TableOptions.TimeToLive, request.TableOptions.AllowUpdate = proto.Int32(100), proto.Bool(false)
	require.Nil(t, call(t, s, "CreateTable", request, &otspb.CreateTableResponse{}))
	put(t, s, key("a", 1), at(text("s", "x"), 950_000), integer("i", 1))
	require.Len(t, indexLines(t, s, "by_s", "s", "pk", "n"), 1)
	clock.now = time.Unix(1051, 0)
	require.Empty(t, indexLines(t, s, "by_s", "s", "pk", "n"))
}

func TestAnIndexIsReadOnly(t *testing.T) {
	name := proto.String("by_s")
	row := encoded(append([]pb.Cell{text("s", "x")}, key("a", 1)...), integer("i", 1))
	for action, request := range map[string]proto.Message{
		"PutRow":        &otspb.PutRowRequest{TableName: name, Row: row, Condition: ignore()},
		"UpdateRow":     &otspb.UpdateRowRequest{TableName: name, RowChange: row, Condition: ignore()},
		"DeleteRow":     &otspb.DeleteRowRequest{TableName: name, PrimaryKey: deletion(key("a", 1)), Condition: ignore()},
		"BatchWriteRow": &otspb.BatchWriteRowRequest{Tables: []*otspb.TableInBatchWriteRowRequest{{TableName: name, Rows: []*otspb.RowInBatchWriteRowRequest{write(otspb.OperationType_PUT, row, ignore())}}}},
		"UpdateTable":   &otspb.UpdateTableRequest{TableName: name, TableOptions: &otspb.TableOptions{MaxVersions: proto.Int32(1)}},
		"DeleteTable":   &otspb.DeleteTableRequest{TableName: name},
	} {
		t.Run("for "+action, func(t *testing.T) {
			s := newIndexed(t)
			put(t, s, key("a", 1), text("s", "x"))
			require.Equal(t, &Refusal{400, "OTSParameterInvalid", "Can't write index table directly"}, call(t, s, action, request, &otspb.Error{}))
			require.Equal(t, []string{`s="x" pk="a" n=1`}, indexLines(t, s, "by_s", "s", "pk", "n"))
		})
	}
}

func TestTheNameOfAnIndexIsTaken(t *testing.T) {
	s := newIndexed(t)
	require.Nil(t, call(t, s, "CreateTable", tableRequest("free", nil, nil), &otspb.CreateTableResponse{}))
	taken := &Refusal{409, "OTSObjectAlreadyExist", "Requested table already exists."}
	require.Equal(t, taken, call(t, s, "CreateTable", tableRequest("by_s", nil, nil), &otspb.CreateTableResponse{}))
	for _, name := range []string{"by_s", "t"} {
		request := indexedRequest(globalIndex(name, []string{"s"}, nil))
		request.TableMeta.TableName = proto.String("u")
		require.Equal(t, taken, call(t, s, "CreateTable", request, &otspb.CreateTableResponse{}))
	}
	listed := &otspb.ListTableResponse{}
	require.Nil(t, call(t, s, "ListTable", &otspb.ListTableRequest{}, listed))
	require.Equal(t, []string{"free", "t"}, listed.GetTableNames(), "an index is not listed")

	require.Nil(t, call(t, s, "DeleteTable", &otspb.DeleteTableRequest{TableName: proto.String("t")}, &otspb.DeleteTableResponse{}))
	require.Nil(t, call(t, s, "CreateTable", tableRequest("by_s", nil, nil), &otspb.CreateTableResponse{}), "an index goes with its table")
}

func TestAnIndexHasUpToEightKeyColumns(t *testing.T) {
	request := indexedRequest()
	names := []string{"a", "b", "c", "d"}
	request.TableMeta.DefinedColumn = nil
	for _, name := range names {
		request.TableMeta.DefinedColumn = append(request.TableMeta.DefinedColumn, &otspb.DefinedColumnSchema{Name: proto.String(name), Type: otspb.DefinedColumnType_DCT_BLOB.Enum()})
	}
	for _, name := range []string{"o", "p"} {
		request.TableMeta.PrimaryKey = append(request.TableMeta.PrimaryKey, &otspb.PrimaryKeySchema{Name: proto.String(name), Type: otspb.PrimaryKeyType_INTEGER.Enum()})
	}
	request.IndexMetas = []*otspb.IndexMeta{globalIndex("wide", names, nil)}
	s := NewServer(t, nil)
	require.Nil(t, call(t, s, "CreateTable", request, &otspb.CreateTableResponse{}))
	var columns []pb.Cell
	for _, name := range names {
		columns = append(columns, pb.Cell{Name: name, Value: pb.BlobValue("v")})
	}
	key := append(key("k", 1), integer("o", 2), integer("p", 3))
	put(t, s, key, columns...)

	read := func(table string, key []pb.Cell) (*otspb.GetRowResponse, *Refusal) {
		got := &otspb.GetRowResponse{}
		return got, call(t, s, "GetRow", &otspb.GetRowRequest{TableName: &table, PrimaryKey: encoded(key), MaxVersions: proto.Int32(1)}, got)
	}
	all := append(columns, key...)
	got, refused := read("wide", all)
	require.Nil(t, refused)
	require.NotEmpty(t, got.GetRow())
	for _, c := range []struct {
		table string
		key   []pb.Cell
		want  string
	}{
		{"wide", append(all, integer("q", 1)), "The number of primary key columns must be in range: [1, 8]."},
		{"wide", key, "Validate PK size fail. Input: 4, Meta: 8."},
		{"t", all[:5], "The number of primary key columns must be in range: [1, 4]."},
		{"none", all[:5], "Requested table does not exist."},
	} {
		_, refused := read(c.table, c.key)
		require.Equal(t, c.want, refused.Message)
	}
	batch := &otspb.BatchGetRowRequest{Tables: []*otspb.TableInBatchGetRowRequest{{TableName: proto.String("t"), PrimaryKey: [][]byte{encoded(all)}, MaxVersions: proto.Int32(1)}}}
	require.Equal(t, "The number of primary key columns must be in range: [1, 4].", call(t, s, "BatchGetRow", batch, &otspb.BatchGetRowResponse{}).Message)
}

func TestAnIndexIsDescribedAsATable(t *testing.T) {
	s := newIndexed(t)
	described := &otspb.DescribeTableResponse{}
	require.Nil(t, call(t, s, "DescribeTable", &otspb.DescribeTableRequest{TableName: proto.String("within")}, described))
	var key []string
	for _, column := range described.GetTableMeta().GetPrimaryKey() {
		key = append(key, column.GetName()+" "+column.GetType().String())
	}
	require.Equal(t, []string{"pk STRING", "i INTEGER", "n INTEGER"}, key)
	require.Empty(t, described.GetIndexMetas())
	require.Equal(t, int32(1), described.GetTableOptions().GetMaxVersions())
}
