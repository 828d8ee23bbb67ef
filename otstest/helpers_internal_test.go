package otstest

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// call sends a signed request and decodes its answer into response, or returns
// the code and message of its refusal.
func call(t *testing.T, s *Server, action string, request, response proto.Message) *Refusal {
	t.Helper()
	body, err := proto.Marshal(request)
	require.NoError(t, err)
	resp, err := s.Transport().RoundTrip(signedRequest(s, s.key, action, body))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode != http.StatusOK {
		answer := &otspb.Error{}
		require.NoError(t, proto.Unmarshal(body, answer))
		return &Refusal{resp.StatusCode, answer.GetCode(), answer.GetMessage()}
	}
	require.NoError(t, proto.Unmarshal(body, response))
	return nil
}

// testClock is a clock that a test sets.
type testClock struct{ now time.Time }

func (c *testClock) Now() time.Time { return c.now }

// newTable starts a server at 1,000 s with a table "t" of the keys pk, a
// string, and n, an integer.
func newTable(t *testing.T, options *otspb.TableOptions) (*Server, *testClock) {
	t.Helper()
	clock := &testClock{time.Unix(1000, 0)}
	s := NewServer(t, &Options{Now: clock.Now})
	require.Nil(t, call(t, s, "CreateTable", tableRequest("t", options, nil), &otspb.CreateTableResponse{}))
	return s, clock
}

func tableRequest(name string, options *otspb.TableOptions, option *otspb.PrimaryKeyOption) *otspb.CreateTableRequest {
	if options == nil {
		options = &otspb.TableOptions{TimeToLive: proto.Int32(-1), MaxVersions: proto.Int32(3)}
	}
	return &otspb.CreateTableRequest{
		TableMeta: &otspb.TableMeta{TableName: proto.String(name), PrimaryKey: []*otspb.PrimaryKeySchema{
			{Name: proto.String("pk"), Type: otspb.PrimaryKeyType_STRING.Enum()},
			{Name: proto.String("n"), Type: otspb.PrimaryKeyType_INTEGER.Enum(), Option: option},
		}},
		ReservedThroughput: &otspb.ReservedThroughput{CapacityUnit: &otspb.CapacityUnit{Read: proto.Int32(0), Write: proto.Int32(0)}},
		TableOptions:       options,
	}
}

func keyOf(pk string, n pb.Value) []pb.Cell {
	return []pb.Cell{{Name: "pk", Value: pb.StringValue(pk)}, {Name: "n", Value: n}}
}

func key(pk string, n int64) []pb.Cell { return keyOf(pk, pb.IntValue(n)) }

func encoded(key []pb.Cell, columns ...pb.Cell) []byte {
	return pb.Append(nil, &pb.Row{PrimaryKey: key, Columns: columns})
}

func deletion(key []pb.Cell) []byte {
	return pb.Append(nil, &pb.Row{PrimaryKey: key, Deleted: true})
}

func integer(name string, v int64) pb.Cell { return pb.Cell{Name: name, Value: pb.IntValue(v)} }

func text(name, v string) pb.Cell { return pb.Cell{Name: name, Value: pb.StringValue(v)} }

func at(c pb.Cell, ms int64) pb.Cell {
	c.HasTimestamp, c.Timestamp = true, ms
	return c
}

func with(c pb.Cell, op pb.Op) pb.Cell {
	c.Op = op
	c.Absent = op != pb.Increment
	return c
}

func expects(e otspb.RowExistenceExpectation, columns ...[]byte) *otspb.Condition {
	c := &otspb.Condition{RowExistence: e.Enum()}
	if len(columns) > 0 {
		c.ColumnCondition = columns[0]
	}
	return c
}

func ignore() *otspb.Condition { return expects(otspb.RowExistenceExpectation_IGNORE) }

func put(t *testing.T, s *Server, key []pb.Cell, columns ...pb.Cell) {
	t.Helper()
	request := &otspb.PutRowRequest{TableName: proto.String("t"), Row: encoded(key, columns...), Condition: ignore()}
	require.Nil(t, call(t, s, "PutRow", request, &otspb.PutRowResponse{}))
}

func update(t *testing.T, s *Server, key []pb.Cell, c *otspb.Condition, columns ...pb.Cell) *Refusal {
	t.Helper()
	return call(t, s, "UpdateRow", &otspb.UpdateRowRequest{TableName: proto.String("t"), RowChange: encoded(key, columns...), Condition: c}, &otspb.UpdateRowResponse{})
}

// cells decodes rows to "pk/n: column=value" texts.
func cells(t *testing.T, data string) []string {
	t.Helper()
	if len(data) == 0 {
		return nil
	}
	rows, err := pb.Decode(data)
	require.NoError(t, err)
	var texts []string
	for _, r := range rows {
		line := r.PrimaryKey[0].Value.Text() + "/" + valueText(r.PrimaryKey[1].Value)
		for _, c := range r.Columns {
			line += " " + c.Name + "=" + valueText(c.Value)
		}
		texts = append(texts, line)
	}
	return texts
}

func compare(column string, comparator otspb.ComparatorType, v pb.Value) *otspb.Filter {
	return compareAs(&otspb.SingleColumnValueFilter{
		Comparator: comparator.Enum(), ColumnName: proto.String(column), ColumnValue: pb.AppendValue(nil, v),
		FilterIfMissing: proto.Bool(true), LatestVersionOnly: proto.Bool(true),
	})
}

func compareAs(f *otspb.SingleColumnValueFilter) *otspb.Filter {
	return packed(otspb.FilterType_FT_SINGLE_COLUMN_VALUE, f)
}

func join(operator otspb.LogicalOperator, filters ...*otspb.Filter) *otspb.Filter {
	return packed(otspb.FilterType_FT_COMPOSITE_COLUMN_VALUE, &otspb.CompositeColumnValueFilter{Combinator: operator.Enum(), SubFilters: filters})
}

func page(offset, limit int32) *otspb.Filter {
	return packed(otspb.FilterType_FT_COLUMN_PAGINATION, &otspb.ColumnPaginationFilter{Offset: &offset, Limit: &limit})
}

func packed(kind otspb.FilterType, m proto.Message) *otspb.Filter {
	return &otspb.Filter{Type: kind.Enum(), Filter: wire(m)}
}

// wire encodes a message of a test, which may lack what is required.
func wire(m proto.Message) []byte {
	data, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return data
}
