package plainbuffer_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

func cell(name string, v pb.Value) pb.Cell { return pb.Cell{Name: name, Value: v} }

func at(c pb.Cell, ms int64) pb.Cell { c.HasTimestamp, c.Timestamp = true, ms; return c }

func key() []pb.Cell {
	return []pb.Cell{cell("pk1", pb.StringValue("iampk")), cell("pk2", pb.IntValue(100))}
}

// The rows of testdata/vectors.json, which the Go and the Node SDK encode to
// the same bytes.
func vectorRows() map[string]*pb.Row {
	return map[string]*pb.Row{
		"a primary key": {PrimaryKey: key()},
		"a delete":      {PrimaryKey: key(), Deleted: true},
		"a put": {PrimaryKey: key(), Columns: []pb.Cell{
			at(cell("column1", pb.StringValue("bad")), 1001),
			at(cell("column2", pb.IntValue(128)), 1002),
			at(cell("column3", pb.DoubleValue(34.2)), 1003),
		}},
		"an update": {PrimaryKey: key(), Columns: []pb.Cell{
			cell("column1", pb.StringValue("bad")),
			{Name: "column4", Absent: true, Op: pb.DeleteAllVersions},
			at(pb.Cell{Name: "column5", Absent: true, Op: pb.DeleteOneVersion}, 1003),
			{Name: "cnt", Value: pb.IntValue(1), Op: pb.Increment},
		}},
		"the ends of a range": {PrimaryKey: []pb.Cell{cell("pk1", pb.MarkValue(pb.InfMin)), cell("pk2", pb.MarkValue(pb.InfMax))}},
		"an auto-increment key": {
			PrimaryKey: []pb.Cell{cell("pk1", pb.BlobValue("\x01\x02")), cell("id", pb.MarkValue(pb.AutoIncrement))},
			Columns:    []pb.Cell{cell("f", pb.BoolValue(true)), cell("b", pb.BlobValue("\xff"))},
		},
	}
}

func readVectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var list []struct{ Name, Hex string }
	require.NoError(t, json.Unmarshal(text, &list))
	vectors := map[string][]byte{}
	for _, v := range list {
		vectors[v.Name], err = hex.DecodeString(v.Hex)
		require.NoError(t, err)
	}
	require.Len(t, vectors, len(vectorRows()))
	return vectors
}

func TestVectorsEncodeAndDecode(t *testing.T) {
	vectors := readVectors(t)
	for name, row := range vectorRows() {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(vectors[name]), hex.EncodeToString(pb.Append(nil, row)))
			rows, err := pb.Decode(vectors[name])
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, row.PrimaryKey, rows[0].PrimaryKey)
			require.ElementsMatch(t, row.Columns, rows[0].Columns)
			require.Equal(t, row.Deleted, rows[0].Deleted)
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	for name, vector := range readVectors(t) {
		for n := range vector {
			if n == 4 {
				continue // a header alone is a buffer without rows
			}
			_, err := pb.Decode(vector[:n])
			var se *pb.SyntaxError
			require.ErrorAs(t, err, &se, "%s cut after %d bytes", name, n)
			require.LessOrEqual(t, se.Offset, n)
		}
	}
}

func TestEveryFlippedBitIsAnError(t *testing.T) {
	for name, vector := range readVectors(t) {
		for i := range vector {
			for bit := range 8 {
				broken := bytes.Clone(vector)
				broken[i] ^= 1 << bit
				_, err := pb.Decode(broken)
				require.Error(t, err, "%s with bit %d of byte %d flipped", name, bit, i)
			}
		}
	}
}

func TestMalformedBuffersNameTheProblem(t *testing.T) {
	header := "\x75\x00\x00\x00"
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"nothing at all":                     {"", pb.ErrHeader},
		"another header":                     {"\x76\x00\x00\x00", pb.ErrHeader},
		"half a header":                      {"\x75\x00", pb.ErrHeader},
		"an unknown tag":                     {header + "\x42", pb.ErrTag},
		"a row without cells":                {header + "\x01\x09\x00", pb.ErrTag},
		"a row that is only a checksum":      {header + "\x09\x00", pb.ErrTag},
		"a cell without a name":              {header + "\x01\x03\x05", pb.ErrTag},
		"a name longer than the buffer":      {header + "\x01\x03\x04\x10\x00\x00\x00abc", pb.ErrTruncated},
		"a name of negative length":          {header + "\x01\x03\x04\xff\xff\xff\xffabc", pb.ErrTruncated},
		"a value of two gigabytes":           {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\xff\xff\xff\x7f", pb.ErrTruncated},
		"an empty value":                     {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x00\x00\x00\x00\x0a\x00", pb.ErrValue},
		"a value of unknown type":            {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x01\x00\x00\x00\x0c\x0a\x00", pb.ErrValue},
		"an integer of seven bytes":          {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x08\x00\x00\x00\x00aaaaaaa\x0a\x00", pb.ErrValue},
		"a boolean that is 2":                {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x02\x00\x00\x00\x02\x02\x0a\x00", pb.ErrValue},
		"a string shorter than it says":      {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x06\x00\x00\x00\x03\x02\x00\x00\x00a\x0a\x00", pb.ErrValue},
		"a string longer than it says":       {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x06\x00\x00\x00\x03\x00\x00\x00\x00a\x0a\x00", pb.ErrValue},
		"an infinity with a payload":         {header + "\x01\x03\x04\x01\x00\x00\x00a\x05\x02\x00\x00\x00\x09a\x0a\x00", pb.ErrValue},
		"an unknown operation":               {header + "\x01\x03\x04\x01\x00\x00\x00a\x06\x02\x0a\x00", pb.ErrValue},
		"half a timestamp":                   {header + "\x01\x03\x04\x01\x00\x00\x00a\x07aaaa", pb.ErrTruncated},
		"a cell with a wrong checksum":       {header + "\x01\x03\x04\x01\x00\x00\x00a\x0a\x00", pb.ErrChecksum},
		"an extension longer than the bytes": {header + "\x01\x03\x04\x01\x00\x00\x00a\x0a\x20\x0b\xff\x00\x00\x00", pb.ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pb.Decode([]byte(c.data))
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, "at byte")
		})
	}
}

func TestAnExtensionOfAStreamRecordIsSteppedOver(t *testing.T) {
	plain := pb.Append(nil, &pb.Row{PrimaryKey: key()})
	extended := bytes.Clone(plain[:len(plain)-2])
	extended = append(extended, 0x0B, 3, 0, 0, 0, 'x', 'y', 'z')
	extended = append(extended, plain[len(plain)-2:]...)
	rows, err := pb.Decode(extended)
	require.NoError(t, err)
	require.Equal(t, key(), rows[0].PrimaryKey)
}

func TestParseValue(t *testing.T) {
	for _, v := range []pb.Value{
		pb.IntValue(math.MinInt64), pb.DoubleValue(-0.5), pb.BoolValue(true), pb.BoolValue(false), pb.StringValue("云"),
		pb.BlobValue(""), pb.MarkValue(pb.InfMax), pb.MarkValue(pb.Null),
	} {
		got, err := pb.ParseValue(pb.AppendValue(nil, v))
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	for _, broken := range []string{"", "\x00", "\x03\x05\x00\x00\x00", "\x63"} {
		_, err := pb.ParseValue([]byte(broken))
		require.ErrorIs(t, err, pb.ErrValue, "%q", broken)
	}
}

func TestKeysCompareAsTheServiceOrdersThem(t *testing.T) {
	ordered := []pb.Value{
		pb.MarkValue(pb.InfMin),
		pb.IntValue(math.MinInt64), pb.IntValue(-1), pb.IntValue(0), pb.IntValue(math.MaxInt64),
		pb.StringValue(""), pb.StringValue("A"), pb.StringValue("a"), pb.StringValue("aa"), pb.StringValue("云"),
		pb.BlobValue(""), pb.BlobValue("\x00"), pb.BlobValue("\xff"),
		pb.MarkValue(pb.InfMax),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			require.Equal(t, min(max(i-j, -1), 1), a.Compare(b), "%d %d", i, j)
		}
	}
}

func genCell(t *rapid.T) pb.Cell {
	c := pb.Cell{Name: rapid.String().Draw(t, "name")}
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		c.Value = pb.IntValue(rapid.Int64().Draw(t, "int"))
	case 1:
		c.Value = pb.DoubleValue(rapid.Float64().Draw(t, "double"))
	case 2:
		c.Value = pb.BoolValue(rapid.Bool().Draw(t, "bool"))
	case 3:
		c.Value = pb.StringValue(rapid.String().Draw(t, "string"))
	case 4:
		c.Value = pb.BlobValue(string(rapid.SliceOf(rapid.Byte()).Draw(t, "blob")))
	case 5:
		c.Value = pb.MarkValue(rapid.SampledFrom([]pb.Kind{pb.Null, pb.InfMin, pb.InfMax, pb.AutoIncrement}).Draw(t, "mark"))
	case 6:
		c.Absent = true
	}
	c.Op = rapid.SampledFrom([]pb.Op{pb.Put, pb.DeleteAllVersions, pb.DeleteOneVersion, pb.Increment}).Draw(t, "op")
	if c.HasTimestamp = rapid.Bool().Draw(t, "timed"); c.HasTimestamp {
		c.Timestamp = rapid.Int64().Draw(t, "timestamp")
	}
	return c
}

func TestWhatIsEncodedDecodesToTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *pb.Row {
			return &pb.Row{
				PrimaryKey: rapid.SliceOfN(rapid.Custom(genCell), 1, 4).Draw(t, "key"),
				Columns:    rapid.SliceOfN(rapid.Custom(genCell), 0, 20).Draw(t, "columns"),
				Deleted:    rapid.Bool().Draw(t, "deleted"),
			}
		}), 0, 5).Draw(t, "rows")
		encoded := pb.Append([]byte("prefix"), rows...)[len("prefix"):]
		if len(encoded) != pb.Size(rows...) {
			t.Fatalf("Size says %d for %d bytes", pb.Size(rows...), len(encoded))
		}
		decoded, err := pb.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		again := make([]*pb.Row, len(decoded))
		for i := range decoded {
			again[i] = &decoded[i]
			if fmt.Sprint(decoded[i].PrimaryKey) != fmt.Sprint(rows[i].PrimaryKey) || len(decoded[i].Columns) != len(rows[i].Columns) {
				t.Fatalf("row %d: %v became %v", i, rows[i], decoded[i])
			}
		}
		if !bytes.Equal(pb.Append(nil, again...), encoded) {
			t.Fatal("the decoded rows encode to other bytes")
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, vector := range readVectors(f) {
		f.Add(vector)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := pb.Decode(data)
		if err != nil {
			return
		}
		all := make([]*pb.Row, len(rows))
		for i := range rows {
			all[i] = &rows[i]
		}
		again, err := pb.Decode(pb.Append(nil, all...))
		// A row of columns only, or with an extension, is accepted and not written.
		if err == nil && len(again) != len(rows) {
			t.Fatalf("%d rows became %d", len(rows), len(again))
		}
	})
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte{3, 1, 0, 0, 0, 'a'})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pb.ParseValue(data)
		if err == nil && !bytes.Equal(pb.AppendValue(nil, v), data) {
			t.Fatalf("%x becomes %x", data, pb.AppendValue(nil, v))
		}
	})
}

func wideRow() *pb.Row {
	row := &pb.Row{PrimaryKey: key()}
	for i := range 10 {
		row.Columns = append(row.Columns, cell(fmt.Sprintf("column%d", i), pb.StringValue("a value of twenty b.")))
	}
	return row
}

func BenchmarkAppendPutRow(b *testing.B) {
	row, dst := wideRow(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		dst = pb.Append(dst[:0], row)
	}
}

func BenchmarkDecodeThousandRows(b *testing.B) {
	var rows []*pb.Row
	for range 1000 {
		rows = append(rows, wideRow())
	}
	data := pb.Append(nil, rows...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		d, err := pb.NewDecoder(data)
		if err != nil {
			b.Fatal(err)
		}
		var row pb.Row
		for d.More() {
			if err := d.Next(&row); err != nil {
				b.Fatal(err)
			}
		}
	}
}
